import { MetricError } from '../errors.ts'
import { type Labels, type LabelValue, labelValueOf, labelsFrom } from '../labels.ts'

/** One series of a metric, as its metric keeps it. */
export interface Child {
  readonly labels: Labels
}

/** What a set of children needs to know of its metric. */
export interface ChildrenOptions<C extends Child> {
  readonly subject: string
  readonly metric: string
  readonly labelNames: readonly string[]
  readonly maxSeries: number
  readonly create: (labels: Labels) => C
  /** Makes the series that stands in for all that came after `maxSeries`. */
  readonly createOverflow: (labels: Labels) => C
}

/** The value of every label of the overflow series. */
export const OVERFLOW = '__overflow__'

type Node<C> = Map<string, Node<C>> | C

/**
 * The series of a metric: a tree with a level for each label name in declared order, walked by label values. No key is
 * joined from strings, so two label sets can never meet. A branch that leads to one series only is that series: a
 * metric whose first label tells everything apart keeps one Map, not one for each series.
 */
export class Children<C extends Child> {
  readonly #options: ChildrenOptions<C>
  readonly #names: readonly string[]
  #root: Map<string, Node<C>> = new Map()
  #overflow: C | undefined
  #size = 0

  constructor(options: ChildrenOptions<C>) {
    this.#options = options
    // A copy, because the engine reads a frozen array slowly: a fifth of the walk (`inc-labels` in benchmarks).
    this.#names = [...options.labelNames]
  }

  /**
   * The child of a label set, made on first use. The walk expects the labels in declared order (the for-in of an
   * object literal is the fastest way through it: `inc({ three labels })` in benchmarks/hot-path); any other order,
   * new sets and mistakes take the checked way. Throws `ERR_NARTHEX_INVALID_LABELS` and `…_LABEL_VALUE`.
   */
  get(labels: { readonly [name: string]: LabelValue }): C {
    const names = this.#names
    let node: Node<C> | undefined = this.#root
    let index = 0
    for (const name in labels) {
      let value = labels[name] as string
      if (typeof value === 'number') value = String(value)
      if (name !== names[index++] || typeof value !== 'string') return this.#getChecked(labels)
      if (node instanceof Map) {
        node = node.get(value)
        if (node === undefined) return this.#getChecked(labels)
      } else if (node.labels[name] !== value) {
        return this.#getChecked(labels)
      }
    }
    return node instanceof Map || index !== names.length ? this.#getChecked(labels) : node
  }

  /** The child of label values in declared order. The same walk, with the checked way for all that is not plain. */
  getPositional(values: readonly LabelValue[]): C {
    const names = this.#names
    const { length } = values
    let node: Node<C> | undefined = this.#root
    if (length !== names.length) return this.#find(this.#checkPositional(values))
    for (let index = 0; index < length; index++) {
      const value = values[index] as string
      if (node instanceof Map) {
        node = node.get(value)
        if (node === undefined) return this.#find(this.#checkPositional(values))
      } else if ((node.labels[names[index] as string] ?? '') !== value) {
        return this.#find(this.#checkPositional(values))
      }
    }
    return node instanceof Map ? this.#find(this.#checkPositional(values)) : node
  }

  /** Removes the series of these values; false where there was none. A held child lives on, unexposed. */
  remove(values: readonly string[]): boolean {
    return this.#removeAll((level) => values[level]) > 0
  }

  /** Removes every series that has all of these labels, and says how many. An empty set removes everything. */
  removeMatching(wanted: ReadonlyMap<string, string>): number {
    return this.#removeAll((level) => wanted.get(this.#names[level] as string))
  }

  /** Every child, grouped by label in declared order, in the order of first use. Safe against changes while it runs. */
  *[Symbol.iterator](): Generator<C> {
    yield* walk(this.#root)
    if (this.#overflow !== undefined) yield this.#overflow
  }

  /** Label values in declared order from an object; throws where the names are not exactly the declared ones. */
  valuesOf(labels: { readonly [name: string]: LabelValue }): string[] {
    if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) {
      this.#refuseLabels(`to be an object with ${this.#list()}`, labels)
    }
    const values: string[] = []
    for (const name of this.#names) {
      const value = labels[name]
      if (value === undefined || (!Object.hasOwn(labels, name) && name in Object.prototype)) {
        this.#refuseLabels(`to have a value for \`${name}\``, labels)
      }
      values.push(this.#textOf(value, name))
    }
    for (const name in labels) {
      if (!this.#names.includes(name)) this.#refuseLabels(`to hold no other names than ${this.#list()}`, labels)
    }
    return values
  }

  /** Label values in declared order from an object or from such values; throws as {@link Children.valuesOf} does. */
  valuesFrom(labels: { readonly [name: string]: LabelValue } | readonly LabelValue[]): string[] {
    return Array.isArray(labels)
      ? this.#checkPositional(labels as readonly LabelValue[])
      : this.valuesOf(labels as { readonly [name: string]: LabelValue })
  }

  /** What {@link Children.removeMatching} is to look for; throws for names that are not declared. */
  wantedFrom(partial: { readonly [name: string]: LabelValue }): ReadonlyMap<string, string> {
    const wanted = new Map<string, string>()
    if (typeof partial !== 'object' || partial === null) this.#refuseLabels('to be an object', partial)
    for (const name of Object.keys(partial)) {
      if (!this.#names.includes(name)) this.#refuseLabels(`to hold no other names than ${this.#list()}`, partial)
      wanted.set(name, this.#textOf(partial[name], name))
    }
    return wanted
  }

  #getChecked(labels: { readonly [name: string]: LabelValue }): C {
    return this.#find(this.valuesOf(labels))
  }

  #checkPositional(values: readonly LabelValue[]): string[] {
    if (values.length !== this.#names.length) {
      this.#refuseLabels(`to be ${this.#names.length} value(s), one for each of ${this.#list()}`, values)
    }
    return values.map((value, index) => this.#textOf(value, this.#names[index] as string))
  }

  #textOf(value: unknown, label: string): string {
    return labelValueOf(value, label, this.#options.subject, this.#options.metric)
  }

  #list(): string {
    return this.#names.length === 0 ? 'no labels' : this.#names.map((name) => `\`${name}\``).join(', ')
  }

  #refuseLabels(rule: string, value: unknown): never {
    const { subject, metric } = this.#options
    throw new MetricError('ERR_NARTHEX_INVALID_LABELS', { subject, metric, argument: 'labels', rule, value })
  }

  #find(values: readonly string[]): C {
    const names = this.#names
    if (isOverflow(values)) return this.#overflowChild()
    let map = this.#root
    for (let level = 0; ; level++) {
      const value = values[level] as string
      const node = map.get(value)
      if (node instanceof Map) {
        map = node
        continue
      }
      const differing = node === undefined ? level : differingLevel(names, level + 1, node.labels, values)
      if (node !== undefined && differing < 0) return node
      if (this.#size >= this.#options.maxSeries) return this.#overflowChild()
      // A value made at run time is a new string at each call. Of the labels that lead here the strings that are there are
      // kept: others would be a seventh of the memory of a series (`memory-crossed` in benchmarks).
      const kin = firstOf(node ?? map)
      const kept = values.map((value, at) => (kin && at < differing ? valueIn(kin.labels, names[at] as string) : value))
      if (node !== undefined) map = branch(map, node, level, differing, kept, names)
      const child = this.#options.create(labelsFrom(names, kept))
      map.set(values[differing] as string, child)
      this.#size += 1
      return child
    }
  }

  #overflowChild(): C {
    this.#overflow ??= this.#options.createOverflow(
      labelsFrom(
        this.#names,
        this.#names.map(() => OVERFLOW),
      ),
    )
    return this.#overflow
  }

  #removeAll(wanted: (level: number) => string | undefined): number {
    const matches = (labels: Labels): boolean =>
      this.#names.every((name, level) => {
        const value = wanted(level)
        return value === undefined || value === valueIn(labels, name)
      })
    const removed = this.#removeFrom(this.#root, 0, wanted, matches)
    this.#size -= removed
    if (this.#overflow === undefined || !matches(this.#overflow.labels)) return removed
    this.#overflow = undefined
    return removed + 1
  }

  #removeFrom(
    map: Map<string, Node<C>>,
    level: number,
    wanted: (level: number) => string | undefined,
    matches: (labels: Labels) => boolean,
  ): number {
    let removed = 0
    const value = wanted(level)
    for (const key of value === undefined ? map.keys() : [value]) {
      const node = map.get(key)
      if (node instanceof Map) {
        removed += this.#removeFrom(node, level + 1, wanted, matches)
        if (node.size === 0) map.delete(key)
      } else if (node !== undefined && matches(node.labels)) {
        map.delete(key)
        removed += 1
      }
    }
    return removed
  }
}

/** A series below a node. Not of a wide one: where its first series were removed, finding one takes the longer for each. */
function firstOf<C extends Child>(node: Node<C>): C | undefined {
  let first: Node<C> | undefined = node
  while (first instanceof Map) first = first.size > 256 ? undefined : first.values().next().value
  return first
}

function isOverflow(values: readonly string[]): boolean {
  return values.length > 0 && values.every((value) => value === OVERFLOW)
}

/**
 * Makes room beside a series that had a branch for itself: Maps as deep as its labels and `values` agree. Returns the
 * Map of the level at which they differ.
 */
function branch<C extends Child>(
  map: Map<string, Node<C>>,
  child: C,
  level: number,
  differing: number,
  values: readonly string[],
  names: readonly string[],
): Map<string, Node<C>> {
  let at = map
  for (let depth = level; depth < differing; depth++) {
    const inner: Map<string, Node<C>> = new Map()
    at.set(values[depth] as string, inner)
    at = inner
  }
  at.set(valueIn(child.labels, names[differing] as string), child)
  return at
}

/** Depth first, with a stack of its own: generators in generators would hand each child through every level. */
function* walk<C extends Child>(root: Map<string, Node<C>>): Generator<C> {
  const stack: Level<C>[] = [levelOf(root)]
  while (stack.length > 0) {
    const level = stack[stack.length - 1] as Level<C>
    const next = level.left-- > 0 ? level.nodes.next() : undefined
    if (next === undefined || next.done === true) stack.pop()
    else if (next.value instanceof Map) stack.push(levelOf(next.value))
    else yield next.value
  }
}

/**
 * The nodes of a Map, as many as there were at the start: what is removed and made again meanwhile comes last, and would be
 * there a second time.
 */
interface Level<C> {
  readonly nodes: Iterator<Node<C>>
  left: number
}

function levelOf<C>(nodes: Map<string, Node<C>>): Level<C> {
  return { nodes: nodes.values(), left: nodes.size }
}

/** The first level from `from` on where a child's labels differ from `values`; -1 where none does. */
function differingLevel(names: readonly string[], from: number, labels: Labels, values: readonly string[]): number {
  for (let level = from; level < names.length; level++) {
    if (valueIn(labels, names[level] as string) !== values[level]) return level
  }
  return -1
}

/** A label that is absent has an empty value. Not `?? ''`: a label may be called `constructor`, which every object has. */
function valueIn(labels: Labels, name: string): string {
  const value: unknown = labels[name]
  return typeof value === 'string' ? value : ''
}

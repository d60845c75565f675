import type { Collector, CollectorHost, Collection, FamilyDescription, Loss, Registrar } from '../collector.ts'
import { defaultRegistrar } from '../default-registry.ts'
import { describeValue, MetricError, type MetricErrorCode, refuseUnknownOptions } from '../errors.ts'
import type { MetricFamily, MetricType, Series } from '../family.ts'
import { checkLabelNames, type Labels, type LabelValue, type LabelValues } from '../labels.ts'
import { isValidName } from '../names.ts'
import { emitWarning } from '../warning.ts'
import { Children, type Child } from './children.ts'
import { MetricExemplars } from './exemplar.ts'
import { LateUpdates } from './late-updates.ts'

/** The options that every metric has. `Self` is the metric that `collect` is called on. */
export interface MetricOptions<L extends string, Self = unknown> {
  /** Any valid UTF-8; `[a-zA-Z_:][a-zA-Z0-9_:]*` reads best and needs no escaping anywhere. */
  readonly name: string
  /** One sentence for the person who looks at the graph. */
  readonly help: string
  /** A base unit, plural: `seconds`, `bytes`. Appended to the name where the name does not end in it. */
  readonly unit?: string
  /**
   * Labels that every series carries.
   * @default []
   */
  readonly labelNames?: readonly L[]
  /**
   * Where the metric registers itself; `null` for nowhere.
   * @default defaultRegistry
   */
  readonly registry?: Registrar | null
  /**
   * How many label sets may have a series of their own. Later ones share a series whose label values are all
   * `__overflow__`; `Infinity` lifts the limit.
   * @default 10_000
   */
  readonly maxSeries?: number
  /** Called before the metric is read by a scrape, to set values that are only known then. May return a Promise. */
  readonly collect?: (this: Self, metric: Self) => void | Promise<void>
}

/** A label set, or nothing where a metric has no labels. */
export type LabelArgument<L extends string> = [L] extends [never] ? Record<string, never> : LabelValues<L>

/** The arguments of a method that takes a label set first: none for a metric without labels. */
export type WithLabels<L extends string, Rest extends unknown[]> = [L] extends [never]
  ? Rest
  : [labels: LabelValues<L>, ...rest: Rest]

/** What names a child: a label set, or its values in declared order. */
export type ChildArguments<L extends string> = [L] extends [never]
  ? [] | [Record<string, never>]
  : [LabelValues<L>] | LabelValue[]

/** The child of a metric, as the shared base handles it. */
export interface MetricChild extends Child {
  /** Back to the start: zero, a new created time; no exemplars. */
  zero(): void
  /** The series as it is now; where that saves making one, `used` with other numbers, which nobody has any more. */
  snapshot(used?: Series): Series
  /** Makes the series current before a scrape reads it; false leaves it out of the page. */
  refresh?(): boolean
  /** Has the series look for exemplars in {@link MetricExemplars.source} from now on. */
  sample?(): void
}

/** What a metric class tells the shared base. */
export interface MetricKind<C extends MetricChild> {
  readonly type: MetricType
  /** Options of this type beside those of every metric. */
  readonly options: readonly string[]
  readonly create: (labels: Labels) => C
  /** Methods of a child that change its numbers; the overflow series counts their calls. */
  readonly updates: readonly (keyof C & string)[]
  /** Whatever else makes two definitions differ: buckets, quantiles, states. */
  readonly definition?: unknown
  readonly totalSuffix?: false
  /** What its family says of how several processes' make one. */
  readonly merging?: Pick<MetricFamily, 'aggregation' | 'live'>
}

type CollectCallback = (this: unknown, metric: unknown) => void | Promise<void>

/** Marks the metrics of every copy of the package, where `instanceof` knows only those of its own. */
const METRIC: unique symbol = Symbol.for('@narthex/core/metric/v1')

/** Whether `value` is a metric, of this copy of the package or of another one that shares its registry. */
export function isMetric(value: unknown): value is Metric<string, MetricChild> {
  return typeof value === 'object' && value !== null && METRIC in value
}

const COMMON_OPTIONS = ['name', 'help', 'unit', 'labelNames', 'registry', 'maxSeries', 'collect'] as const

/**
 * What the six types share: the definition, the series, the way to the registry. A subclass adds what can be observed.
 */
export abstract class Metric<L extends string, C extends MetricChild> implements Collector {
  /** The family's name, without the suffixes of its samples. */
  readonly name: string
  readonly help: string
  readonly type: MetricType
  /** @internal */
  readonly [METRIC] = true
  readonly unit: string | undefined
  readonly labelNames: readonly L[]
  /** The name as it was given, be it with the suffix of its samples: what errors call the metric. */
  protected readonly givenName: string
  protected readonly children: Children<C>
  /** Where the series of a counter or histogram get their exemplars. */
  protected readonly exemplars: MetricExemplars
  /** @internal */
  readonly lateUpdates: LateUpdates = new LateUpdates()
  /** The only series of a metric without labels. */
  protected single: C | undefined
  /** The family as it is now: reading it runs no callback. */
  readonly family: MetricFamily
  /**
   * The family for whoever copies its numbers and keeps none of its series: each is good until the next one is read. It
   * saves most of the time and all of the garbage (`multiprocess-flush` in benchmarks).
   * @internal
   */
  readonly passing: MetricFamily
  readonly #scraped: MetricFamily
  readonly #kind: MetricKind<C>
  readonly #maxSeries: number
  readonly #collect: CollectCallback | undefined
  readonly #hosts: Set<CollectorHost> = new Set()
  #warnedOfOverflow = false

  protected constructor(options: MetricOptions<L, never>, kind: MetricKind<C>) {
    this.#kind = kind
    this.type = kind.type
    const subject = this.constructor.name
    if (typeof options !== 'object' || options === null) {
      const rule = 'to be an object with `name` and `help`'
      throw new MetricError('ERR_NARTHEX_INVALID_ARGUMENT', { subject, argument: 'options', rule, value: options })
    }
    refuseUnknownOptions(subject, typeof options.name === 'string' ? options.name : undefined, options, [
      ...COMMON_OPTIONS,
      ...kind.options,
    ])
    this.name = this.#checkName(options.name, options.unit)
    this.givenName = options.name
    this.unit = options.unit === '' ? undefined : options.unit
    if (typeof options.help !== 'string')
      this.refuse('ERR_NARTHEX_INVALID_HELP', 'help', 'to be a string', options.help)
    this.help = options.help.toWellFormed()
    this.labelNames = checkLabelNames(options.labelNames, kind.type, subject, this.givenName) as readonly L[]
    this.#maxSeries = options.maxSeries ?? 10_000
    if (!(this.#maxSeries >= 1) || (this.#maxSeries !== Infinity && !Number.isInteger(this.#maxSeries))) {
      this.refuseOption('maxSeries', 'to be a positive integer or Infinity', options.maxSeries)
    }
    if (options.collect !== undefined && typeof options.collect !== 'function') {
      this.refuseOption('collect', 'to be a function', options.collect)
    }
    this.#collect = options.collect as CollectCallback | undefined
    const { registry } = options
    if (registry !== undefined && registry !== null && typeof registry.register !== 'function') {
      this.refuseOption('registry', 'to be a Registry or null', registry)
    }
    this.exemplars = new MetricExemplars(this.givenName, () => this.countLoss('exemplars_dropped'), this.lateUpdates)
    this.children = new Children({
      subject,
      metric: this.givenName,
      labelNames: this.labelNames,
      maxSeries: this.#maxSeries,
      create: kind.create,
      createOverflow: (labels) => this.#createOverflow(labels),
    })
    const { children } = this
    this.family = this.#familyOf(function* () {
      for (const child of children) yield child.snapshot()
    })
    this.#scraped = this.#familyOf(function* () {
      for (const child of children) if (child.refresh?.() !== false) yield child.snapshot()
    })
    this.passing = this.#familyOf(function* () {
      let series: Series | undefined
      for (const child of children) if (child.refresh?.() !== false) yield (series = child.snapshot(series))
    })
  }

  /** Called at the end of a subclass's constructor, when nothing can go wrong any more. */
  protected start(registry: Registrar | null | undefined): void {
    if (this.labelNames.length === 0) this.single = this.children.getPositional([])
    if (registry !== null) (registry ?? defaultRegistrar()).register(this)
  }

  /**
   * The child of a label set, made on first use and exposed from then on. The same set gives the same child: hold it
   * where speed matters. Throws `ERR_NARTHEX_INVALID_LABELS` for missing or unknown names.
   */
  labels(...labels: ChildArguments<L>): C
  labels(...labels: unknown[]): C {
    const [first] = labels
    if (labels.length === 1 && typeof first === 'object' && first !== null) return this.child(first as LabelValues)
    return this.children.getPositional(labels as LabelValue[])
  }

  /** Exposes a series at its start value, so that its first increase is seen as one. */
  init(...labels: ChildArguments<L>): void {
    this.labels(...labels)
  }

  /** Stops exposing a series; false where there was none. A held child is detached: it counts on, unseen. */
  remove(...labels: ChildArguments<L>): boolean {
    const [first] = labels
    const values = this.children.valuesFrom(
      labels.length === 1 && typeof first === 'object' ? first : (labels as LabelValue[]),
    )
    this.lateUpdates.drop()
    return this.single === undefined && this.children.remove(values)
  }

  /** Removes every series that has all of these labels, and says how many: `removeMatching({ tenant: 'gone' })`. */
  removeMatching(labels: Partial<LabelValues<L>>): number {
    const wanted = this.children.wantedFrom(labels as LabelValues)
    this.lateUpdates.drop()
    return this.single === undefined ? this.children.removeMatching(wanted) : 0
  }

  /** Sets every series to zero and renews its created time. Held children stay attached. */
  reset(): void {
    this.lateUpdates.settle()
    for (const child of this.children) child.zero()
  }

  /**
   * Whether each update looks for an exemplar.
   * @internal
   */
  get isSampled(): boolean {
    return this.exemplars.source !== undefined
  }

  /** What a scrape gets: runs the `collect` option, then gives a view of all series. */
  collect(): Collection {
    const pending = this.#collect?.(this)
    return typeof pending?.then === 'function' ? pending.then(() => [this.#scraped]) : [this.#scraped]
  }

  describe(): Iterable<FamilyDescription> {
    return [this.family]
  }

  registered(host: CollectorHost): void {
    this.#hosts.add(host)
    this.exemplarSourceChanged()
  }

  unregistered(host: CollectorHost): void {
    this.#hosts.delete(host)
    this.exemplarSourceChanged()
  }

  /** In several registries, the first one with a source of exemplars counts. */
  exemplarSourceChanged(): void {
    const hosts = [...this.#hosts]
    const source = hosts.find((host) => host.exemplarSource !== undefined)?.exemplarSource
    this.lateUpdates.drop()
    this.exemplars.source = source
    if (source !== undefined) for (const child of this.children) child.sample?.()
  }

  /** Whether another metric is defined in the same words, so that one can stand for the other. */
  isDefinedLike(other: unknown): boolean {
    return isMetric(other) && other.definition() === this.definition()
  }

  /** The child of a label set, or the only child where there are no labels. */
  protected child(labels: { readonly [name: string]: LabelValue } | undefined): C {
    if (labels !== undefined) return this.children.get(labels)
    return this.single ?? this.children.get({})
  }

  /**
   * Finds the child of a label set at each call, as it may have been removed meanwhile. Throws at once for labels that
   * are wrong, and exposes the series.
   */
  protected childFinder(labels: { readonly [name: string]: LabelValue } | undefined): () => C {
    const { single } = this
    if (single !== undefined && labels === undefined) return () => single
    const kept = { ...labels }
    this.child(kept)
    return () => this.child(kept)
  }

  /** Throws for labels that the metric does not have: a timer must not find that out when it ends. */
  protected checkSome(labels: { readonly [name: string]: LabelValue | undefined } | undefined): void {
    if (labels !== undefined) this.children.wantedFrom(labels as LabelValues)
  }

  /** Counts a loss in every registry that exposes the metric. */
  protected countLoss(loss: Loss): void {
    for (const host of this.#hosts) host.countLoss(loss, this.name)
  }

  protected refuse(code: MetricErrorCode, argument: string, rule: string, value: unknown): never {
    throw new MetricError(code, { subject: this.constructor.name, metric: this.givenName, argument, rule, value })
  }

  protected refuseOption(option: string, rule: string, value: unknown): never {
    return this.refuse('ERR_NARTHEX_INVALID_OPTION', option, rule, value)
  }

  #checkName(name: unknown, unit: unknown): string {
    const subject = this.constructor.name
    if (!isValidName(name)) {
      const rule = 'to be a non-empty, well-formed string'
      throw new MetricError('ERR_NARTHEX_INVALID_NAME', { subject, argument: 'name', rule, value: name })
    }
    let familyName: string = name
    if (this.type === 'counter') familyName = withoutSuffix(name, '_total')
    if (this.type === 'info') familyName = withoutSuffix(name, '_info')
    if (unit === undefined || unit === '') return familyName
    const refuseUnit = (rule: string): never => {
      throw new MetricError('ERR_NARTHEX_INVALID_UNIT', { subject, metric: name, argument: 'unit', rule, value: unit })
    }
    if (!isValidName(unit)) return refuseUnit('to be a well-formed string')
    if (this.type === 'info' || this.type === 'stateset')
      refuseUnit(`to be absent: a metric of type ${this.type} has none`)
    return familyName.endsWith(`_${unit}`) ? familyName : `${familyName}_${unit}`
  }

  #familyOf(series: () => Iterator<Series>): MetricFamily {
    const { lateUpdates } = this
    const family = {
      name: this.name,
      help: this.help,
      type: this.type,
      ...(this.unit !== undefined && { unit: this.unit }),
      ...(this.#kind.totalSuffix === false && { totalSuffix: false }),
      ...this.#kind.merging,
      series: {
        [Symbol.iterator]: () => {
          lateUpdates.settle()
          return series()
        },
      },
    }
    return Object.freeze(family) as MetricFamily
  }

  /** The overflow series counts the calls that reach it: only those are slower. */
  #createOverflow(labels: Labels): C {
    const child = this.#kind.create(labels)
    for (const method of this.#kind.updates) {
      const update = child[method] as (...values: unknown[]) => unknown
      Object.defineProperty(child, method, {
        value: (...values: unknown[]) => {
          update.apply(child, values)
          this.#countOverflow()
        },
      })
    }
    return child
  }

  #countOverflow(): void {
    this.countLoss('series_overflow')
    if (this.#warnedOfOverflow) return
    this.#warnedOfOverflow = true
    emitWarning(
      `${this.constructor.name} \`${this.name}\` has reached maxSeries (${this.#maxSeries}): further label sets share ` +
        `the series with labels \`__overflow__\`. Its labels are ${describeValue(this.labelNames)}; is one unbounded?`,
      'NARTHEX_SERIES_OVERFLOW',
    )
  }

  /** @internal */
  definition(): string {
    const { name, help, type, unit, labelNames } = this
    return JSON.stringify([name, help, type, unit ?? '', labelNames, this.#kind.totalSuffix, this.#kind.definition])
  }
}

function withoutSuffix(name: string, suffix: string): string {
  return name.endsWith(suffix) && name.length > suffix.length ? name.slice(0, -suffix.length) : name
}

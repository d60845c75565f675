import type { Bucket, Exemplar, Series } from '../family.ts'
import type { Labels } from '../labels.ts'
import type { DoubleReader, DoubleWriter } from './doubles.ts'
import { ExactSum } from './exact-sum.ts'
import { MergedNative } from './native-row.ts'
import { laterExemplar, type Layout, type LayoutTable, type MergedSeries, type RowSource, type RowText } from './row.ts'
import { addList, createdOf, earlier } from './value-row.ts'

/** Where a row has no classic buckets, or no native ones. */
export const NONE = -1

/**
 * Histograms with the same bounds add up bucket by bucket. With other bounds, as before and after a deployment, their
 * cumulative counts add up as the step functions that they are: at each bound the observations that are known to be at
 * or below it. So no bucket ever goes down, whoever is scraped, and the order of merging makes no difference.
 */
export class MergedHistogram implements MergedSeries {
  #created = Number.NaN
  #count = 0
  readonly #sum = new ExactSum()
  /** The layout of `#counts`, as long as there has been only one. */
  #layout: Layout | undefined = undefined
  #counts: number[] = []
  /** From bound to count, once there have been several layouts. */
  #steps: Map<number, number> | undefined = undefined
  /** The bounds of threads that run: the page has no others while there is one. */
  #liveBounds: Set<string> | undefined = undefined
  #exemplars: readonly Exemplar[] = []
  #native: MergedNative | undefined = undefined

  add(row: DoubleReader, text: RowText | undefined, source: RowSource): void {
    this.#created = earlier(this.#created, row.next())
    this.#count += row.next()
    addList(this.#sum, row)
    const index = row.next()
    if (index !== NONE) this.#addBuckets(layoutAt(source, index), row, source.isLive)
    if (row.next() !== NONE) {
      this.#native ??= new MergedNative()
      this.#native.add(row, text?.native)
    }
    if (text?.buckets !== undefined) this.#exemplars = [...this.#exemplars, ...text.buckets]
  }

  write(out: DoubleWriter, layouts: LayoutTable): RowText | undefined {
    out.push(this.#created)
    out.push(this.#count)
    out.pushList(this.#sum.addends())
    const steps = this.#countsByBound()
    const bounds = boundsOf(steps)
    if (this.#layout === undefined) {
      out.push(NONE)
    } else {
      out.push(layouts.indexOf(bounds.map(String)))
      for (const bound of [...bounds, Infinity]) out.push(steps.get(bound) ?? 0)
    }
    let native: readonly Exemplar[] | undefined
    if (this.#native === undefined) out.push(NONE)
    else {
      out.push(0)
      native = this.#native.write(out)
    }
    return exemplarsOf(this.#buckets(bounds), native)
  }

  toSeries(labels: Labels): Series {
    const native = this.#native?.toNative()
    return {
      labels,
      count: this.#count,
      sum: this.#sum.value,
      buckets: this.#layout === undefined ? [] : this.#buckets(this.#shownBounds()),
      ...(native && { native }),
      ...createdOf(this.#created),
    }
  }

  #addBuckets(layout: Layout, row: DoubleReader, isLive: boolean): void {
    const counts = this.#counts
    if (this.#layout === undefined) {
      this.#layout = layout
      for (let index = 0; index <= layout.length; index++) counts.push(row.next())
      if (isLive) this.#liveBounds = new Set(layout)
      return
    }
    if (this.#steps === undefined && layout === this.#layout) {
      for (let index = 0; index < counts.length; index++) counts[index] = (counts[index] as number) + row.next()
      if (isLive) this.#liveBounds ??= new Set(layout)
      return
    }
    const steps = (this.#steps ??= this.#countsByBound())
    for (let index = 0; index <= layout.length; index++) {
      const bound = index === layout.length ? Infinity : Number(layout[index])
      steps.set(bound, (steps.get(bound) ?? 0) + row.next())
    }
    if (isLive) this.#liveBounds = new Set([...(this.#liveBounds ?? []), ...layout])
  }

  #countsByBound(): Map<number, number> {
    if (this.#steps !== undefined) return this.#steps
    const layout = this.#layout ?? []
    return new Map(
      this.#counts.map((count, index) => [index === layout.length ? Infinity : Number(layout[index]), count]),
    )
  }

  #shownBounds(): number[] {
    if (this.#steps === undefined) return (this.#layout ?? []).map(Number)
    const live = this.#liveBounds
    const bounds = boundsOf(this.#steps)
    return live === undefined ? bounds : bounds.filter((bound) => live.has(String(bound)))
  }

  /** Cumulative, at the given bounds and +Inf. */
  #buckets(bounds: readonly number[]): Bucket[] {
    const buckets: Bucket[] = []
    if (this.#steps === undefined && this.#exemplars.length === 0) {
      let count = 0
      for (const [index, added] of this.#counts.entries()) {
        count += added
        buckets.push({ le: bounds[index] ?? Infinity, count })
      }
      return buckets
    }
    const steps = [...this.#countsByBound()].sort(([a], [b]) => a - b)
    let count = 0
    let at = 0
    let below = -Infinity
    for (const le of [...bounds, Infinity]) {
      for (; at < steps.length && (steps[at] as [number, number])[0] <= le; at++)
        count += (steps[at] as [number, number])[1]
      let exemplar: Exemplar | undefined
      for (const found of this.#exemplars) {
        if (found.value > below && found.value <= le) exemplar = laterExemplar(exemplar, found)
      }
      buckets.push({ le, count, ...(exemplar && { exemplar }) })
      below = le
    }
    return buckets
  }
}

function layoutAt({ layouts }: RowSource, index: number): Layout {
  const layout = layouts[index]
  if (layout === undefined) throw new RangeError(`there is no layout ${index}`)
  return layout
}

/** All but +Inf, which is implied. */
function boundsOf(steps: ReadonlyMap<number, number>): number[] {
  return [...steps.keys()].filter((bound) => bound !== Infinity).sort((a, b) => a - b)
}

/** The exemplars of classic and native buckets, where there are any. */
export function exemplarsOf(buckets: readonly Bucket[], native: readonly Exemplar[] | undefined): RowText | undefined {
  let exemplars: Exemplar[] | undefined
  for (const { exemplar } of buckets) {
    if (exemplar === undefined) continue
    exemplars ??= []
    exemplars.push(exemplar)
  }
  if (exemplars === undefined && native === undefined) return undefined
  return { ...(exemplars && { buckets: exemplars }), ...(native && { native }) }
}

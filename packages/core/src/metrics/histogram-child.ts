import { unixSeconds } from '../clock.ts'
import { MetricError } from '../errors.ts'
import type { Bucket, Exemplar, HistogramSeries } from '../family.ts'
import type { Labels } from '../labels.ts'
import { type ExemplarLabels, ExemplarSlots, type MetricExemplars } from './exemplar.ts'
import type { MetricChild } from './metric.ts'

/** What all series of a histogram share. */
export class HistogramLayout {
  readonly name: string
  readonly bounds: readonly number[]
  /** The least value that counts: below zero only where a bucket is. */
  readonly least: number
  readonly exemplars: MetricExemplars
  #block: CellBlock | undefined = undefined
  #next = 0

  constructor(name: string, bounds: readonly number[], least: number, exemplars: MetricExemplars) {
    this.name = name
    // Born as fractions, so that the engine keeps raw doubles, whole as they may be (`observe` in benchmarks).
    const doubles = Array.from(bounds, () => 0.5)
    for (const [index, bound] of bounds.entries()) doubles[index] = bound
    this.bounds = doubles
    this.least = least
    this.exemplars = exemplars
  }

  /**
   * A block with a row to spare, and that row's number. Blocks double up to 128 rows, so that a metric with one series has
   * no room for more; a block goes when the last series in it does.
   */
  claim(): [block: CellBlock, row: number] {
    if (this.#block === undefined || this.#next === this.#block.rows) {
      this.#block = new CellBlock(this, Math.min(128, (this.#block?.rows ?? 0.5) * 2))
      this.#next = 0
    }
    return [this.#block, this.#next++]
  }

  /** Throws for a value that does not count. */
  refuse(value: unknown): never {
    const { name: metric, least } = this
    const rule = least === 0 ? 'to be a number >= 0' : 'to be a number other than NaN'
    throw new MetricError('ERR_NARTHEX_INVALID_VALUE', { subject: 'Histogram', metric, argument: 'value', rule, value })
  }
}

/**
 * The numbers of several series side by side, in two thirds of the memory that an array for each would take (`memory` in
 * benchmarks). A count has 32 bits here; what goes beyond is carried.
 */
class CellBlock {
  readonly layout: HistogramLayout
  readonly rows: number
  /** As in the layout: one step nearer to an observation. */
  readonly bounds: readonly number[]
  readonly least: number
  /** A count for each bucket (not cumulative), +Inf included, row after row. */
  readonly counts: Uint32Array
  /** Sum and created time, row after row. */
  readonly values: Float64Array
  /** How often the count at an index has gone through 2 ** 32. */
  #carries: Map<number, number> | undefined = undefined

  constructor(layout: HistogramLayout, rows: number) {
    this.layout = layout
    this.rows = rows
    this.bounds = layout.bounds
    this.least = layout.least
    this.counts = new Uint32Array(rows * (layout.bounds.length + 1))
    this.values = new Float64Array(rows * 2)
  }

  countAt(index: number): number {
    const count = this.counts[index] as number
    return this.#carries === undefined ? count : count + (this.#carries.get(index) ?? 0) * 2 ** 32
  }

  carry(index: number): void {
    this.#carries ??= new Map()
    this.#carries.set(index, (this.#carries.get(index) ?? 0) + 1)
  }

  restart(row: number, created: number): void {
    const width = this.bounds.length + 1
    this.counts.fill(0, row * width, (row + 1) * width)
    this.values[row * 2] = 0
    this.values[row * 2 + 1] = created
    if (this.#carries === undefined) return
    for (let index = row * width; index < (row + 1) * width; index++) this.#carries.delete(index)
  }
}

type Writable<T> = { -readonly [key in keyof T]: T[key] }

/** One series of a {@link Histogram}: hold it where speed matters. */
export class HistogramChild implements MetricChild {
  readonly labels: Labels
  readonly #block: CellBlock
  readonly #row: number
  /** There once the series has had an exemplar, or may find one: without it `observe` costs a test of the field. */
  #slots: ExemplarSlots | undefined = undefined

  constructor(labels: Labels, layout: HistogramLayout) {
    this.labels = labels
    const [block, row] = layout.claim()
    this.#block = block
    this.#row = row
    block.values[row * 2 + 1] = unixSeconds()
    if (layout.exemplars.source !== undefined) this.sample()
  }

  /** See {@link Histogram.observe}. A scan over the bounds (the fastest way to 30 of them: `observe` in benchmarks) and two additions. */
  observe(value: number, exemplar?: ExemplarLabels): void {
    this.count(value, exemplar)
  }

  /** The work of {@link observe}, which a native histogram adds to. */
  protected count(value: number, exemplar: ExemplarLabels | undefined): void {
    const block = this.#block
    if (typeof value !== 'number' || !(value >= block.least)) block.layout.refuse(value)
    const { bounds, counts, values } = block
    const row = this.#row
    const { length } = bounds
    let index = 0
    while (index < length && value > (bounds[index] as number)) index++
    const cell = row * (length + 1) + index
    const count = (counts[cell] as number) + 1
    counts[cell] = count
    values[row * 2] += value
    if (count > 0xffffffff) block.carry(cell)
    if (exemplar !== undefined || this.#slots !== undefined) this.exemplify(value, index, exemplar)
  }

  zero(): void {
    this.restart(unixSeconds())
  }

  /** @internal It was put off since then, in seconds. */
  backdate(since: number): void {
    const { values } = this.#block
    const created = this.#row * 2 + 1
    values[created] = Math.min(values[created] as number, since)
  }

  sample(): void {
    this.#slots ??= new ExemplarSlots()
  }

  snapshot(used?: HistogramSeries): HistogramSeries {
    const block = this.#block
    const row = this.#row
    const { bounds, values } = block
    const exemplars = this.#slots?.exemplars
    const length = bounds.length
    const start = row * (length + 1)
    const buckets: Writable<Bucket>[] = used?.buckets.length === length + 1 ? (used.buckets as Bucket[]) : []
    let count = 0
    for (let index = 0; index <= length; index++) {
      count += block.countAt(start + index)
      const le = index === length ? Infinity : (bounds[index] as number)
      const bucket = buckets[index]
      if (bucket === undefined) {
        buckets.push({ le, count, exemplar: exemplars?.[index] })
      } else {
        bucket.le = le
        bucket.count = count
        bucket.exemplar = exemplars?.[index]
      }
    }
    return {
      labels: this.labels,
      count,
      sum: values[row * 2] as number,
      buckets,
      created: values[row * 2 + 1] as number,
    }
  }

  /** Sets all numbers to zero as of `created`, in seconds, and forgets the exemplars. */
  protected restart(created: number): void {
    this.#block.restart(this.#row, created)
    this.#slots?.clear()
  }

  /** Finds an exemplar for an observation in a bucket. */
  protected exemplify(value: number, bucket: number, given: ExemplarLabels | undefined): void {
    this.keep(value, bucket, given)
  }

  /** Finds an exemplar, keeps it in a slot and returns it. */
  protected keep(value: number, slot: number, given: ExemplarLabels | undefined): Exemplar | undefined {
    this.#slots ??= new ExemplarSlots()
    return this.#block.layout.exemplars.take(this.#slots, slot, value, given)
  }
}

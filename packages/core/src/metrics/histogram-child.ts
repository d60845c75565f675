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
  /** A zeroed series: a count for each bucket (not cumulative), +Inf included, then sum and created time. */
  readonly cells: readonly number[]
  readonly exemplars: MetricExemplars

  constructor(name: string, bounds: readonly number[], least: number, exemplars: MetricExemplars) {
    this.name = name
    this.bounds = bounds
    this.least = least
    // Born as fractions, so that the engine keeps raw doubles in every copy (`memory` in benchmarks).
    const cells = Array.from({ length: bounds.length + 3 }, () => 0.5)
    this.cells = cells.fill(0)
    this.exemplars = exemplars
  }

  /** Throws for a value that does not count. */
  refuse(value: unknown): never {
    const { name: metric, least } = this
    const rule = least === 0 ? 'to be a number >= 0' : 'to be a number other than NaN'
    throw new MetricError('ERR_NARTHEX_INVALID_VALUE', { subject: 'Histogram', metric, argument: 'value', rule, value })
  }
}

/** One series of a {@link Histogram}: hold it where speed matters. */
export class HistogramChild implements MetricChild {
  readonly labels: Labels
  readonly #layout: HistogramLayout
  #cells: number[]
  /** There once the series has had an exemplar, or may find one: without it `observe` costs a test of the field. */
  #slots: ExemplarSlots | undefined = undefined

  constructor(labels: Labels, layout: HistogramLayout) {
    this.labels = labels
    this.#layout = layout
    this.#cells = layout.cells.slice()
    this.#cells[layout.bounds.length + 2] = unixSeconds()
    if (layout.exemplars.source !== undefined) this.sample()
  }

  /** See {@link Histogram.observe}. A scan over the bounds (the fastest way to 30 of them: `observe` in benchmarks) and two additions. */
  observe(value: number, exemplar?: ExemplarLabels): void {
    this.count(value, exemplar)
  }

  /** The work of {@link observe}, which a native histogram adds to. */
  protected count(value: number, exemplar: ExemplarLabels | undefined): void {
    const layout = this.#layout
    if (typeof value !== 'number' || !(value >= layout.least)) layout.refuse(value)
    const { bounds } = layout
    const cells = this.#cells
    const length = bounds.length
    let index = 0
    while (index < length && value > (bounds[index] as number)) index++
    cells[index] += 1
    cells[length + 1] += value
    if (exemplar !== undefined || this.#slots !== undefined) this.exemplify(value, index, exemplar)
  }

  zero(): void {
    this.restart(unixSeconds())
  }

  sample(): void {
    this.#slots ??= new ExemplarSlots()
  }

  snapshot(): HistogramSeries {
    const { bounds } = this.#layout
    const cells = this.#cells
    const exemplars = this.#slots?.exemplars
    const length = bounds.length
    const buckets: Bucket[] = []
    let count = 0
    for (let index = 0; index <= length; index++) {
      count += cells[index] as number
      const le = index === length ? Infinity : (bounds[index] as number)
      buckets.push({ le, count, exemplar: exemplars?.[index] })
    }
    return {
      labels: this.labels,
      count,
      sum: cells[length + 1] as number,
      buckets,
      created: cells[length + 2] as number,
    }
  }

  /** Sets all numbers to zero as of `created`, in seconds, and forgets the exemplars. */
  protected restart(created: number): void {
    const { bounds, cells } = this.#layout
    this.#cells = cells.slice()
    this.#cells[bounds.length + 2] = created
    this.#slots?.clear()
  }

  /** Finds an exemplar for an observation in a bucket. */
  protected exemplify(value: number, bucket: number, given: ExemplarLabels | undefined): void {
    this.keep(value, bucket, given)
  }

  /** Finds an exemplar, keeps it in a slot and returns it. */
  protected keep(value: number, slot: number, given: ExemplarLabels | undefined): Exemplar | undefined {
    this.#slots ??= new ExemplarSlots()
    return this.#layout.exemplars.take(this.#slots, slot, value, given)
  }
}

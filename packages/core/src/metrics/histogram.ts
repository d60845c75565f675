import { unixSeconds } from '../clock.ts'
import { MetricError } from '../errors.ts'
import type { Bucket, Exemplar, HistogramSeries } from '../family.ts'
import type { Labels, LabelValues } from '../labels.ts'
import { startTimer, type Timer } from '../timer.ts'
import { checkBuckets, DEFAULT_BUCKETS } from './buckets.ts'
import { type ExemplarLabels, exemplarFrom } from './exemplar.ts'
import { type LabelArgument, Metric, type MetricChild, type MetricOptions, type WithLabels } from './metric.ts'
import { type AnyFunction, type MethodDecorator, splitLabelsAndFunction, wrapOrDecorate } from './wrap.ts'

export interface HistogramOptions<L extends string = never> extends MetricOptions<L, Histogram<L>> {
  /**
   * Upper bounds, included, in increasing order; +Inf is implied.
   * @default [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
   */
  readonly buckets?: readonly number[]
}

/** How often something took how long, or was how big: cumulative buckets, a sum and a count. */
export class Histogram<L extends string = never> extends Metric<L, HistogramChild> {
  constructor(options: HistogramOptions<L>) {
    const bounds: number[] = []
    super(options, {
      type: 'histogram',
      options: ['buckets'],
      create: (labels) => new HistogramChild(labels, layout),
      updates: ['observe'],
      definition: bounds,
    })
    bounds.push(...checkBuckets(options.buckets ?? DEFAULT_BUCKETS, this.name))
    const layout = new HistogramLayout(this.name, bounds, () => this.countLoss('exemplars_dropped'))
    this.start(options.registry)
  }

  /**
   * Counts `value` in the series of `labels`. Throws `ERR_NARTHEX_INVALID_VALUE` for NaN, for a negative value unless a
   * bucket is negative, and for what is no number; changes nothing then. ±Infinity counts.
   */
  observe(...args: WithLabels<L, [value: number, exemplar?: ExemplarLabels]>): void
  observe(first: LabelValues | number, second?: number | ExemplarLabels, third?: ExemplarLabels): void {
    if (typeof first === 'object' && first !== null) this.children.get(first).observe(second as number, third)
    else this.child(undefined).observe(first, second as ExemplarLabels)
  }

  /** Starts a timer that observes its seconds when it is called. */
  startTimer(labels?: Partial<LabelArgument<L>>): Timer<Partial<LabelArgument<L>>> {
    return startTimer((seconds, late, exemplar) => {
      this.child(labels === undefined && late === undefined ? undefined : { ...labels, ...late }).observe(seconds, exemplar)
    })
  }

  /** Observes the seconds of each call, failed ones too: a method decorator, or with a function a wrapper of it. */
  time(labels?: LabelArgument<L>): MethodDecorator
  time<F extends AnyFunction>(fn: F): F
  time<F extends AnyFunction>(labels: LabelArgument<L>, fn: F): F
  time(...args: unknown[]): unknown {
    const [labels, fn] = splitLabelsAndFunction<LabelValues>(args)
    const child = this.child(labels)
    return wrapOrDecorate(fn, () => {
      const end = startTimer((seconds) => child.observe(seconds))
      return () => void end()
    })
  }
}

/** What all series of a histogram share. */
class HistogramLayout {
  readonly name: string
  readonly bounds: readonly number[]
  /** The least value that counts: below zero only where a bucket is. */
  readonly least: number
  /** A zeroed series: a count for each bucket (not cumulative), +Inf included, then sum and created time. */
  readonly cells: readonly number[]
  readonly exemplarDropped: () => void

  constructor(name: string, bounds: readonly number[], exemplarDropped: () => void) {
    this.name = name
    this.bounds = bounds
    this.least = (bounds[0] ?? 0) < 0 ? -Infinity : 0
    // Born as fractions, so that the engine keeps raw doubles in every copy (`memory` in benchmarks).
    const cells = Array.from({ length: bounds.length + 3 }, () => 0.5)
    this.cells = cells.fill(0)
    this.exemplarDropped = exemplarDropped
  }
}

/** One series of a {@link Histogram}: hold it where speed matters. */
export class HistogramChild implements MetricChild {
  readonly labels: Labels
  readonly #layout: HistogramLayout
  #cells: number[]
  #exemplars: (Exemplar | undefined)[] | undefined = undefined

  constructor(labels: Labels, layout: HistogramLayout) {
    this.labels = labels
    this.#layout = layout
    this.#cells = layout.cells.slice()
    this.#cells[layout.bounds.length + 2] = unixSeconds()
  }

  /** See {@link Histogram.observe}. A scan over the bounds (the fastest way to 30 of them: `observe` in benchmarks) and two additions. */
  observe(value: number, exemplar?: ExemplarLabels): void {
    const layout = this.#layout
    if (typeof value !== 'number' || !(value >= layout.least)) this.#refuse(value)
    const { bounds } = layout
    const cells = this.#cells
    const length = bounds.length
    let index = 0
    while (index < length && value > (bounds[index] as number)) index++
    cells[index] += 1
    cells[length + 1] += value
    if (exemplar !== undefined) this.#keep(exemplar, value, index)
  }

  zero(): void {
    const { bounds, cells } = this.#layout
    this.#cells = cells.slice()
    this.#cells[bounds.length + 2] = unixSeconds()
    this.#exemplars = undefined
  }

  snapshot(): HistogramSeries {
    const { bounds } = this.#layout
    const cells = this.#cells
    const exemplars = this.#exemplars
    const length = bounds.length
    const buckets: Bucket[] = []
    let count = 0
    for (let index = 0; index <= length; index++) {
      count += cells[index] as number
      const le = index === length ? Infinity : (bounds[index] as number)
      buckets.push({ le, count, exemplar: exemplars?.[index] })
    }
    return { labels: this.labels, count, sum: cells[length + 1] as number, buckets, created: cells[length + 2] as number }
  }

  #keep(labels: ExemplarLabels, value: number, bucket: number): void {
    const exemplar = exemplarFrom(labels, value)
    if (exemplar === undefined) return this.#layout.exemplarDropped()
    this.#exemplars ??= Array.from({ length: this.#layout.bounds.length + 1 })
    this.#exemplars[bucket] = exemplar
  }

  #refuse(value: unknown): never {
    const { name, least } = this.#layout
    const rule = least === 0 ? 'to be a number >= 0' : 'to be a number other than NaN'
    throw new MetricError('ERR_NARTHEX_INVALID_VALUE', { subject: 'Histogram', metric: name, argument: 'value', rule, value })
  }
}

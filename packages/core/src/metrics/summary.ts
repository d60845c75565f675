import { unixSeconds } from '../clock.ts'
import { MetricError } from '../errors.ts'
import type { SummarySeries } from '../family.ts'
import type { Labels, LabelValues } from '../labels.ts'
import { startTimer, type Timer } from '../timer.ts'
import { aside } from './aside.ts'
import { type LabelArgument, Metric, type MetricChild, type MetricOptions, type WithLabels } from './metric.ts'
import { entriesOf, quantilesOf } from './quantiles.ts'
import { SlidingWindow } from './sliding-window.ts'
import { type AnyFunction, type MethodDecorator, splitLabelsAndFunction, wrapOrDecorate } from './wrap.ts'

export interface SummaryOptions<L extends string = never> extends MetricOptions<L, Summary<L>> {
  /**
   * Quantiles to expose, 0 to 1. They cannot be added up over instances: prefer a {@link Histogram} where there is more than one.
   * @default []
   */
  readonly quantiles?: readonly number[]
  /**
   * How far back quantiles look, in seconds; `Infinity` for ever.
   * @default 600
   */
  readonly maxAgeSeconds?: number
  /**
   * In how many steps the window moves.
   * @default 5
   */
  readonly ageBuckets?: number
}

/** Sum and count of observations, and on request their quantiles over a sliding window. */
export class Summary<L extends string = never> extends Metric<L, SummaryChild> {
  constructor(options: SummaryOptions<L>) {
    const definition: Partial<SummaryLayout> & { quantiles: number[] } = { quantiles: [] }
    super(options, {
      type: 'summary',
      options: ['quantiles', 'maxAgeSeconds', 'ageBuckets'],
      create: (labels) => new SummaryChild(labels, layout),
      updates: ['observe'],
      definition,
    })
    const { maxAgeSeconds = 600, ageBuckets = 5 } = options
    definition.quantiles.push(...this.#checkQuantiles(options.quantiles ?? []))
    if (typeof maxAgeSeconds !== 'number' || !(maxAgeSeconds > 0)) {
      this.refuseOption('maxAgeSeconds', 'to be a number > 0', maxAgeSeconds)
    }
    if (!Number.isInteger(ageBuckets) || ageBuckets < 1)
      this.refuseOption('ageBuckets', 'to be an integer >= 1', ageBuckets)
    const layout: SummaryLayout = Object.assign(definition, { name: this.name, maxAgeSeconds, ageBuckets })
    this.start(options.registry)
  }

  /** Adds an observation to the series of `labels`. Throws `ERR_NARTHEX_INVALID_VALUE` for NaN, negatives and non-numbers. */
  observe(...args: WithLabels<L, [value: number]>): void
  observe(first: LabelValues | number, second?: number): void {
    if (typeof first === 'object' && first !== null) {
      // Before the look-up, which makes a series where there is none.
      if (!isObservation(second)) refuseObservation(second, this.name)
      this.children.get(first).observe(second)
    } else this.child(undefined).observe(first)
  }

  /** Starts a timer that observes its seconds when it is called. */
  startTimer(labels?: Partial<LabelArgument<L>>): Timer<Partial<LabelArgument<L>>> {
    this.checkSome(labels)
    return startTimer((seconds, late) => {
      this.child(labels === undefined && late === undefined ? undefined : { ...labels, ...late }).observe(seconds)
    })
  }

  /** Observes the seconds of each call, failed ones too: a method decorator, or with a function a wrapper of it. */
  time(labels?: LabelArgument<L>): MethodDecorator
  time<F extends AnyFunction>(fn: F): F
  time<F extends AnyFunction>(labels: LabelArgument<L>, fn: F): F
  time(...args: unknown[]): unknown {
    const [labels, fn] = splitLabelsAndFunction<LabelValues>(args)
    const find = this.childFinder(labels)
    return wrapOrDecorate(fn, () => {
      const end = startTimer((seconds) => find().observe(seconds))
      return () => void end()
    })
  }

  #checkQuantiles(quantiles: unknown): number[] {
    const refuse = (rule: string): never => this.refuse('ERR_NARTHEX_INVALID_QUANTILES', 'quantiles', rule, quantiles)
    if (!Array.isArray(quantiles)) return refuse('to be an array of numbers')
    for (const quantile of quantiles) {
      if (typeof quantile !== 'number' || !(quantile >= 0 && quantile <= 1)) refuse('to hold numbers from 0 to 1')
    }
    if (new Set(quantiles).size !== quantiles.length) refuse('to hold each quantile once')
    return [...(quantiles as number[])].sort((a, b) => a - b)
  }
}

/** What all series of a summary share. */
interface SummaryLayout {
  readonly name: string
  readonly quantiles: readonly number[]
  readonly maxAgeSeconds: number
  readonly ageBuckets: number
}

/** One series of a {@link Summary}: hold it where speed matters. */
export class SummaryChild implements MetricChild {
  readonly labels: Labels
  readonly #layout: SummaryLayout
  #count = 0
  #sum = 0
  #created = unixSeconds()
  #window: SlidingWindow | undefined

  constructor(labels: Labels, layout: SummaryLayout) {
    this.labels = labels
    this.#layout = layout
    this.#window = newWindow(layout)
  }

  /** See {@link Summary.observe}. Two additions; with quantiles also a clock read and a logarithm. */
  observe(value: number): void {
    if (!isObservation(value)) refuseObservation(value, this.#layout.name)
    this.#count += 1
    this.#sum += value
    if (this.#window !== undefined) this.#window.observe(value)
  }

  zero(): void {
    this.#count = 0
    this.#sum = 0
    this.#created = unixSeconds()
    this.#window = newWindow(this.#layout)
  }

  snapshot(): SummarySeries {
    const window = this.#window
    const series = { labels: this.labels, count: this.#count, sum: this.#sum, created: this.#created }
    if (window === undefined) return { ...series, quantiles: [] }
    const { quantiles } = this.#layout
    const sketches = [...window.sketches()]
    const withQuantiles: SummarySeries = {
      ...series,
      // Sorted where a page asks for them; processes that add up their digests do without.
      get quantiles() {
        const values = quantilesOf(sketches, quantiles)
        return values.map((value, index) => ({ quantile: quantiles[index] as number, value }))
      },
    }
    return aside(withQuantiles, { digest: { [Symbol.iterator]: () => entriesOf(sketches) } })
  }
}

function isObservation(value: unknown): value is number {
  return typeof value === 'number' && value >= 0
}

function refuseObservation(value: unknown, metric: string): never {
  const rule = 'to be a number >= 0'
  throw new MetricError('ERR_NARTHEX_INVALID_VALUE', { subject: 'Summary', metric, argument: 'value', rule, value })
}

function newWindow({ quantiles, maxAgeSeconds, ageBuckets }: SummaryLayout): SlidingWindow | undefined {
  return quantiles.length === 0 ? undefined : new SlidingWindow(maxAgeSeconds, ageBuckets)
}

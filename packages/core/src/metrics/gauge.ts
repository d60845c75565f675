import { unixSeconds } from '../clock.ts'
import { MetricError } from '../errors.ts'
import { type Aggregation, AGGREGATIONS, type ValueSeries } from '../family.ts'
import type { Labels, LabelValues } from '../labels.ts'
import { startTimer, type Timer } from '../timer.ts'
import { aside } from './aside.ts'
import type { LateUpdates } from './late-updates.ts'
import { type LabelArgument, Metric, type MetricChild, type MetricOptions, type WithLabels } from './metric.ts'
import { type AnyFunction, type MethodDecorator, splitLabelsAndFunction, wrapOrDecorate } from './wrap.ts'

export interface GaugeOptions<L extends string = never> extends MetricOptions<L, Gauge<L>> {
  /**
   * How the gauges of several processes make one number (`@narthex/core/multiprocess`).
   * @default 'sum'
   */
  readonly aggregation?: Aggregation
  /**
   * `false` counts processes that have ended, too, with what they set last.
   * @default true
   */
  readonly live?: boolean
}

/** A number that goes up and down: requests in flight, a temperature, a queue's length. */
export class Gauge<L extends string = never> extends Metric<L, GaugeChild> {
  constructor(options: GaugeOptions<L>) {
    const { aggregation = 'sum', live = true } = options ?? {}
    const merging = { ...(aggregation !== 'sum' && { aggregation }), ...(!live && { live: false as const }) }
    super(options, {
      type: 'gauge',
      options: ['aggregation', 'live'],
      create: (labels) => new GaugeChild(labels, this, aggregation === 'mostrecent'),
      // `setToCurrentTime` calls `set`: one update.
      updates: ['set', 'inc', 'dec', 'setFunction'],
      definition: [aggregation, live],
      merging,
    })
    if (!AGGREGATIONS.includes(aggregation)) {
      this.refuseOption('aggregation', `to be one of ${AGGREGATIONS.join(', ')}`, aggregation)
    }
    if (typeof live !== 'boolean') this.refuseOption('live', 'to be a boolean', live)
    if (aggregation === 'each' && (this.labelNames as readonly string[]).includes('pid')) {
      this.refuseOption('labelNames', 'to leave `pid` to the aggregation `each`', this.labelNames)
    }
    this.start(options.registry)
  }

  /** Sets the series to `value`: any number, NaN and ±Infinity included. Anything else throws. */
  set(...args: WithLabels<L, [value: number]>): void
  set(first: LabelValues | number, second?: number): void {
    if (typeof first === 'object' && first !== null) {
      if (typeof second !== 'number') refuseValue(second, this.name)
      this.children.get(first).set(second)
    } else this.child(undefined).set(first)
  }

  /** Adds `value`, by default 1. */
  inc(...args: WithLabels<L, [value?: number]>): void
  inc(first?: LabelValues | number, second?: number): void {
    if (typeof first === 'object' && first !== null) {
      if (second !== undefined && typeof second !== 'number') refuseValue(second, this.name)
      this.children.get(first).inc(second)
    } else this.child(undefined).inc(first)
  }

  /** Takes `value` away, by default 1. */
  dec(...args: WithLabels<L, [value?: number]>): void
  dec(first?: LabelValues | number, second?: number): void {
    if (typeof first === 'object' && first !== null) {
      if (second !== undefined && typeof second !== 'number') refuseValue(second, this.name)
      this.children.get(first).dec(second)
    } else this.child(undefined).dec(first)
  }

  /** Sets the series to the time of day, in seconds since the epoch: `job_last_success_unixtime`. */
  setToCurrentTime(...args: WithLabels<L, []>): void
  setToCurrentTime(labels?: LabelValues): void {
    this.child(labels).setToCurrentTime()
  }

  /**
   * Lets a function tell the value whenever it is read; `set`, `inc` and `dec` end that. A function that throws or
   * gives no number costs its series' line on that page and is counted in `narthex_collector_errors_total`.
   */
  setFunction(...args: WithLabels<L, [value: () => number]>): void
  setFunction(first: LabelValues | (() => number), second?: () => number): void {
    if (typeof first === 'object' && first !== null) {
      if (typeof second !== 'function') refuseValue(second, this.name, FUNCTION_RULE)
      this.children.get(first).setFunction(second)
    } else this.child(undefined).setFunction(first)
  }

  /** Starts a timer that sets the series to its seconds when it is called. */
  startTimer(labels?: Partial<LabelArgument<L>>): Timer<Partial<LabelArgument<L>>> {
    this.checkSome(labels)
    return startTimer((seconds, late) => {
      this.child(labels === undefined && late === undefined ? undefined : { ...labels, ...late }).set(seconds)
    })
  }

  /** Sets the series to the seconds that a call took: a method decorator, or with a function a wrapper of it. */
  time(labels?: LabelArgument<L>): MethodDecorator
  time<F extends AnyFunction>(fn: F): F
  time<F extends AnyFunction>(labels: LabelArgument<L>, fn: F): F
  time(...args: unknown[]): unknown {
    const [labels, fn] = splitLabelsAndFunction<LabelValues>(args)
    const find = this.childFinder(labels)
    return wrapOrDecorate(fn, () => {
      const end = startTimer((seconds) => find().set(seconds))
      return () => void end()
    })
  }

  /** One up while a call runs: a method decorator, or with a function a wrapper of it. */
  trackInProgress(labels?: LabelArgument<L>): MethodDecorator
  trackInProgress<F extends AnyFunction>(fn: F): F
  trackInProgress<F extends AnyFunction>(labels: LabelArgument<L>, fn: F): F
  trackInProgress(...args: unknown[]): unknown {
    const [labels, fn] = splitLabelsAndFunction<LabelValues>(args)
    const find = this.childFinder(labels)
    const track = (): (() => void) => {
      const child = find()
      child.inc()
      return () => child.dec()
    }
    return wrapOrDecorate(fn, Object.assign(track, { holds: true as const }))
  }

  /** @internal */
  functionFailed(): void {
    this.countLoss('collector_errors')
  }
}

/** What a series asks of its gauge. */
interface GaugeOfSeries {
  readonly name: string
  readonly lateUpdates: LateUpdates
  functionFailed(): void
}

/** One series of a {@link Gauge}: hold it where speed matters. */
export class GaugeChild implements MetricChild {
  readonly labels: Labels
  #value = 0
  #function: (() => number) | undefined = undefined
  /** Seconds since the epoch, where it matters which of several processes was the last to set it. */
  #updated: number | undefined
  readonly #metric: GaugeOfSeries

  constructor(labels: Labels, metric: GaugeOfSeries, stamped: boolean = false) {
    this.labels = labels
    this.#updated = stamped ? 0 : undefined
    this.#metric = metric
  }

  /** See {@link Gauge.set}. */
  set(value: number): void {
    if (typeof value !== 'number') refuseValue(value, this.#metric.name)
    this.#value = value
    this.#function = undefined
    if (this.#updated !== undefined) this.#updated = unixSeconds()
  }

  /** See {@link Gauge.inc}. */
  inc(value: number = 1): void {
    if (typeof value !== 'number') refuseValue(value, this.#metric.name)
    this.#value += value
    this.#function = undefined
    if (this.#updated !== undefined) this.#updated = unixSeconds()
  }

  /** See {@link Gauge.dec}. */
  dec(value: number = 1): void {
    if (typeof value !== 'number') refuseValue(value, this.#metric.name)
    this.#value -= value
    this.#function = undefined
    if (this.#updated !== undefined) this.#updated = unixSeconds()
  }

  /** See {@link Gauge.setToCurrentTime}. */
  setToCurrentTime(): void {
    this.set(unixSeconds())
  }

  /** See {@link Gauge.setFunction}. */
  setFunction(value: () => number): void {
    if (typeof value !== 'function') refuseValue(value, this.#metric.name, FUNCTION_RULE)
    this.#function = value
  }

  /** The number as last set; a function is not run. */
  get value(): number {
    this.#metric.lateUpdates.settle()
    return this.#value
  }

  zero(): void {
    this.#value = 0
  }

  /** `undefined` where the series' function failed. */
  snapshot(): ValueSeries {
    const series: ValueSeries = { labels: this.labels, value: this.#value }
    return this.#updated === undefined ? series : aside(series, { updated: this.#updated })
  }

  /** Runs the series' function, if it has one: false where it failed. */
  refresh(): boolean {
    if (this.#function === undefined) return true
    try {
      const value = this.#function()
      if (typeof value === 'number') {
        this.#value = value
        if (this.#updated !== undefined) this.#updated = unixSeconds()
        return true
      }
    } catch {
      // Counted below: the page goes on without the line.
    }
    this.#metric.functionFailed()
    return false
  }
}

const FUNCTION_RULE = 'to be a function that returns a number'

/** Metrics check before they look a series up, which makes it where there is none. */
function refuseValue(value: unknown, metric: string, rule = 'to be a number'): never {
  throw new MetricError('ERR_NARTHEX_INVALID_VALUE', { subject: 'Gauge', metric, argument: 'value', rule, value })
}

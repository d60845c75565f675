import { unixSeconds } from '../clock.ts'
import { MetricError } from '../errors.ts'
import type { ValueSeries } from '../family.ts'
import type { Labels, LabelValues } from '../labels.ts'
import { type ExemplarLabels, ExemplarSlots, type MetricExemplars } from './exemplar.ts'
import { type LabelArgument, Metric, type MetricChild, type MetricOptions, type WithLabels } from './metric.ts'
import { type AnyFunction, type MethodDecorator, splitLabelsAndFunction, wrapOrDecorate } from './wrap.ts'

export interface CounterOptions<L extends string = never> extends MetricOptions<L, Counter<L>> {
  /**
   * `false` exposes the bare name in text formats, for dashboards that know it. OpenMetrics writes `_total` all the same.
   * @default true
   */
  readonly totalSuffix?: boolean
}

/** A class of errors: `TypeError`, or one of your own. */
export type ErrorClass = abstract new (...args: never[]) => Error

/**
 * A number that only goes up: requests served, bytes sent, errors. `my_failures` and `my_failures_total` are the same
 * counter, exposed as `my_failures_total` (OpenMetrics 1.0, "Counter").
 */
export class Counter<L extends string = never> extends Metric<L, CounterChild> {
  constructor(options: CounterOptions<L>) {
    const bare =
      options?.totalSuffix === false && !(typeof options.name === 'string' && options.name.endsWith('_total'))
    super(options, {
      type: 'counter',
      options: ['totalSuffix'],
      create: (labels) => new CounterChild(labels, this.exemplars),
      updates: ['inc'],
      ...(bare && { totalSuffix: false }),
    })
    if (options.totalSuffix !== undefined && typeof options.totalSuffix !== 'boolean') {
      this.refuseOption('totalSuffix', 'to be a boolean', options.totalSuffix)
    }
    this.start(options.registry)
  }

  /**
   * Adds `value` (by default 1) to the series of `labels`. Throws `ERR_NARTHEX_INVALID_VALUE` for a negative, NaN,
   * infinite or non-number value, and changes nothing then. Costs a map look-up a label; `labels(...).inc()` on a held
   * child costs none.
   */
  inc(...args: WithLabels<L, [value?: number, exemplar?: ExemplarLabels]>): void
  inc(first?: LabelValues | number, second?: number | ExemplarLabels, third?: ExemplarLabels): void {
    if (typeof first === 'object' && first !== null) {
      // Before the look-up, which makes a series where there is none.
      if (second !== undefined && !isIncrement(second)) refuseIncrement(second, this.givenName)
      this.children.get(first).inc(second as number, third)
    } else this.child(undefined).inc(first as number, second as ExemplarLabels)
  }

  /** Counts calls, failed ones too: a method decorator, or with a function a wrapper of it. */
  count(labels?: LabelArgument<L>): MethodDecorator
  count<F extends AnyFunction>(fn: F): F
  count<F extends AnyFunction>(labels: LabelArgument<L>, fn: F): F
  count(...args: unknown[]): unknown {
    const [labels, fn] = splitLabelsAndFunction<LabelValues>(args)
    const find = this.childFinder(labels)
    return wrapOrDecorate(fn, () => () => find().inc())
  }

  /**
   * Counts calls that throw or reject: a method decorator, or with a function a wrapper of it. With a class of errors
   * only those count. The error goes on. Arguments may come in this order with any of them left out.
   */
  countExceptions(errors?: ErrorClass): MethodDecorator
  countExceptions(labels: LabelArgument<L>, errors?: ErrorClass): MethodDecorator
  countExceptions<F extends AnyFunction>(labels: LabelArgument<L>, errors: ErrorClass, fn: F): F
  countExceptions<F extends AnyFunction>(errorsOrLabels: ErrorClass | LabelArgument<L>, fn: F): F
  countExceptions<F extends AnyFunction>(fn: F): F
  countExceptions(...args: unknown[]): unknown {
    const errors = args.find(isErrorClass) ?? Error
    const filters = args.some(isErrorClass)
    const [labels, fn] = splitLabelsAndFunction<LabelValues>(args.filter((argument) => !isErrorClass(argument)))
    const find = this.childFinder(labels)
    return wrapOrDecorate(fn, () => ({ failed, error }) => {
      if (failed && (!filters || error instanceof errors)) find().inc()
    })
  }
}

function isIncrement(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < Infinity
}

function refuseIncrement(value: unknown, metric: string): never {
  const rule = 'to be a finite number >= 0'
  throw new MetricError('ERR_NARTHEX_INVALID_VALUE', { subject: 'Counter', metric, argument: 'value', rule, value })
}

function isErrorClass(value: unknown): value is ErrorClass {
  return typeof value === 'function' && (value === Error || value.prototype instanceof Error)
}

/** Far below what engines keep without a box, and often enough that carrying costs nothing. */
const MOST_STEPS = 2 ** 16 - 1

/** One series of a {@link Counter}: hold it where speed matters. */
export class CounterChild implements MetricChild {
  readonly labels: Labels
  /** What was added beside single steps. */
  #value = 0
  /**
   * Single steps not yet carried over, below 2 ** 16: adding to a small integer costs a third of adding to a double, and
   * one counter that is given fractions would make doubles of the others' as well (`inc` in benchmarks).
   */
  #steps = 0
  #created = unixSeconds()
  /** There once the series has had an exemplar, or may find one: without it `inc` costs a test of the field. */
  #slots: ExemplarSlots | undefined = undefined
  readonly #exemplars: MetricExemplars

  constructor(labels: Labels, exemplars: MetricExemplars) {
    this.labels = labels
    this.#exemplars = exemplars
    if (exemplars.source !== undefined) this.sample()
  }

  /** See {@link Counter.inc}. One comparison and one addition. */
  inc(value?: number, exemplar?: ExemplarLabels): void {
    if (value === undefined) {
      if (this.#steps === MOST_STEPS) this.#carry()
      this.#steps += 1
    } else {
      if (!isIncrement(value)) refuseIncrement(value, this.#exemplars.metric)
      this.#value += value
    }
    if (exemplar !== undefined || this.#slots !== undefined) this.#exemplify(value ?? 1, exemplar)
  }

  get value(): number {
    this.#exemplars.lateUpdates.settle()
    return this.#value + this.#steps
  }

  zero(): void {
    this.#value = 0
    this.#steps = 0
    this.#created = unixSeconds()
    this.#slots?.clear()
  }

  /** @internal It was put off since then, in seconds. */
  backdate(since: number): void {
    this.#created = Math.min(this.#created, since)
  }

  sample(): void {
    this.#slots ??= new ExemplarSlots()
  }

  snapshot(): ValueSeries {
    const value = this.#value + this.#steps
    return { labels: this.labels, value, exemplar: this.#slots?.exemplars[0], created: this.#created }
  }

  #carry(): void {
    this.#value += this.#steps
    this.#steps = 0
  }

  #exemplify(value: number, given: ExemplarLabels | undefined): void {
    this.#slots ??= new ExemplarSlots()
    this.#exemplars.take(this.#slots, 0, value, given)
  }
}

import type { Labels, LabelValues } from '../labels.ts'
import { startTimer, type Timer } from '../timer.ts'
import { checkBuckets, DEFAULT_BUCKETS } from './buckets.ts'
import type { ExemplarLabels } from './exemplar.ts'
import { HistogramChild, HistogramLayout } from './histogram-child.ts'
import { type LabelArgument, Metric, type MetricOptions, type WithLabels } from './metric.ts'
import { checkNative, type NativeHistogramOptions } from './native-histogram.ts'
import { NativeHistogramChild } from './native-histogram-child.ts'
import { type AnyFunction, type MethodDecorator, splitLabelsAndFunction, wrapOrDecorate } from './wrap.ts'

export interface HistogramOptions<L extends string = never> extends MetricOptions<L, Histogram<L>> {
  /**
   * Upper bounds, included, in increasing order; +Inf is implied.
   * @default [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10], and none beside `native`
   */
  readonly buckets?: readonly number[]
  /**
   * Sparse, exponential buckets that need no bounds: for scrapers that read protobuf. Text formats show the classic
   * buckets only, and without them count and sum.
   */
  readonly native?: NativeHistogramOptions
}

/** The buckets of the series that have these labels. */
interface OwnBuckets {
  readonly wanted: ReadonlyMap<string, string>
  readonly layout: HistogramLayout
}

/** How often something took how long, or was how big: cumulative buckets, a sum and a count. */
export class Histogram<L extends string = never> extends Metric<L, HistogramChild> {
  readonly #layout: HistogramLayout
  readonly #ownBuckets: OwnBuckets[] = []

  constructor(options: HistogramOptions<L>) {
    const definition: unknown[] = []
    super(options, {
      type: 'histogram',
      options: ['buckets', 'native'],
      create: (labels) => create(labels),
      updates: ['observe'],
      definition,
    })
    const native = options.native === undefined ? undefined : checkNative(options.native, this.name)
    const { buckets = native === undefined ? DEFAULT_BUCKETS : undefined } = options
    // Pushed into a new array, so that the engine keeps raw doubles: a copy of frozen bounds would hold references.
    const bounds: number[] = []
    if (buckets !== undefined) bounds.push(...checkBuckets(buckets, this.name))
    definition.push(buckets !== undefined, bounds, native)
    const least = native !== undefined || (bounds[0] ?? 0) < 0 ? -Infinity : 0
    const layout = new HistogramLayout(this.name, bounds, least, this.exemplars)
    this.#layout = layout
    const create =
      native === undefined
        ? (labels: Labels) => new HistogramChild(labels, this.#layoutOf(labels))
        : (labels: Labels) => {
            const own = this.#layoutOf(labels)
            return new NativeHistogramChild(labels, own, native, buckets !== undefined || own !== layout)
          }
    this.start(options.registry)
  }

  /**
   * Counts `value` in the series of `labels`. Throws `ERR_NARTHEX_INVALID_VALUE` for NaN, for a negative value unless a
   * bucket is negative or the histogram is native, and for what is no number; changes nothing then. ±Infinity counts.
   */
  observe(...args: WithLabels<L, [value: number, exemplar?: ExemplarLabels]>): void
  observe(first: LabelValues | number, second?: number | ExemplarLabels, third?: ExemplarLabels): void {
    if (typeof first === 'object' && first !== null) {
      const layout: HistogramLayout = this.#layout
      // Before the look-up, which makes a series where there is none.
      if (typeof second !== 'number' || !(second >= layout.least)) layout.refuse(second)
      this.children.get(first).observe(second, third)
    } else this.child(undefined).observe(first, second as ExemplarLabels)
  }

  /**
   * Gives series a layout of their own: those with all of these labels, of which the first that was named counts. Series
   * that are there already keep theirs. Sums over series are exact at the bounds that all of them have. Costs a look at
   * each such rule where a series is made, and nothing where one is updated.
   *
   * Throws `ERR_NARTHEX_INVALID_BUCKETS`, also for a negative bound where the histogram has none,
   * `ERR_NARTHEX_INVALID_LABELS` for names that it does not have, and `ERR_NARTHEX_DEFINITION_DIFFERS` where the same
   * labels were given other buckets.
   */
  setBuckets(labels: Partial<LabelValues<L>>, buckets: readonly number[]): void {
    const wanted = this.children.wantedFrom(labels as LabelValues)
    const bounds = checkBuckets(buckets, this.givenName)
    const { least } = this.#layout
    if ((bounds[0] ?? 0) < 0 && least === 0) {
      this.refuse(
        'ERR_NARTHEX_INVALID_BUCKETS',
        'buckets',
        'to hold no negative bound, as the histogram has none',
        buckets,
      )
    }
    const before = this.#ownBuckets.find((own) => isSameMap(own.wanted, wanted))
    if (before === undefined) {
      this.#ownBuckets.push({ wanted, layout: new HistogramLayout(this.name, bounds, least, this.exemplars) })
    } else if (String(before.layout.bounds) !== String(bounds)) {
      const rule = `to be as before for the same labels (${before.layout.bounds.join(', ')})`
      this.refuse('ERR_NARTHEX_DEFINITION_DIFFERS', 'buckets', rule, buckets)
    }
  }

  /** Starts a timer that observes its seconds when it is called. */
  startTimer(labels?: Partial<LabelArgument<L>>): Timer<Partial<LabelArgument<L>>> {
    this.checkSome(labels)
    return startTimer((seconds, late, exemplar) => {
      this.child(labels === undefined && late === undefined ? undefined : { ...labels, ...late }).observe(
        seconds,
        exemplar,
      )
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

  #layoutOf(labels: Labels): HistogramLayout {
    for (const { wanted, layout } of this.#ownBuckets) if (hasAll(labels, wanted)) return layout
    return this.#layout
  }
}

function hasAll(labels: Labels, wanted: ReadonlyMap<string, string>): boolean {
  for (const [name, value] of wanted) if ((Object.hasOwn(labels, name) ? labels[name] : '') !== value) return false
  return true
}

function isSameMap(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  if (one.size !== other.size) return false
  for (const [key, value] of one) if (other.get(key) !== value) return false
  return true
}

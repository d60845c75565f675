import { MetricError, refuseUnknownOptions } from '../errors.ts'
import type { Exemplar, NativeHistogram } from '../family.ts'
import { BucketSchema, schemaForFactor } from './bucket-schema.ts'
import { bucketSpansOf } from './bucket-spans.ts'
import { NativeExemplars } from './native-exemplars.ts'
import { SparseCounts } from './sparse-counts.ts'

/** How a histogram keeps its sparse, exponential buckets, beside classic ones or alone. */
export interface NativeHistogramOptions {
  /**
   * A bucket's upper bound is at most this times its lower one: 1.1 gives quantiles within 5%. More than 1; buckets grow
   * by `2 ** (2 ** -n)` with an n from -4 (65,536) to 8 (1.0027), the next smaller one is taken.
   */
  readonly factor: number
  /**
   * How many buckets a series may have, the zero bucket aside; 0 lifts the limit. Beyond it the series starts anew if
   * it may (`minResetIntervalSeconds`), else its zero bucket takes in the next bucket (`maxZeroThreshold`), else its
   * resolution is halved.
   * @default 160
   */
  readonly maxBuckets?: number
  /**
   * Values of at most this magnitude count in the zero bucket.
   * @default 2 ** -128
   */
  readonly zeroThreshold?: number
  /**
   * How wide the zero bucket may become where there are too many buckets.
   * @default 0
   */
  readonly maxZeroThreshold?: number
  /**
   * Seconds after which a series with too many buckets may start anew, which also restores the resolution and the zero
   * bucket it began with; 0 means never.
   * @default 0
   */
  readonly minResetIntervalSeconds?: number
}

/** The `native` option, checked and complete. */
export interface NativeLayout extends Required<Omit<NativeHistogramOptions, 'factor'>> {
  readonly schema: number
}

/** Checks the `native` option of a histogram. Throws `ERR_NARTHEX_INVALID_OPTION` and `…_UNKNOWN_OPTION`. */
export function checkNative(options: unknown, metric: string): NativeLayout {
  const subject = 'Histogram'
  const refuse = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, metric, argument, rule, value })
  }
  if (typeof options !== 'object' || options === null) return refuse('native', 'to be an object with `factor`', options)
  const names = ['factor', 'maxBuckets', 'zeroThreshold', 'maxZeroThreshold', 'minResetIntervalSeconds']
  refuseUnknownOptions(subject, metric, options, names)
  const { factor, ...rest } = options as NativeHistogramOptions
  const { maxBuckets = 160, zeroThreshold = 2 ** -128, maxZeroThreshold = 0, minResetIntervalSeconds = 0 } = rest
  if (!Number.isFinite(factor) || factor <= 1) refuse('native.factor', 'to be a finite number > 1', factor)
  if (!Number.isInteger(maxBuckets) || maxBuckets < 0) refuse('native.maxBuckets', 'to be an integer >= 0', maxBuckets)
  for (const [name, value] of Object.entries({ zeroThreshold, maxZeroThreshold, minResetIntervalSeconds })) {
    if (!Number.isFinite(value) || value < 0) refuse(`native.${name}`, 'to be a finite number >= 0', value)
  }
  return { schema: schemaForFactor(factor), maxBuckets, zeroThreshold, maxZeroThreshold, minResetIntervalSeconds }
}

/** More buckets than there are keys; a small integer, so that the engine keeps the field it is counted down in as one. */
const UNLIMITED = 2 ** 30 - 1

/** The native buckets of one series (prometheus/docs, "Native Histograms"). */
export class NativeBuckets {
  readonly #layout: NativeLayout
  #schema: BucketSchema
  #zeroThreshold: number
  #zeroCount = 0
  /** How many buckets may still come; below zero there are too many. */
  #room: number
  #positive = new SparseCounts()
  #negative: SparseCounts | undefined = undefined
  #exemplars: NativeExemplars | undefined = undefined

  constructor(layout: NativeLayout) {
    this.#layout = layout
    this.#schema = BucketSchema.of(layout.schema)
    this.#zeroThreshold = layout.zeroThreshold
    this.#room = roomOf(layout)
  }

  /** The resolution as it is now. */
  get schema(): number {
    return this.#schema.schema
  }

  /** Counts a number other than NaN. False where there are more buckets now than there may be. */
  add(value: number): boolean {
    const threshold = this.#zeroThreshold
    if (value > threshold) {
      if (this.#positive.add(this.#schema.keyOf(value), 1)) this.#room -= 1
    } else if (value < -threshold) {
      this.#negative ??= new SparseCounts()
      if (this.#negative.add(this.#schema.keyOf(-value), 1)) this.#room -= 1
    } else {
      this.#zeroCount += 1
    }
    return this.#room >= 0
  }

  /**
   * Takes one step to fewer buckets, as client_golang does: widens the zero bucket over the next one where it may, else
   * halves the resolution. A step may not be enough, and after the coarsest schema there is none.
   */
  reduce(): void {
    if (!this.#widenZeroBucket()) this.#halveResolution()
    const { maxBuckets } = this.#layout
    this.#room = maxBuckets - this.#positive.size - (this.#negative?.size ?? 0)
  }

  /** Back to the start: the first resolution and zero bucket, nothing counted, no exemplars. */
  clear(): void {
    const layout = this.#layout
    this.#schema = BucketSchema.of(layout.schema)
    this.#zeroThreshold = layout.zeroThreshold
    this.#zeroCount = 0
    this.#room = roomOf(layout)
    this.#positive = new SparseCounts()
    this.#negative = undefined
    this.#exemplars = undefined
  }

  addExemplar(exemplar: Exemplar): void {
    this.#exemplars ??= new NativeExemplars()
    this.#exemplars.add(exemplar)
  }

  snapshot(): NativeHistogram {
    const zeroThreshold = this.#zeroThreshold
    const zeroCount = this.#zeroCount
    let positive = bucketSpansOf(this.#positive.entries())
    const negative = bucketSpansOf(this.#negative?.entries() ?? [])
    // Without buckets and with a zero threshold of 0 a reader could not tell the histogram from a classic one.
    const unmarked = zeroThreshold === 0 && zeroCount === 0 && positive.spans.length + negative.spans.length === 0
    if (unmarked) positive = { spans: [{ offset: 0, length: 0 }], deltas: [] }
    const exemplars = this.#exemplars?.list()
    return { schema: this.schema, zeroThreshold, zeroCount, positive, negative, ...(exemplars && { exemplars }) }
  }

  #widenZeroBucket(): boolean {
    const { maxZeroThreshold } = this.#layout
    if (this.#zeroThreshold >= maxZeroThreshold) return false
    const positive = this.#positive
    const negative = this.#negative
    const key = Math.min(positive.entries()[0]?.[0] ?? Infinity, negative?.entries()[0]?.[0] ?? Infinity)
    if (key === Infinity) return false
    const threshold = this.#schema.upperBound(key)
    if (threshold > maxZeroThreshold) return false
    this.#zeroThreshold = threshold
    this.#zeroCount += positive.take(key) + (negative?.take(key) ?? 0)
    return true
  }

  #halveResolution(): void {
    const { coarser } = this.#schema
    if (coarser === undefined) return
    this.#schema = coarser
    const merged = (key: number): number => (key + 1) >> 1
    this.#positive.rekey(merged)
    this.#negative?.rekey(merged)
  }
}

function roomOf({ maxBuckets }: NativeLayout): number {
  return maxBuckets === 0 ? UNLIMITED : maxBuckets
}

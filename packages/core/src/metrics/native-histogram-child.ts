import type { HistogramSeries } from '../family.ts'
import type { Labels } from '../labels.ts'
import { BucketSchema } from './bucket-schema.ts'
import type { ExemplarLabels } from './exemplar.ts'
import { HistogramChild, type HistogramLayout } from './histogram-child.ts'
import { NativeBuckets, type NativeLayout } from './native-histogram.ts'

/** Buckets that end at powers of two. */
const OCTAVES = /* @__PURE__ */ BucketSchema.of(0)

/** One series of a native {@link Histogram}, with classic buckets beside the native ones or without. */
export class NativeHistogramChild extends HistogramChild {
  readonly #layout: NativeLayout
  readonly #classic: boolean
  readonly #native: NativeBuckets
  /** Milliseconds since the epoch at which counting began. */
  #began = Date.now()
  /** Milliseconds since the epoch at which a series that was made coarser starts anew; 0 for not at all. */
  #due = 0

  constructor(labels: Labels, layout: HistogramLayout, native: NativeLayout, classic: boolean) {
    super(labels, layout)
    this.#layout = native
    this.#classic = classic
    this.#native = new NativeBuckets(native)
  }

  /** See {@link Histogram.observe}. The native bucket costs about as much as eleven classic ones (`observe` in benchmarks). */
  override observe(value: number, exemplar?: ExemplarLabels): void {
    if (this.#due !== 0) this.#restartWhenDue()
    this.count(value, exemplar)
    if (!this.#native.add(value)) this.#limit(value, exemplar)
  }

  override zero(): void {
    super.zero()
    this.#start(Date.now())
  }

  override snapshot(): HistogramSeries {
    if (this.#due !== 0) this.#restartWhenDue()
    const series = super.snapshot()
    return { ...series, buckets: this.#classic ? series.buckets : [], native: this.#native.snapshot() }
  }

  protected override exemplify(value: number, bucket: number, given: ExemplarLabels | undefined): void {
    const exemplar = this.keep(value, this.#classic ? bucket : this.#slotOf(value), given)
    if (exemplar !== undefined) this.#native.addExemplar(exemplar)
  }

  /** Without classic buckets the source is asked once for each power of two, not once for all. */
  #slotOf(value: number): number {
    const { schema } = this.#native
    const magnitude = Math.abs(value)
    if (magnitude <= this.#layout.zeroThreshold) return 0
    const power = OCTAVES.keyOf(magnitude)
    return 1 + ((schema < 0 ? Math.ceil(power / 2 ** -schema) : power) & 15)
  }

  /**
   * There are too many buckets: starts anew with `value` alone where that may be, else gives up precision step by step
   * and gets it back when the interval is over.
   */
  #limit(value: number, exemplar: ExemplarLabels | undefined): void {
    const interval = this.#layout.minResetIntervalSeconds * 1000
    if (interval > 0 && this.#due === 0) {
      const now = Date.now()
      if (now - this.#began >= interval) {
        this.#restartAt(now)
        this.count(value, exemplar)
        this.#native.add(value)
        return
      }
      this.#due = this.#began + interval
    }
    this.#native.reduce()
  }

  /** Read from the clock and not from a timer, of which there would be one for each series. */
  #restartWhenDue(): void {
    if (Date.now() >= this.#due) this.#restartAt(this.#due)
  }

  #restartAt(milliseconds: number): void {
    this.restart(milliseconds / 1000)
    this.#start(milliseconds)
  }

  #start(milliseconds: number): void {
    this.#native.clear()
    this.#began = milliseconds
    this.#due = 0
  }
}

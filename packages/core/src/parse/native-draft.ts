import type { BucketSpan, Exemplar, NativeHistogram, Spans } from '../family.ts'
import type { WireReader } from './wire-reader.ts'

/** The fields of a sign's buckets: spans, differences of whole counts, float counts. */
const NEGATIVE_FIELDS = [9, 10, 11] as const
const POSITIVE_FIELDS = [12, 13, 14] as const

/** The native part of a histogram while its fields come in (metrics.proto, fields 5 to 14 and 16 of `Histogram`). */
export class NativeDraft {
  readonly exemplars: Exemplar[] = []
  #schema = 0
  #zeroThreshold = 0
  #zeroCount = 0
  #zeroCountFloat = 0
  readonly #negative = new SignDraft()
  readonly #positive = new SignDraft()

  /** Reads the field at hand; false where it is none of these. */
  read(reader: WireReader, within: (reader: WireReader, read: () => void) => void): boolean {
    const { field } = reader
    if (field === 5 && reader.isVarint) this.#schema = reader.readZigZag()
    else if (field === 6 && reader.isDouble) this.#zeroThreshold = reader.readDouble()
    else if (field === 7 && reader.isVarint) this.#zeroCount = reader.readUnsigned()
    else if (field === 8 && reader.isDouble) this.#zeroCountFloat = reader.readDouble()
    else if (field < 9 || field > 14) return false
    else if (field < 12) return this.#negative.read(reader, within, NEGATIVE_FIELDS)
    else return this.#positive.read(reader, within, POSITIVE_FIELDS)
    return true
  }

  /**
   * Whether the histogram is a native one: it has spans, if only the empty one that says so, or a zero bucket
   * (prometheus/docs, "Native Histograms", on telling the two kinds apart).
   */
  get isPresent(): boolean {
    return (
      this.#negative.spans.length > 0 ||
      this.#positive.spans.length > 0 ||
      this.#zeroThreshold > 0 ||
      this.#zeroCount > 0 ||
      this.#zeroCountFloat > 0
    )
  }

  /** What is wrong with it, `undefined` for nothing. */
  get refusal(): string | undefined {
    if (!this.isPresent) return undefined
    if (this.#schema < -4 || this.#schema > 8) return 'expected a native histogram with a schema from -4 to 8'
    if (!(this.#zeroThreshold >= 0)) return 'expected a zero bucket whose width is not negative'
    const matches = this.#negative.matches && this.#positive.matches
    return matches ? undefined : 'expected as many native buckets as the spans are long'
  }

  finish(floatCount: boolean): NativeHistogram {
    const float =
      floatCount || this.#zeroCountFloat > 0 || this.#negative.counts.length > 0 || this.#positive.counts.length > 0
    const native: NativeHistogram = {
      schema: this.#schema,
      zeroThreshold: this.#zeroThreshold,
      zeroCount: this.#zeroCountFloat > 0 ? this.#zeroCountFloat : this.#zeroCount,
      positive: this.#positive.finish(float),
      negative: this.#negative.finish(float),
    }
    return this.exemplars.length === 0 ? native : { ...native, exemplars: this.exemplars }
  }
}

/** The buckets of one sign. */
class SignDraft {
  readonly spans: BucketSpan[] = []
  readonly deltas: number[] = []
  readonly counts: number[] = []

  read(
    reader: WireReader,
    within: (reader: WireReader, read: () => void) => void,
    [spans, deltas, counts]: readonly [number, number, number],
  ): boolean {
    const { field } = reader
    if (field === spans && reader.isBytes) within(reader, () => this.spans.push(readSpan(reader)))
    else if (field === deltas && reader.isRepeated('zigzag')) reader.readRepeated(this.deltas, 'zigzag')
    else if (field === counts && reader.isRepeated('double')) reader.readRepeated(this.counts, 'double')
    else return false
    return true
  }

  get matches(): boolean {
    let length = 0
    for (const span of this.spans) length += span.length
    return this.counts.length === 0 || this.deltas.length === 0
      ? length === this.counts.length + this.deltas.length
      : false
  }

  finish(float: boolean): Spans {
    // The one empty span marks a native histogram without observations; it holds nothing.
    const spans = this.spans.length === 1 && this.spans[0]?.length === 0 ? [] : this.spans
    if (!float) return { spans, deltas: this.deltas }
    return { spans, counts: this.counts.length > 0 ? this.counts : countsOf(this.deltas) }
  }
}

function countsOf(deltas: readonly number[]): number[] {
  let count = 0
  return deltas.map((delta) => (count += delta))
}

function readSpan(reader: WireReader): BucketSpan {
  const start = reader.at
  let offset = 0
  let length = 0
  while (reader.next()) {
    if (reader.isVarint && reader.field === 1) offset = reader.readZigZag()
    else if (reader.isVarint && reader.field === 2) length = reader.readUnsigned()
    else reader.skip()
  }
  if (Math.abs(offset) > 2 ** 31 || length >= 2 ** 32) throw reader.error('expected a span of 32-bit numbers', start)
  return { offset, length }
}

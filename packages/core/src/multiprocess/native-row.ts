import type { Exemplar, NativeHistogram, Spans } from '../family.ts'
import { BucketSchema } from '../metrics/bucket-schema.ts'
import { bucketSpansOf } from '../metrics/bucket-spans.ts'
import type { DoubleReader, DoubleWriter } from './doubles.ts'
import { compareExemplars } from './row.ts'

/** As many as one process keeps: client_golang's default. */
const MOST_EXEMPLARS = 10

/** Writes native buckets as schema, zero bucket, and (key, count) pairs of either sign. */
export function writeNative(native: NativeHistogram, out: DoubleWriter): void {
  const { schema, zeroThreshold, zeroCount, positive, negative } = native
  out.push(schema)
  out.push(zeroThreshold)
  out.push(0)
  out.push(zeroCount)
  writeSpans(positive, out)
  writeSpans(negative, out)
}

function writeSpans(spans: Spans, out: DoubleWriter): void {
  const isDelta = 'deltas' in spans
  const numbers = isDelta ? spans.deltas : spans.counts
  const counts = new Map<number, number>()
  let key = 0
  let at = 0
  let count = 0
  for (const { offset, length } of spans.spans) {
    key += offset
    for (let left = length; left > 0; left--) {
      const number = numbers[at++] as number
      count = isDelta ? count + number : number
      if (count !== 0) counts.set(key, count)
      key += 1
    }
  }
  writeCounts(counts, out)
}

/**
 * The native buckets of several processes in one: at the coarsest of their resolutions, with the widest of their zero
 * buckets. What does not fit is put in order when it is read, so that the order of merging makes no difference.
 */
export class MergedNative {
  #schema = 0
  #zeroThreshold = 0
  /** Whether zero buckets of different widths have met: then buckets may reach into the widest one. */
  #isMixed = false
  #zeroCount = 0
  #positive = new Map<number, number>()
  #negative = new Map<number, number>()
  #exemplars: readonly Exemplar[] = []
  #isEmpty = true

  add(row: DoubleReader, exemplars: readonly Exemplar[] | undefined): void {
    const schema = row.next()
    const threshold = row.next()
    const wasMixed = row.next() !== 0
    if (this.#isEmpty) this.#schema = schema
    this.#isMixed ||= wasMixed || (!this.#isEmpty && threshold !== this.#zeroThreshold)
    this.#zeroThreshold = this.#isEmpty ? threshold : Math.max(threshold, this.#zeroThreshold)
    this.#isEmpty = false
    this.#zeroCount += row.next()
    const common = Math.min(schema, this.#schema)
    if (common < this.#schema) {
      this.#positive = coarsened(this.#positive, this.#schema - common)
      this.#negative = coarsened(this.#negative, this.#schema - common)
      this.#schema = common
    }
    addCounts(this.#positive, row, schema - common)
    addCounts(this.#negative, row, schema - common)
    if (exemplars !== undefined) {
      const all = [...this.#exemplars, ...exemplars].sort((a, b) => compareExemplars(b, a))
      this.#exemplars = all.slice(0, MOST_EXEMPLARS)
    }
  }

  write(out: DoubleWriter): readonly Exemplar[] | undefined {
    out.push(this.#schema)
    out.push(this.#zeroThreshold)
    out.push(this.#isMixed ? 1 : 0)
    out.push(this.#zeroCount)
    writeCounts(this.#positive, out)
    writeCounts(this.#negative, out)
    return this.#exemplars.length === 0 ? undefined : this.#exemplars
  }

  toNative(): NativeHistogram {
    const positive = new Map(this.#positive)
    const negative = new Map(this.#negative)
    let zeroThreshold = this.#zeroThreshold
    let zeroCount = this.#zeroCount
    if (this.#isMixed) {
      // A bucket that reaches into the zero bucket is taken in whole, and widens it (Prometheus merges so, too).
      const schema = BucketSchema.of(this.#schema)
      const keys = [...new Set([...positive.keys(), ...negative.keys()])].sort((a, b) => a - b)
      for (const key of keys) {
        if (schema.upperBound(key - 1) >= zeroThreshold) break
        zeroThreshold = Math.max(zeroThreshold, schema.upperBound(key))
        zeroCount += (positive.get(key) ?? 0) + (negative.get(key) ?? 0)
        positive.delete(key)
        negative.delete(key)
      }
    }
    const spans = { positive: bucketSpansOf(byKey(positive)), negative: bucketSpansOf(byKey(negative)) }
    if (zeroThreshold === 0 && zeroCount === 0 && positive.size + negative.size === 0) {
      // Else a reader could not tell it from a histogram without native buckets.
      spans.positive = { spans: [{ offset: 0, length: 0 }], deltas: [] }
    }
    const exemplars = [...this.#exemplars].sort((a, b) => a.value - b.value)
    return {
      schema: this.#schema,
      zeroThreshold,
      zeroCount,
      ...spans,
      ...(exemplars.length > 0 && { exemplars }),
    }
  }
}

function addCounts(counts: Map<number, number>, row: DoubleReader, steps: number): void {
  for (let left = row.nextLength(); left > 0; left--) {
    const key = coarseKey(row.next(), steps)
    counts.set(key, (counts.get(key) ?? 0) + row.next())
  }
}

function writeCounts(counts: ReadonlyMap<number, number>, out: DoubleWriter): void {
  out.push(counts.size)
  for (const [key, count] of counts) {
    out.push(key)
    out.push(count)
  }
}

function coarsened(counts: ReadonlyMap<number, number>, steps: number): Map<number, number> {
  const coarse = new Map<number, number>()
  for (const [key, count] of counts) {
    const merged = coarseKey(key, steps)
    coarse.set(merged, (coarse.get(merged) ?? 0) + count)
  }
  return coarse
}

/** Rounds up, as upper bounds belong to their buckets. */
function coarseKey(key: number, steps: number): number {
  return Math.ceil(key / 2 ** steps)
}

function byKey(counts: ReadonlyMap<number, number>): [key: number, count: number][] {
  return [...counts].sort(([a], [b]) => a - b)
}

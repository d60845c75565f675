import type { Bucket, HistogramSeries } from '../family.ts'
import { exemplarsOf, NONE } from './merged-histogram.ts'
import { MergedHistograms } from './merged-histograms.ts'
import { writeNative } from './native-row.ts'
import type { RowKind } from './row.ts'

/**
 * A histogram's row: created, count, the numbers whose sum is the sum; the layout of its classic buckets and a count for
 * each, not cumulative, +Inf included; then the native ones.
 */
export const histogramRow: RowKind<HistogramSeries> = {
  write({ created, count = 0, sum = 0, buckets, native }, out, layouts) {
    const { length } = buckets
    // Side by side and not pushed one by one: a third of the time (`multiprocess-flush` in benchmarks).
    const doubles = out.reserve(length + 6)
    let at = out.length
    doubles[at++] = created ?? Number.NaN
    doubles[at++] = count
    doubles[at++] = 1
    doubles[at++] = sum
    doubles[at++] = length === 0 ? NONE : layouts.indexOfBounds(buckets)
    let below = 0
    let hasExemplars = false
    for (let index = 0; index < length; index++) {
      const bucket = buckets[index] as Bucket
      doubles[at++] = bucket.count - below
      below = bucket.count
      if (bucket.exemplar !== undefined) hasExemplars = true
    }
    doubles[at++] = native === undefined ? NONE : 0
    out.length = at
    if (native !== undefined) writeNative(native, out)
    return hasExemplars || native?.exemplars !== undefined ? exemplarsOf(buckets, native?.exemplars) : undefined
  },
  merge: () => new MergedHistograms(),
}

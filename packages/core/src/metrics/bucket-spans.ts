import type { BucketSpan, Spans } from '../family.ts'

/**
 * Native buckets, by key, as runs of neighbours. A gap of one or two is written as empty buckets, which takes less room than another
 * run, and as client_golang does it.
 */
export function bucketSpansOf(
  counts: Iterable<readonly [key: number, count: number]>,
): Extract<Spans, { deltas: readonly number[] }> {
  const spans: { offset: number; length: number }[] = []
  const deltas: number[] = []
  let span: { offset: number; length: number } | undefined
  let next = 0
  let previous = 0
  for (const [key, count] of counts) {
    const gap = key - next
    if (span === undefined || gap > 2) {
      span = { offset: gap, length: 0 }
      spans.push(span)
    } else {
      for (let empty = 0; empty < gap; empty++) {
        deltas.push(0 - previous)
        previous = 0
      }
      span.length += gap
    }
    deltas.push(count - previous)
    span.length += 1
    previous = count
    next = key + 1
  }
  return { spans: spans satisfies BucketSpan[], deltas }
}

import { constants, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks'
import { Histogram } from '../metrics/histogram.ts'
import type { RuntimeCollector } from './runtime-collector.ts'

/** `kGCTypeMinorMarkSweep` of V8, for which Node has no constant: what `--minor-ms` does instead of scavenges. */
const MINOR_MARK_SWEEP = 2

const KINDS: ReadonlyMap<number | undefined, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [MINOR_MARK_SWEEP, 'minor'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
])

/**
 * Every garbage collection of this thread, by kind and in seconds, from now on until `stop`. `minor` and `major` are as
 * many as `--trace-gc` prints scavenges and mark-compacts; `incremental` is the marking that a major one was spared.
 */
export function gcCollector(buckets: readonly number[] = [0.001, 0.01, 0.1, 1, 2, 5]): RuntimeCollector {
  const duration = new Histogram({
    name: 'nodejs_gc_duration_seconds',
    help: 'Duration of garbage collections, in seconds.',
    labelNames: ['kind'],
    buckets,
    registry: null,
  })
  for (const kind of new Set(KINDS.values())) duration.init({ kind })
  const count = (entries: readonly PerformanceEntry[]): void => {
    for (const entry of entries) {
      const { kind } = (entry as { detail?: { kind?: number } }).detail ?? {}
      duration.observe({ kind: KINDS.get(kind) ?? 'other' }, entry.duration / 1000)
    }
  }
  // A batch holds every collection since the last one: all of its entries count.
  const observer = new PerformanceObserver((list) => count(list.getEntries()))
  observer.observe({ entryTypes: ['gc'] })
  return {
    name: 'nodejs_gc',
    describe: () => [duration.family],
    collect() {
      // Those that happened since the last batch would otherwise miss this page.
      count(observer.takeRecords())
      return [duration.family]
    },
    stop: () => observer.disconnect(),
  }
}

import type { Bucket } from '@narthex/core'
import { addBuckets, type RouteTotals, type Snapshot } from './snapshot.ts'

/** What happened between two snapshots, on one route or on several together. */
export interface RouteReport {
  readonly requests: number
  /** Requests a second. */
  readonly rate: number
  /** Share of requests answered with a status of 500 and above, 0 to 1; NaN where there were none. */
  readonly errorShare: number
  /** Seconds, estimated from the buckets; NaN where there were none. */
  readonly p50: number
  readonly p99: number
}

/** The reports of all routes by method and route, as `rate(…)` and `histogram_quantile(…)` would tell. */
export function reportRoutes(before: Snapshot, after: Snapshot): Map<string, RouteReport> {
  const seconds = after.time - before.time
  const routes = [...after.routes].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return new Map(
    routes.map(([route, totals]) => [route, reportOf(increase(before.routes.get(route), totals), seconds)]),
  )
}

/** One report over all routes of a method, or of every method. */
export function reportAll(before: Snapshot, after: Snapshot, method?: string): RouteReport {
  const sum: RouteTotals = { requests: 0, errors: 0, buckets: [] }
  for (const [route, totals] of after.routes) {
    if (method !== undefined && !route.startsWith(`${method} `)) continue
    const { requests, errors, buckets } = increase(before.routes.get(route), totals)
    sum.requests += requests
    sum.errors += errors
    sum.buckets = addBuckets(sum.buckets, buckets)
  }
  return reportOf(sum, after.time - before.time)
}

/**
 * The value below which a share of `q` of the observations lies, as Prometheus' `histogram_quantile` estimates it: it
 * finds the bucket that holds it and takes the observations in there as evenly spread. What lies beyond the last bound is
 * that bound. NaN where nothing was observed.
 */
export function histogramQuantile(q: number, buckets: readonly Bucket[]): number {
  const rank = q * (buckets.at(-1)?.count ?? 0)
  if (rank === 0) return NaN
  const index = buckets.findIndex(({ count }) => count >= rank)
  const { le, count } = buckets[index] as Bucket
  const below = buckets[index - 1] ?? { le: 0, count: 0 }
  if (le === Infinity) return below.le
  return below.le + (le - below.le) * ((rank - below.count) / (count - below.count))
}

function reportOf({ requests, errors, buckets }: RouteTotals, seconds: number): RouteReport {
  return {
    requests,
    rate: requests / seconds,
    errorShare: errors / requests,
    p50: histogramQuantile(0.5, buckets),
    p99: histogramQuantile(0.99, buckets),
  }
}

/** A route that was not on the page before had counted nothing then. */
function increase(before: RouteTotals | undefined, after: RouteTotals): RouteTotals {
  return {
    requests: after.requests - (before?.requests ?? 0),
    errors: after.errors - (before?.errors ?? 0),
    buckets: after.buckets.map(({ le, count }, index) => ({ le, count: count - (before?.buckets[index]?.count ?? 0) })),
  }
}

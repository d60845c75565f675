import type { Bucket } from '@narthex/core'
import { parseText } from '@narthex/core/parse'

/** What the page says of one route since the shop opened, all status codes together. */
export interface RouteTotals {
  requests: number
  /** Answers with a status of 500 and above. */
  errors: number
  /** Cumulative counts of durations, in increasing order of `le`; the last one is +Inf. */
  buckets: readonly Bucket[]
}

/** A page, read at one moment. */
export interface Snapshot {
  /** Seconds on the monotonic clock. */
  readonly time: number
  /** By method and route: `GET /books/:isbn`. */
  readonly routes: ReadonlyMap<string, RouteTotals>
  /** Requests under way, by method. */
  readonly inFlight: ReadonlyMap<string, number>
  /** Orders taken, by genre. */
  readonly orders: ReadonlyMap<string, number>
}

/** The moment before anything was counted. */
export function emptySnapshot(time: number = performance.now() / 1_000): Snapshot {
  return { time, routes: new Map(), inFlight: new Map(), orders: new Map() }
}

/** Scrapes a page, as Prometheus would, and reads the numbers that the dashboard needs. Throws where it cannot. */
export async function takeSnapshot(url: string): Promise<Snapshot> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) })
  const page = await response.text()
  if (!response.ok) throw new Error(`${url} answered ${response.status}.`)
  return readSnapshot(page)
}

/** Reads a page in the text format. */
export function readSnapshot(page: string): Snapshot {
  const routes = new Map<string, RouteTotals>()
  const inFlight = new Map<string, number>()
  const orders = new Map<string, number>()
  for (const family of parseText(page)) {
    if (family.name === 'http_requests' && family.type === 'counter') {
      for (const { labels, value } of family.series) {
        const totals = totalsOf(routes, labels)
        totals.requests += value
        if (Number(labels['code']) >= 500) totals.errors += value
      }
    }
    if (family.name === 'http_request_duration_seconds' && family.type === 'histogram') {
      for (const { labels, buckets } of family.series) {
        const totals = totalsOf(routes, labels)
        totals.buckets = addBuckets(totals.buckets, buckets)
      }
    }
    if (family.name === 'http_requests_in_flight' && family.type === 'gauge') {
      for (const { labels, value } of family.series) inFlight.set(String(labels['method']), value)
    }
    if (family.name === 'bookshop_orders' && family.type === 'counter') {
      for (const { labels, value } of family.series) orders.set(String(labels['genre']), value)
    }
  }
  return { ...emptySnapshot(), routes, inFlight, orders }
}

/** Adds counts bound by bound; both have the same bounds, or `first` has none yet. */
export function addBuckets(first: readonly Bucket[], second: readonly Bucket[]): Bucket[] {
  return second.map(({ le, count }, index) => ({ le, count: count + (first[index]?.count ?? 0) }))
}

function totalsOf(routes: Map<string, RouteTotals>, labels: { readonly [name: string]: string }): RouteTotals {
  const key = `${labels['method']} ${labels['route']}`
  let totals = routes.get(key)
  if (totals === undefined) routes.set(key, (totals = { requests: 0, errors: 0, buckets: [] }))
  return totals
}

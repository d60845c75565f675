import { reportAll, reportRoutes, type RouteReport } from './route-report.ts'
import type { Snapshot } from './snapshot.ts'
import { type Cell, formatCount, formatSeconds, formatShare, type Paint, renderTable } from './table.ts'
import { exactQuantile, type Traffic } from './traffic.ts'

const LIVE_WIDTHS = [32, 9, 9, 9, 9, 12]
const FINAL_WIDTHS = [32, 7, 9, 8, 8, 8, 8]

/**
 * What goes on between two snapshots: a line a route, then a line a method. A request that is under way has not met its
 * route yet, so requests in flight are known by method.
 */
export function liveView(before: Snapshot, now: Snapshot, paint: Paint): string[] {
  const line = (name: string, report: RouteReport, inFlight = '', style?: 'bold'): Cell[] => [
    { text: name, style },
    { text: formatCount(report.rate, 1), style },
    ...shareAndQuantiles(report),
    { text: inFlight, style },
  ]
  const rows = [...reportRoutes(before, now)].map(([route, report]) => line(route, report))
  rows.push([])
  for (const [method, inFlight] of [...now.inFlight].sort(([one], [other]) => (one < other ? -1 : 1))) {
    rows.push(line(`${method}, all routes`, reportAll(before, now, method), formatCount(inFlight), 'bold'))
  }
  const seconds = Math.round(now.time - before.time)
  return [
    paint('dim', `The last ${seconds} s, computed from the page`),
    '',
    ...renderTable(LIVE_WIDTHS, [headings('ROUTE', 'REQ/S', 'ERRORS', 'P50', 'P99', 'IN FLIGHT'), ...rows], paint),
    '',
    ordersLine(now),
  ]
}

/** The whole run: what the page counted beside what the traffic generator knows to have sent. */
export function finalView(before: Snapshot, now: Snapshot, traffic: Traffic, paint: Paint): string[] {
  const line = (name: string, sent: number, report: RouteReport | undefined, style?: 'bold'): Cell[] => [
    { text: name, style },
    { text: formatCount(sent), style },
    { text: formatCount(report?.requests ?? 0), style: report?.requests === sent ? style : 'red' },
    ...(report === undefined ? [] : [{ text: formatCount(report.rate, 1), style }, ...shareAndQuantiles(report)]),
  ]
  const reports = reportRoutes(before, now)
  const routes = [...new Set([...reports.keys(), ...traffic.sent.keys()])].toSorted()
  const all = reportAll(before, now)
  const sent = traffic.total
  const rows = routes.map((route) => line(route, traffic.sent.get(route) ?? 0, reports.get(route)))
  rows.push([], line('All routes', sent, all, 'bold'))
  const inFlight = [...now.inFlight.values()].reduce((sum, count) => sum + count, 0)
  const measured = exactQuantile(
    0.5,
    traffic.visits.map(({ seconds }) => seconds),
  )
  return [
    paint('dim', `${(now.time - before.time).toFixed(1)} s: what the generator sent, and what the page says of it`),
    '',
    ...renderTable(
      FINAL_WIDTHS,
      [headings('ROUTE', 'SENT', 'COUNTED', 'REQ/S', 'ERRORS', 'P50', 'P99'), ...rows],
      paint,
    ),
    '',
    `Requests: ${formatCount(sent)} sent, ${formatCount(all.requests)} counted, ${formatCount(inFlight)} in flight.`,
    `Median: ${formatSeconds(measured)} measured by the generator, ${formatSeconds(all.p50)} estimated from the buckets.`,
    ordersLine(now),
  ]
}

function headings(...texts: readonly string[]): Cell[] {
  return texts.map((text) => ({ text, style: 'dim' }))
}

function shareAndQuantiles({ errorShare, p50, p99 }: RouteReport): Cell[] {
  return [
    { text: formatShare(errorShare), style: errorShare > 0 ? 'red' : undefined },
    { text: formatSeconds(p50) },
    { text: formatSeconds(p99) },
  ]
}

function ordersLine({ orders }: Snapshot): string {
  return `Orders: ${[...orders].map(([genre, count]) => `${formatCount(count)} ${genre}`).join(', ')}.`
}

import { PercentUnit, RequestsPerSecond, Seconds, Short } from '@grafana/grafana-foundation-sdk/units'
import type { MetricFamily } from '../../family.ts'
import { groupingOf, groupsOf, labelNamesOf, legendOf, MOST_LINES } from './family-labels.ts'
import { descriptionOf, familyPanel, quantileQueries } from './family-panel.ts'
import type { Page } from './page.ts'
import { graph, type Panel } from './panel.ts'
import {
  type CounterFamily,
  counterRate,
  countRate,
  type HistogramFamily,
  matcher,
  quantile,
  selector,
  sumBy,
} from './query.ts'
import type { Section } from './section.ts'

/** What the metrics of a server or a client are called. */
interface HttpFamilies {
  readonly title: string
  readonly prefix: string
  readonly requests?: string
  readonly duration: string
  readonly inFlight?: string
}

/** Most particular prefixes first: `http_` takes what the others leave. */
const SIDES: readonly HttpFamilies[] = [
  {
    title: 'HTTP, calls to others',
    prefix: 'http_client_',
    requests: 'http_client_requests',
    duration: 'http_client_request_duration_seconds',
  },
  {
    title: 'HTTP server',
    prefix: 'http_server_',
    duration: 'http_server_request_duration_seconds',
    inFlight: 'http_server_active_requests',
  },
  {
    title: 'HTTP',
    prefix: 'http_',
    requests: 'http_requests',
    duration: 'http_request_duration_seconds',
    inFlight: 'http_requests_in_flight',
  },
]

/** Labels as the adapters and their predecessors call them; of a call to others the host is what the route is of a server. */
const METHOD = ['method', 'http_request_method']
const ROUTE = ['route', 'http_route', 'path', 'handler', 'host', 'server_address']
const CODE = ['code', 'http_response_status_code', 'status_code', 'status']

/** Rate, errors and duration of requests, and whatever else is about HTTP. */
export function httpSections(page: Page): Section[] {
  return SIDES.map((side) => ({ title: side.title, panels: [...panelsOf(page, side)] })).toReversed()
}

function* panelsOf(page: Page, names: HttpFamilies): Generator<Panel> {
  const counter = names.requests === undefined ? undefined : page.take(names.requests, 'counter')
  const duration = page.take(names.duration, 'histogram')
  const counted = counter ?? duration
  if (counted !== undefined) yield* requestPanels(counted)
  if (duration !== undefined) yield* durationPanels(duration)
  const inFlight = names.inFlight === undefined ? undefined : page.take(names.inFlight, 'gauge')
  if (inFlight !== undefined) yield inFlightPanel(inFlight)
  yield* page.takeAll(({ name }) => name.startsWith(names.prefix)).map(familyPanel)
}

function* requestPanels(counted: CounterFamily | HistogramFamily): Generator<Panel> {
  const labels = labelNamesOf(counted)
  const description = descriptionOf(counted)
  const requests = (by: readonly string[], ...matchers: readonly string[]): string =>
    counted.type === 'counter' ? sumBy(by, counterRate(counted, ...matchers)) : countRate(counted, by, ...matchers)
  const code = present(labels, CODE)
  yield graph({
    title: 'Requests',
    description,
    unit: RequestsPerSecond,
    stacked: true,
    queries: [{ expr: requests(code), legend: code.length > 0 ? legendOf(code) : 'requests' }],
  })
  if (code.length > 0) {
    const failed = requests([], matcher(code[0] as string, '=~', '5..'))
    yield graph({
      title: 'Share of requests answered with 5xx',
      description,
      unit: PercentUnit,
      queries: [{ expr: `(${failed} or 0 * ${requests([])}) / ${requests([])}`, legend: '5xx' }],
    })
  }
  const route = routeOf(labels)
  if (route.length === 0) return
  yield graph({
    title: 'Requests by route',
    description,
    unit: RequestsPerSecond,
    queries: [{ expr: highest(counted, route, requests(route)), legend: legendOf(route) }],
  })
}

function* durationPanels(duration: HistogramFamily): Generator<Panel> {
  const description = descriptionOf(duration)
  yield graph({ title: 'Duration', description, unit: Seconds, queries: quantileQueries(duration) })
  const route = routeOf(labelNamesOf(duration))
  if (route.length === 0) return
  yield graph({
    title: 'Duration by route, 99th percentile',
    description,
    unit: Seconds,
    queries: [{ expr: highest(duration, route, quantile(0.99, duration, route)), legend: legendOf(route) }],
  })
}

function inFlightPanel(inFlight: MetricFamily): Panel {
  const by = groupingOf(inFlight, [...present(labelNamesOf(inFlight), METHOD), 'instance'])
  return graph({
    title: 'Requests in flight',
    description: descriptionOf(inFlight),
    unit: Short,
    queries: [{ expr: sumBy(by, selector(inFlight.name)), legend: legendOf(by) }],
  })
}

function routeOf(labels: readonly string[]): string[] {
  const route = present(labels, ROUTE)
  return route.length === 0 ? [] : [...present(labels, METHOD), ...route]
}

/** The first of the names that is a label, as a list of one or none. */
function present(labels: readonly string[], names: readonly string[]): string[] {
  return names.filter((name) => labels.includes(name)).slice(0, 1)
}

function highest(family: MetricFamily, labels: readonly string[], expression: string): string {
  return groupsOf(family, labels) > MOST_LINES ? `topk(${MOST_LINES}, ${expression})` : expression
}

import { MetricError, refuseUnknownOptions } from '../errors.ts'

/**
 * Names for the metrics of HTTP servers and for their labels, as data: for dashboards that another library was there
 * for. What is left out is called as with `naming: 'prometheus'`, the two metrics aside that may be absent.
 */
export interface HttpNaming {
  /** Counter of requests; absent where the histogram's own count is meant to be used. */
  readonly requests?: string
  /** Histogram of durations in seconds. */
  readonly duration: string
  /** Gauge of requests that have not ended; absent where there is to be none. */
  readonly inFlight?: string
  readonly requestSize?: string
  readonly responseSize?: string
  readonly timeToHeaders?: string
  readonly streamsInFlight?: string
  readonly streamDuration?: string
  /** Help texts in place of the recorder's own. */
  readonly help?: { readonly [metric in HttpMetric]?: string }
  /** What the three labels are called. */
  readonly labels?: { readonly method?: string; readonly route?: string; readonly code?: string }
  /** Upper bounds of the duration histogram in seconds, where the option `buckets` gives none. */
  readonly buckets?: readonly number[]
  /**
   * The route of a request that matched nothing; an empty one leaves the label out.
   * @default '<unmatched>'
   */
  readonly unmatched?: string
  /** What stands for each parameter in a route: with `#val`, `/users/:id` is `/users/#val`. By default it keeps its name. */
  readonly parameters?: string
  /**
   * `get` in place of `GET`. A method that is none of HTTP's stays `_OTHER`.
   * @default false
   */
  readonly lowerCaseMethods?: boolean
}

/** The metrics that a recorder may have, by what they tell. */
export type HttpMetric =
  | 'requests'
  | 'duration'
  | 'inFlight'
  | 'requestSize'
  | 'responseSize'
  | 'timeToHeaders'
  | 'streamsInFlight'
  | 'streamDuration'

/** What the metrics of HTTP servers are called, and what their labels are called. */
export interface HttpNames {
  readonly requests?: string
  readonly duration: string
  readonly inFlight?: string
  readonly requestSize: string
  readonly responseSize: string
  readonly timeToHeaders: string
  readonly streamsInFlight: string
  readonly streamDuration: string
  readonly help?: HttpNaming['help']
  /** Of everything that is known at the end of a request: method, route, code, and with OpenTelemetry two more. */
  readonly labels: readonly string[]
  /** Of what is known at its beginning. */
  readonly inFlightLabels: readonly string[]
  /** Seconds. */
  readonly buckets: readonly number[]
  /** The route of a request that matched nothing; an empty one leaves the label out. */
  readonly unmatched: string
  /** Spells a route with `parameters`. */
  readonly spell?: (route: string) => string
  readonly lowerCaseMethods?: boolean
}

/** The field's own names, as most dashboards have them. */
export const PROMETHEUS_NAMES: HttpNames = {
  requests: 'http_requests_total',
  duration: 'http_request_duration_seconds',
  inFlight: 'http_requests_in_flight',
  requestSize: 'http_request_size_bytes',
  responseSize: 'http_response_size_bytes',
  timeToHeaders: 'http_time_to_headers_seconds',
  streamsInFlight: 'http_streams_in_flight',
  streamDuration: 'http_stream_duration_seconds',
  labels: ['method', 'route', 'code'],
  inFlightLabels: ['method'],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  unmatched: '<unmatched>',
}

/** OpenTelemetry semantic conventions for HTTP servers, as their Prometheus exporters spell them. */
export const OTEL_NAMES: HttpNames = {
  duration: 'http_server_request_duration_seconds',
  inFlight: 'http_server_active_requests',
  requestSize: 'http_server_request_body_size_bytes',
  responseSize: 'http_server_response_body_size_bytes',
  timeToHeaders: 'http_server_time_to_headers_seconds',
  streamsInFlight: 'http_server_active_streams',
  streamDuration: 'http_server_stream_duration_seconds',
  labels: ['http_request_method', 'http_route', 'http_response_status_code', 'url_scheme', 'error_type'],
  inFlightLabels: ['http_request_method', 'url_scheme'],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  unmatched: '',
}

/**
 * Names, labels and buckets of express-prom-bundle 8 with `includeMethod` and `includePath`:
 * `app.use(prometheus({ naming: expressPromBundleNaming }))`. Paths that matched a route are spelled as it spells those
 * whose parameters it has recognised.
 */
export const expressPromBundleNaming: HttpNaming = Object.freeze({
  duration: 'http_request_duration_seconds',
  labels: Object.freeze({ method: 'method', route: 'path', code: 'status_code' }),
  buckets: Object.freeze([0.003, 0.03, 0.1, 0.3, 1.5, 10]),
  parameters: '#val',
})

/**
 * Names, labels and buckets of promster 14 as it comes, with methods in lower case:
 * `app.use(prometheus({ naming: promsterNaming }))`. Paths are spelled as with {@link expressPromBundleNaming}.
 */
export const promsterNaming: HttpNaming = Object.freeze({
  requests: 'http_requests_total',
  duration: 'http_request_duration_seconds',
  requestSize: 'http_request_content_length_bytes',
  responseSize: 'http_response_content_length_bytes',
  labels: Object.freeze({ method: 'method', route: 'path', code: 'status_code' }),
  buckets: Object.freeze([0.05, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 3, 10]),
  parameters: '#val',
  lowerCaseMethods: true,
})

/**
 * Names, labels and buckets of fastify-metrics 14 as it comes, its summary aside:
 * `await app.register(prometheus, { naming: fastifyMetricsNaming })`.
 */
export const fastifyMetricsNaming: HttpNaming = Object.freeze({
  duration: 'http_request_duration_seconds',
  labels: Object.freeze({ method: 'method', route: 'route', code: 'status_code' }),
  unmatched: '__unknown__',
})

const NAMING_OPTIONS = [
  'requests',
  'duration',
  'inFlight',
  'requestSize',
  'responseSize',
  'timeToHeaders',
  'streamsInFlight',
  'streamDuration',
  'help',
  'labels',
  'buckets',
  'unmatched',
  'parameters',
  'lowerCaseMethods',
]

/**
 * The names that the option `naming` stands for. Throws `MetricError` for what is none of its values, and for an
 * `HttpNaming` that has something unknown or of a wrong type; whether names are valid is checked where they are defined.
 */
export function namesFrom(naming: 'prometheus' | 'otel' | HttpNaming = 'prometheus'): HttpNames {
  if (naming === 'prometheus') return PROMETHEUS_NAMES
  if (naming === 'otel') return OTEL_NAMES
  checkNaming(naming)
  const { labels, buckets, unmatched, parameters, ...names } = naming
  const { requests: _, inFlight: __, ...defaults } = PROMETHEUS_NAMES
  const { method = 'method', route = 'route', code = 'code' } = labels ?? {}
  return {
    ...defaults,
    ...definedOf(names),
    labels: [method, route, code],
    inFlightLabels: [method],
    buckets: buckets ?? PROMETHEUS_NAMES.buckets,
    unmatched: unmatched ?? PROMETHEUS_NAMES.unmatched,
    ...(parameters !== undefined && { spell: spellerOf(parameters) }),
  }
}

/** How metrics named by the option `naming` call the route of a request that matched nothing, for a `route` option. */
export function unmatchedRoute(naming?: 'prometheus' | 'otel' | HttpNaming): string {
  return namesFrom(naming).unmatched
}

function checkNaming(naming: HttpNaming): void {
  const subject = 'HttpMetrics'
  const refuse = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument, rule, value })
  }
  if (!isObject(naming)) refuse('naming', "to be 'prometheus' or 'otel', or an object of names", naming)
  refuseUnknownOptions('HttpNaming', undefined, naming, NAMING_OPTIONS)
  const { duration, help = {}, labels = {}, buckets, lowerCaseMethods, ...texts } = naming
  if (typeof duration !== 'string') refuse('naming.duration', 'to be a string', duration)
  if (!isObject(help)) refuse('naming.help', 'to be an object of strings', help)
  if (!isObject(labels)) refuse('naming.labels', 'to be an object of strings', labels)
  refuseUnknownOptions('HttpNaming.help', undefined, help, NAMING_OPTIONS.slice(0, 8))
  refuseUnknownOptions('HttpNaming.labels', undefined, labels, ['method', 'route', 'code'])
  for (const [prefix, group] of [
    ['', texts],
    ['help.', help],
    ['labels.', labels],
  ] as const) {
    for (const [name, value] of Object.entries(group)) {
      if (value !== undefined && typeof value !== 'string') refuse(`naming.${prefix}${name}`, 'to be a string', value)
    }
  }
  if (buckets !== undefined && !Array.isArray(buckets)) refuse('naming.buckets', 'to be an array of numbers', buckets)
  if (lowerCaseMethods !== undefined && typeof lowerCaseMethods !== 'boolean') {
    refuse('naming.lowerCaseMethods', 'to be a boolean', lowerCaseMethods)
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function definedOf<Group extends object>(group: Group): Group {
  return Object.fromEntries(Object.entries(group).filter(([, value]) => value !== undefined)) as Group
}

/** Routes are few, unless the option `route` names too many: those are spelled anew each time. */
const SPELLINGS = 1000

function spellerOf(parameters: string): (route: string) => string {
  const known = new Map<string, string>()
  return (route) => {
    let spelled = known.get(route)
    if (spelled === undefined) {
      spelled = route.replaceAll(/\/:[^/]*/g, () => `/${parameters}`)
      if (known.size < SPELLINGS) known.set(route, spelled)
    }
    return spelled
  }
}

/** The methods of HTTP as OpenTelemetry lists them: a client cannot invent others. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY']
const UPPER_CASE: ReadonlyMap<string | undefined, string> = new Map(METHODS.map((method) => [method, method]))
const LOWER_CASE: ReadonlyMap<string | undefined, string> = new Map(
  METHODS.map((method) => [method, method.toLowerCase()]),
)

/** Every method that is known, as metrics with these names spell it. */
export function methodsOf(names: HttpNames): ReadonlyMap<string | undefined, string> {
  return names.lowerCaseMethods === true ? LOWER_CASE : UPPER_CASE
}

/** A method that is among `methods`, as it is spelled there, or `_OTHER`. */
export function knownMethod(method: string | undefined, methods = UPPER_CASE): string {
  return methods.get(method) ?? '_OTHER'
}

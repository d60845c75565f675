/** What the metrics of HTTP servers are called, and what their labels are called. */
export interface HttpNames {
  /** Absent where the histogram's own count is meant to be used. */
  readonly requests?: string
  readonly duration: string
  readonly inFlight: string
  readonly requestSize: string
  readonly responseSize: string
  readonly timeToHeaders: string
  readonly streamsInFlight: string
  readonly streamDuration: string
  /** Of everything that is known at the end of a request: method, route, code, and with OpenTelemetry two more. */
  readonly labels: readonly string[]
  /** Of what is known at its beginning. */
  readonly inFlightLabels: readonly string[]
  /** Seconds. */
  readonly buckets: readonly number[]
  /** The route of a request that matched nothing; an empty one leaves the label out. */
  readonly unmatched: string
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

/** The methods of HTTP as OpenTelemetry lists them: a client cannot invent others. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY'])

/** A method that is known, or `_OTHER`. */
export function knownMethod(method: string | undefined): string {
  return method !== undefined && METHODS.has(method) ? method : '_OTHER'
}

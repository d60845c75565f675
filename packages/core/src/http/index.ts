export { type AdapterOptions, type AdapterParts, adapterParts, isTargetAt } from './adapter-options.ts'
export { metricsHandler, type MetricsHandler, type MetricsHandlerOptions } from './handler.ts'
export { metricsResponse, type MetricsResponseOptions } from './response.ts'
export { type ScrapeOptions } from './scrape.ts'
export { type Probe, type ProbeFunction, type ProbeTarget } from '../exporter/probe.ts'
export { type AllowedTarget, probeHandler, type ProbeHandlerOptions } from './probe-handler.ts'
export { type AcceptedCredentials } from './credentials.ts'
export { type MetricsServer, startMetricsServer } from './server.ts'
export { type MetricsServerOptions } from './server-options.ts'
export { type ArrivalListener, Arrivals } from './arrivals.ts'
export { Exchange, type ExchangeListener, type FrameworkView } from './exchange.ts'
export { keepClassOf } from './kept-class.ts'
export { type Connection, connectionOf, firstOn } from './line.ts'
export { ownSymbolOf } from './own-symbol.ts'
export {
  expressPromBundleNaming,
  fastifyMetricsNaming,
  type HttpMetric,
  type HttpNaming,
  promsterNaming,
  unmatchedRoute,
} from './request-labels.ts'
export {
  HTTP_METRICS_DEFAULTS,
  HTTP_METRICS_OPTIONS,
  type HttpMetricsOptions,
  type PathPattern,
} from './http-metrics-options.ts'
export { HttpMetrics } from './request-metrics.ts'
export {
  type ClientMetricsOptions,
  type InstrumentedClients,
  instrumentClients,
  instrumentFetch,
} from './instrument-clients.ts'
export { type InstrumentableServer, type InstrumentedServer, instrumentServer } from './instrument-server.ts'
export { SCRAPE_OPTIONS } from './scrape.ts'

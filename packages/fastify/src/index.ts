export { type FastifyMetrics, prometheus, prometheus as default, type PrometheusOptions } from './plugin.ts'
export { type RouteMetricsOptions } from './route-metrics.ts'

/** The options of the module, checked. */
export const PROMETHEUS_OPTIONS = Symbol('@narthex/nestjs/options')

/** What answers scrapes in a controller: a {@link MetricsPage}. */
export const METRICS_PAGE = Symbol('@narthex/nestjs/page')

/** What hooks the recorder into the application's server. */
export const HTTP_INSTRUMENTATION = Symbol('@narthex/nestjs/http')

const METRIC = '@narthex/nestjs/metric/'

/** The token of a metric that one of the `make…Provider` functions provides. Case counts, as it does in names. */
export function getMetricToken(name: string): string {
  return METRIC + name
}

/** The name in a token that {@link getMetricToken} made, undefined for others. */
export function metricNameOf(token: unknown): string | undefined {
  return typeof token === 'string' && token.startsWith(METRIC) ? token.slice(METRIC.length) : undefined
}

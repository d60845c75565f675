/** The options of the module, checked. */
export const PROMETHEUS_OPTIONS = Symbol('@narthex/nestjs/options')

/** What answers scrapes in a controller: a {@link MetricsPage}. */
export const METRICS_PAGE = Symbol('@narthex/nestjs/page')

/** What hooks the recorder into the application's server. */
export const HTTP_INSTRUMENTATION = Symbol('@narthex/nestjs/http')

/** The token of a metric that one of the `make…Provider` functions provides. Case counts, as it does in names. */
export function getMetricToken(name: string): string {
  return `@narthex/nestjs/metric/${name}`
}

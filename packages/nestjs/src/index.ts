export { PrometheusModule } from './prometheus.module.ts'
export { type MetricsPage, PrometheusController } from './prometheus.controller.ts'
export {
  type HttpRequest,
  type PrometheusModuleAsyncOptions,
  type PrometheusModuleExtras,
  type PrometheusModuleOptions,
  type PrometheusOptionsFactory,
} from './prometheus.options.ts'
export {
  makeCounterProvider,
  makeEnumProvider,
  makeGaugeProvider,
  makeHistogramProvider,
  makeInfoProvider,
  makeSummaryProvider,
  type MetricProviderOptions,
} from './prometheus.providers.ts'
export { getMetricToken } from './prometheus.tokens.ts'
export { InjectMetric } from './decorators/inject-metric.decorator.ts'
export { SkipMetrics } from './decorators/skip-metrics.decorator.ts'
export { Timed, type TimedOptions } from './decorators/timed.decorator.ts'
export { Counted, type CountedOptions } from './decorators/counted.decorator.ts'
export { InProgress } from './decorators/in-progress.decorator.ts'
export { type MeasureOptions } from './decorators/measured-method.ts'

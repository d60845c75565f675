export { Counter, CounterChild, type CounterOptions, type ErrorClass } from './metrics/counter.ts'
export { Gauge, GaugeChild, type GaugeOptions } from './metrics/gauge.ts'
export { Histogram, type HistogramOptions } from './metrics/histogram.ts'
export { HistogramChild } from './metrics/histogram-child.ts'
export { type NativeHistogramOptions } from './metrics/native-histogram.ts'
export { Summary, SummaryChild, type SummaryOptions } from './metrics/summary.ts'
export { Info, InfoChild, type InfoOptions } from './metrics/info.ts'
export { Enum, EnumChild, type EnumOptions } from './metrics/enum.ts'
export { Metric, type LabelArgument, type MetricChild, type MetricOptions, type WithLabels } from './metrics/metric.ts'
export { linearBuckets, exponentialBuckets, exponentialBucketsRange } from './metrics/buckets.ts'
export { type ExemplarLabels } from './metrics/exemplar.ts'
export { type FindExemplar } from './metrics/exemplar-sampler.ts'
export { type SpanApi, traceExemplars } from './opentelemetry.ts'
export { type AnyFunction, type MethodDecorator } from './metrics/wrap.ts'
export { type Timer } from './timer.ts'

export { type AnyMetric, defaultRegistry, Registry, type RegistryOptions } from './registry.ts'
export {
  type Collection,
  type CollectOptions,
  type CollectorScope,
  type Collector,
  type CollectorHost,
  type ExemplarSource,
  type FamilyDescription,
  type Gatherer,
  type GatherOptions,
  type Loss,
  type Registrar,
} from './collector.ts'
export {
  CounterMetricFamily,
  type FamilyLabels,
  GaugeHistogramMetricFamily,
  GaugeMetricFamily,
  HistogramMetricFamily,
  type HistogramValue,
  InfoMetricFamily,
  type MetricFamilyOptions,
  type SeriesTimes,
  StateSetMetricFamily,
  SummaryMetricFamily,
  UnknownMetricFamily,
  type ValueMetricFamilyOptions,
} from './metric-families.ts'
export {
  type Aggregation,
  type Bucket,
  type BucketSpan,
  type Exemplar,
  type HistogramSeries,
  type InfoSeries,
  type MetricFamily,
  type MetricType,
  type NativeHistogram,
  type Quantile,
  type Sample,
  samplesOf,
  type Series,
  type SeriesBase,
  type SeriesOf,
  type Spans,
  type StateSetSeries,
  type SummarySeries,
  type ValueSeries,
} from './family.ts'
export { type Labels, type LabelValue, type LabelValues } from './labels.ts'
export { type EscapingScheme } from './names.ts'

export { encode, encodeStream, type EncodeStreamOptions } from './exposition/encode.ts'
export { type ExpositionFormat } from './exposition/format.ts'
export { negotiate } from './exposition/negotiate.ts'
export { openMetricsFormat } from './exposition/openmetrics.ts'
export { protobufFormat } from './exposition/protobuf.ts'
export { textFormat, textFormat1 } from './exposition/text.ts'
export { ByteWriter } from './exposition/writer.ts'

export { MetricError, type MetricErrorCode, type MetricErrorDetails } from './errors.ts'

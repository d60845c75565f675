import { formatFloat } from './float.ts'
import type { Labels } from './labels.ts'

/** The types of OpenMetrics 1.0. Text 0.0.4 and protobuf spell some of them with their own, poorer words. */
export type MetricType =
  | 'counter'
  | 'gauge'
  | 'histogram'
  | 'gaugehistogram'
  | 'summary'
  | 'info'
  | 'stateset'
  | 'unknown'

/** An example observation, pointing from a number to a trace. */
export interface Exemplar {
  /** At most 128 code points, names and values together (OpenMetrics 1.0, "Exemplars"). */
  readonly labels: Labels
  readonly value: number
  /** Seconds since the epoch. */
  readonly timestamp?: number
}

/**
 * How the gauges of several processes make one number. `each` keeps them apart, with a label `pid`; `mostrecent` is the
 * one that was set last.
 */
export type Aggregation = (typeof AGGREGATIONS)[number]

export const AGGREGATIONS = ['sum', 'min', 'max', 'avg', 'mostrecent', 'each'] as const

/** What every series has. */
export interface SeriesBase {
  readonly labels: Labels
  /** Seconds since the epoch. Rarely right to set: the scraper stamps samples. */
  readonly timestamp?: number
  /** When counting began: seconds since the epoch. */
  readonly created?: number
  /**
   * When it was last set, in seconds since the epoch, 0 for never: where the latest of several processes counts. No page
   * shows it.
   */
  readonly updated?: number
}

/** A series of a counter, a gauge or an unknown family. */
export interface ValueSeries extends SeriesBase {
  readonly value: number
  readonly exemplar?: Exemplar
}

/** One classic bucket: `count` observations of at most `le`, all smaller ones included. */
export interface Bucket {
  readonly le: number
  readonly count: number
  readonly exemplar?: Exemplar
}

/** A run of adjacent native buckets: `offset` buckets after the end of the run before (the first: its index). */
export interface BucketSpan {
  readonly offset: number
  readonly length: number
}

/** The sparse buckets of one sign: integer counts as differences to the bucket before, or float counts as they are. */
export type Spans =
  | { readonly spans: readonly BucketSpan[]; readonly deltas: readonly number[] }
  | { readonly spans: readonly BucketSpan[]; readonly counts: readonly number[] }

/** The sparse, exponential buckets of a histogram (prometheus/docs, "Native Histograms"). */
export interface NativeHistogram {
  /** Resolution: `2 ** schema` buckets for each power of two, -4 to 8. */
  readonly schema: number
  /** Width of the zero bucket: observations whose magnitude is at most this. */
  readonly zeroThreshold: number
  readonly zeroCount: number
  readonly positive: Spans
  readonly negative: Spans
  readonly exemplars?: readonly Exemplar[]
}

/** A series of a histogram or a gauge histogram. `count` and `sum` are absent only where a parsed page left them out. */
export interface HistogramSeries extends SeriesBase {
  readonly count?: number
  readonly sum?: number
  /** In increasing order of `le`, cumulative; the last one is +Inf. Empty for a purely native histogram. */
  readonly buckets: readonly Bucket[]
  readonly native?: NativeHistogram
}

/** One precomputed quantile, NaN where nothing was observed. */
export interface Quantile {
  readonly quantile: number
  readonly value: number
}

export interface SummarySeries extends SeriesBase {
  readonly count?: number
  readonly sum?: number
  readonly quantiles: readonly Quantile[]
  /** What the quantiles are read from, where it is known: values with their counts, in no order. Digests add up. */
  readonly digest?: Iterable<readonly [value: number, count: number]>
}

/** The facts of an Info are its labels. */
export interface InfoSeries extends SeriesBase {
  /** The labels that tell it from its siblings, where it is known which of them are not facts. */
  readonly identity?: Labels
}

export interface StateSetSeries extends SeriesBase {
  readonly states: readonly { readonly name: string; readonly enabled: boolean }[]
}

/** Which series a family of a type holds. */
export interface SeriesOf {
  counter: ValueSeries
  gauge: ValueSeries
  unknown: ValueSeries
  histogram: HistogramSeries
  gaugehistogram: HistogramSeries
  summary: SummarySeries
  info: InfoSeries
  stateset: StateSetSeries
}

interface FamilyOf<Type extends MetricType> {
  /** Without the suffixes of its samples: `my_failures`, not `my_failures_total`. */
  readonly name: string
  readonly help: string
  readonly type: Type
  /** A base unit that the name ends in. */
  readonly unit?: string
  /** A counter whose samples carry no `_total` (OpenMetrics writes it all the same). */
  readonly totalSuffix?: false
  /** How a gauge of several processes makes one: `sum` where it is not told. */
  readonly aggregation?: Aggregation
  /** A gauge whose processes count after their end, too. */
  readonly live?: false
  /** Can be iterated again and again; what it yields is a snapshot of that moment. */
  readonly series: Iterable<SeriesOf[Type]>
}

/**
 * Whatever can be exposed: metrics yield it, collectors build it, parsers return it, encoders write it, merges combine
 * it and lint reads it. A plain, readonly view; series are made while they are iterated, so a family costs nothing
 * until somebody reads it.
 */
export type MetricFamily = { [Type in MetricType]: FamilyOf<Type> }[MetricType]

/** A series of any type. */
export type Series = SeriesOf[MetricType]

/** One line of a page. */
export interface Sample {
  readonly name: string
  readonly labels: Labels
  readonly value: number
  readonly timestamp?: number
  readonly exemplar?: Exemplar
}

/**
 * The name that a counter's samples bear.
 */
export function counterSampleName(family: { readonly name: string; readonly totalSuffix?: false }): string {
  return family.totalSuffix === false ? family.name : `${family.name}_total`
}

/**
 * Flattens a family into the lines of a page, suffixes, `le` and `quantile` included (spelled as in text 0.0.4:
 * `1`, `+Inf`), created times not. Lazy: a line is made when it is read.
 */
export function* samplesOf(family: MetricFamily): Generator<Sample> {
  const { name } = family
  switch (family.type) {
    case 'counter':
    case 'gauge':
    case 'unknown': {
      const sampleName = family.type === 'counter' ? counterSampleName(family) : name
      for (const series of family.series) {
        yield sample(sampleName, series.labels, series.value, series.timestamp, series.exemplar)
      }
      return
    }
    case 'histogram':
    case 'gaugehistogram': {
      const [count, sum] = family.type === 'histogram' ? ['_count', '_sum'] : ['_gcount', '_gsum']
      for (const { labels, timestamp, ...series } of family.series) {
        for (const bucket of series.buckets) {
          const bucketLabels = { ...labels, le: formatFloat(bucket.le) }
          yield sample(`${name}_bucket`, bucketLabels, bucket.count, timestamp, bucket.exemplar)
        }
        if (series.sum !== undefined) yield sample(name + sum, labels, series.sum, timestamp)
        if (series.count !== undefined) yield sample(name + count, labels, series.count, timestamp)
      }
      return
    }
    case 'summary':
      for (const { labels, timestamp, ...series } of family.series) {
        for (const { quantile, value } of series.quantiles) {
          yield sample(name, { ...labels, quantile: formatFloat(quantile) }, value, timestamp)
        }
        if (series.sum !== undefined) yield sample(`${name}_sum`, labels, series.sum, timestamp)
        if (series.count !== undefined) yield sample(`${name}_count`, labels, series.count, timestamp)
      }
      return
    case 'info':
      for (const { labels, timestamp } of family.series) yield sample(`${name}_info`, labels, 1, timestamp)
      return
    case 'stateset':
      for (const { labels, timestamp, states } of family.series) {
        for (const state of states) {
          yield sample(name, { ...labels, [name]: state.name }, state.enabled ? 1 : 0, timestamp)
        }
      }
  }
}

function sample(name: string, labels: Labels, value: number, timestamp?: number, exemplar?: Exemplar): Sample {
  return {
    name,
    labels,
    value,
    ...(timestamp === undefined ? undefined : { timestamp }),
    ...(exemplar === undefined ? undefined : { exemplar }),
  }
}

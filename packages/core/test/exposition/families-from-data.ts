import type { Exemplar, Labels, MetricFamily, NativeHistogram, Series } from '@narthex/core'

/** A MetricFamily of io.prometheus.client as the conformance data spell it. */
export interface DataFamily {
  readonly name: string
  readonly help?: string
  readonly type?: string
  readonly unit?: string
  readonly metric: readonly DataMetric[]
}

type Num = number | string
type Time = { readonly seconds: number; readonly nanos?: number }
type DataExemplar = {
  readonly label?: readonly { name: string; value: string }[]
  readonly value: Num
  readonly timestamp?: Time
}
interface DataHistogram {
  readonly sample_count?: Num
  readonly sample_count_float?: Num
  readonly sample_sum?: Num
  readonly bucket?: readonly {
    cumulative_count?: Num
    cumulative_count_float?: Num
    upper_bound: Num
    exemplar?: DataExemplar
  }[]
  readonly schema?: number
  readonly zero_threshold?: number
  readonly zero_count?: Num
  readonly zero_count_float?: Num
  readonly negative_span?: readonly { offset: number; length: number }[]
  readonly negative_delta?: readonly number[]
  readonly negative_count?: readonly number[]
  readonly positive_span?: readonly { offset: number; length: number }[]
  readonly positive_delta?: readonly number[]
  readonly positive_count?: readonly number[]
  readonly created_timestamp?: Time
  readonly start_timestamp?: Time
}
interface DataMetric {
  readonly label?: readonly { name: string; value: string }[]
  readonly timestamp_ms?: number
  readonly gauge?: { value: Num }
  readonly untyped?: { value: Num }
  readonly counter?: { value: Num; exemplar?: DataExemplar; created_timestamp?: Time; start_timestamp?: Time }
  readonly summary?: {
    sample_count?: Num
    sample_sum?: Num
    quantile?: readonly { quantile: Num; value: Num }[]
    created_timestamp?: Time
    start_timestamp?: Time
  }
  readonly histogram?: DataHistogram
}

const TYPES: Readonly<Record<string, MetricFamily['type']>> = {
  COUNTER: 'counter',
  GAUGE: 'gauge',
  SUMMARY: 'summary',
  UNTYPED: 'unknown',
  HISTOGRAM: 'histogram',
  GAUGE_HISTOGRAM: 'gaugehistogram',
}

/** What client_golang hands to its encoders, as this package models it. */
export function familyFromData({ name, help = '', type = 'COUNTER', unit, metric }: DataFamily): MetricFamily {
  const isCounter = type === 'COUNTER'
  const hasTotal = name.endsWith('_total')
  return {
    name: isCounter && hasTotal ? name.slice(0, -'_total'.length) : name,
    help,
    type: TYPES[type],
    ...(unit !== undefined && { unit }),
    ...(isCounter && !hasTotal && { totalSuffix: false }),
    series: metric.map(seriesFrom),
  } as MetricFamily
}

function seriesFrom(metric: DataMetric): Series {
  const { gauge, untyped, counter, summary, histogram } = metric
  const base = {
    labels: labelsFrom(metric.label),
    ...(metric.timestamp_ms !== undefined && { timestamp: metric.timestamp_ms / 1000 }),
    ...createdFrom(counter ?? summary ?? histogram),
  }
  if (summary !== undefined) {
    const quantiles = (summary.quantile ?? []).map((one) => ({
      quantile: numberFrom(one.quantile),
      value: numberFrom(one.value),
    }))
    return { ...base, ...sumFrom(summary.sample_sum), ...countFrom(summary.sample_count), quantiles }
  }
  if (histogram !== undefined) return { ...base, ...histogramFrom(histogram) } as Series
  const { value } = (gauge ?? untyped ?? counter) as { value: Num }
  return { ...base, value: numberFrom(value), ...(counter?.exemplar && { exemplar: exemplarFrom(counter.exemplar) }) }
}

function histogramFrom(histogram: DataHistogram): object {
  const buckets = (histogram.bucket ?? []).map((one) => ({
    le: numberFrom(one.upper_bound),
    count: numberFrom(one.cumulative_count ?? one.cumulative_count_float ?? 0),
    ...(one.exemplar && { exemplar: exemplarFrom(one.exemplar) }),
  }))
  const isNative = histogram.positive_span !== undefined || histogram.negative_span !== undefined
  return {
    ...sumFrom(histogram.sample_sum),
    ...countFrom(histogram.sample_count ?? histogram.sample_count_float),
    buckets,
    ...(isNative && { native: nativeFrom(histogram) }),
  }
}

function nativeFrom(data: DataHistogram): NativeHistogram {
  const side = (sign: 'positive' | 'negative'): NativeHistogram['positive'] => {
    const spans = data[`${sign}_span`] ?? []
    const counts = data[`${sign}_count`]
    return counts === undefined ? { spans, deltas: data[`${sign}_delta`] ?? [] } : { spans, counts }
  }
  return {
    schema: data.schema ?? 0,
    zeroThreshold: data.zero_threshold ?? 0,
    zeroCount: numberFrom(data.zero_count ?? data.zero_count_float ?? 0),
    positive: side('positive'),
    negative: side('negative'),
  }
}

function exemplarFrom({ label, value, timestamp }: DataExemplar): Exemplar {
  return {
    labels: labelsFrom(label),
    value: numberFrom(value),
    ...(timestamp && { timestamp: secondsFrom(timestamp) }),
  }
}

function createdFrom(part: { created_timestamp?: Time; start_timestamp?: Time } | undefined): { created?: number } {
  const time = part?.created_timestamp ?? part?.start_timestamp
  return time === undefined ? {} : { created: secondsFrom(time) }
}

function sumFrom(sum: Num | undefined): { sum?: number } {
  return sum === undefined ? {} : { sum: numberFrom(sum) }
}

function countFrom(count: Num | undefined): { count?: number } {
  return count === undefined ? {} : { count: numberFrom(count) }
}

function labelsFrom(pairs: readonly { name: string; value: string }[] = []): Labels {
  return Object.fromEntries(pairs.map(({ name, value }) => [name, value]))
}

function secondsFrom({ seconds, nanos = 0 }: Time): number {
  return seconds + nanos / 1e9
}

function numberFrom(value: Num): number {
  return typeof value === 'number' ? value : Number(value.replace(/^([+-]?)Inf$/, '$1Infinity'))
}

/** A family as the Python client builds it: of lines. */
export interface PythonFamily {
  readonly name: string
  readonly help: string
  readonly type: MetricFamily['type']
  readonly samples: readonly PythonSample[]
}

interface PythonSample {
  readonly name: string
  readonly labels: Labels
  readonly value: Num
  readonly exemplar?: Exemplar
}

/** What the Python client hands to its encoders. Native histograms are left out: only OpenMetrics 2.0 has them in text. */
export function familyFromPython({ name, help, type, samples }: PythonFamily): MetricFamily {
  const groups = new Map<string, { labels: Labels; lines: PythonSample[] }>()
  for (const one of samples) {
    const { le: _le, quantile: _quantile, [type === 'stateset' ? name : '']: _state, ...labels } = one.labels
    const key = JSON.stringify(labels)
    const group = groups.get(key) ?? { labels, lines: [] }
    groups.set(key, group)
    group.lines.push(one)
  }
  const series = [...groups.values()].map(({ labels, lines }) => ({ labels, ...pythonSeries(name, type, lines) }))
  return { name, help, type, series } as unknown as MetricFamily
}

function pythonSeries(name: string, type: MetricFamily['type'], lines: readonly PythonSample[]): object {
  const valueOf = (...suffixes: string[]): number | undefined => {
    const line = lines.find((one) => suffixes.some((suffix) => one.name === name + suffix))
    return line === undefined ? undefined : numberFrom(line.value)
  }
  const created = valueOf('_created')
  const base = created === undefined ? {} : { created }
  switch (type) {
    case 'histogram':
    case 'gaugehistogram': {
      const buckets = lines
        .filter((one) => one.name === `${name}_bucket`)
        .map(({ labels, value, exemplar }) => ({
          le: numberFrom(labels['le'] as string),
          count: numberFrom(value),
          exemplar,
        }))
      return { ...base, sum: valueOf('_sum', '_gsum'), count: valueOf('_count', '_gcount'), buckets }
    }
    case 'stateset':
      return { states: lines.map(({ labels, value }) => ({ name: labels[name], enabled: value === 1 })) }
    case 'info':
      return {}
    default: {
      const line = lines.find((one) => one.name !== `${name}_created`) as PythonSample
      return { ...base, value: numberFrom(line.value), ...(line.exemplar && { exemplar: line.exemplar }) }
    }
  }
}

import type { Exemplar, MetricType, NativeHistogram, Quantile } from '../family.ts'
import type { Labels } from '../labels.ts'

/** What a line is to its family. `bare` is a line that bears the family's name where its type has no such sample. */
export type SamplePart = 'value' | 'created' | 'bucket' | 'sum' | 'count' | 'info' | 'state' | 'quantile' | 'bare'

/** From the suffix of a sample's name to its part, for each type. */
export type SampleParts = Readonly<Record<MetricType, Readonly<Record<string, SamplePart>>>>

/** OpenMetrics 1.0, "Suffixes". */
export const OPENMETRICS_PARTS: SampleParts = {
  counter: { _total: 'value', _created: 'created' },
  gauge: { '': 'value' },
  histogram: { _bucket: 'bucket', _sum: 'sum', _count: 'count', _created: 'created' },
  gaugehistogram: { _bucket: 'bucket', _gsum: 'sum', _gcount: 'count' },
  summary: { '': 'quantile', _sum: 'sum', _count: 'count', _created: 'created' },
  info: { _info: 'info' },
  stateset: { '': 'state' },
  unknown: { '': 'value' },
}

/** What the Prometheus server finds in OpenMetrics pages besides: any line with the family's own name, for one. */
export const LENIENT_PARTS: SampleParts = {
  ...OPENMETRICS_PARTS,
  counter: { ...OPENMETRICS_PARTS.counter, '': 'bare' },
  histogram: { ...OPENMETRICS_PARTS.histogram, '': 'bare' },
  gaugehistogram: { ...OPENMETRICS_PARTS.gaugehistogram, _sum: 'sum', _count: 'count', '': 'bare' },
  info: { ...OPENMETRICS_PARTS.info, '': 'bare' },
}

/** Text 0.0.4: a counter has no suffix of its own, a gauge histogram either spelling (prometheus/common). */
export const TEXT_PARTS: SampleParts = {
  counter: { '': 'value' },
  gauge: { '': 'value' },
  histogram: { '': 'bare', _bucket: 'bucket', _sum: 'sum', _count: 'count' },
  gaugehistogram: { '': 'bare', _bucket: 'bucket', _sum: 'sum', _count: 'count', _gsum: 'sum', _gcount: 'count' },
  summary: { '': 'quantile', _sum: 'sum', _count: 'count' },
  info: { '': 'value' },
  stateset: { '': 'value' },
  unknown: { '': 'value' },
}

/** What a line whose name is the family's and `suffix` is to a family of `type`; `undefined` where it is none of its. */
export function partOf(parts: SampleParts, type: MetricType, suffix: string): SamplePart | undefined {
  const ofType = parts[type]
  return Object.hasOwn(ofType, suffix) ? ofType[suffix] : undefined
}

/** The suffixes that any type has. No name ends in two of them. */
export const SAMPLE_SUFFIXES = ['_total', '_created', '_bucket', '_sum', '_count', '_gsum', '_gcount', '_info']

/** The label that tells the lines of one series apart. */
export function partLabel(part: SamplePart, family: string): string | undefined {
  switch (part) {
    case 'bucket':
      return 'le'
    case 'quantile':
      return 'quantile'
    case 'state':
      return family
    default:
      return undefined
  }
}

/** A series while its lines come in. */
export interface SeriesDraft {
  labels: Labels
  timestamp?: number
  created?: number
  value?: number
  exemplar?: Exemplar
  count?: number
  sum?: number
  buckets?: { le: number; count: number; exemplar?: Exemplar }[]
  quantiles?: Quantile[]
  states?: { name: string; enabled: boolean }[]
  native?: NativeHistogram
}

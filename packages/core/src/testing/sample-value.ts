import { type MetricFamily, samplesOf } from '../family.ts'
import type { LabelValue } from '../labels.ts'
import { parsePage } from './metric-source.ts'

/** A registry, which knows its own samples. */
export interface SampleSource {
  getSampleValue(name: string, labels?: { readonly [name: string]: LabelValue }): number | undefined
}

/**
 * The value of the sample with this name and exactly these labels, `undefined` where there is none:
 * `getSampleValue(page, 'http_requests_total', { code: 200 })`. `le` and `quantile` are spelled as in text 0.0.4: `1`,
 * `+Inf`. A registry is read as it is now, without running callbacks; of families and pages every sample is looked at.
 *
 * Throws `ParseError` for a page that is neither text nor OpenMetrics.
 */
export function getSampleValue(
  source: SampleSource | Iterable<MetricFamily> | string,
  name: string,
  labels: { readonly [name: string]: LabelValue } = {},
): number | undefined {
  if (typeof source === 'object' && 'getSampleValue' in source) return source.getSampleValue(name, labels)
  const wanted = Object.entries(labels).filter(([, value]) => value !== '')
  for (const family of typeof source === 'string' ? parsePage(source) : source) {
    for (const sample of samplesOf(family)) {
      if (sample.name !== name || Object.keys(sample.labels).length !== wanted.length) continue
      if (wanted.every(([label, value]) => sample.labels[label] === String(value))) return sample.value
    }
  }
  return undefined
}

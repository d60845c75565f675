import type { HistogramSeries, MetricFamily } from '../../family.ts'
import { isLegacyLabelName, isLegacyMetricName } from '../../names.ts'

/** A histogram, or a gauge histogram. */
export type HistogramFamily = Extract<MetricFamily, { type: 'histogram' | 'gaugehistogram' }>

export type CounterFamily = Extract<MetricFamily, { type: 'counter' }>

/** Four scrapes, or more where the graph is wide. Grafana puts it in. */
export const RATE_INTERVAL = '$__rate_interval'

/** What the viewer has chosen. */
const CHOSEN = 'job=~"$job", instance=~"$instance"'

/** The metric of that name, of the jobs and instances that the viewer has chosen: `up{job=~"$job", instance=~"$instance"}`. */
export function selector(name: string, ...matchers: readonly string[]): string {
  return isLegacyMetricName(name)
    ? `${name}{${[...matchers, CHOSEN].join(', ')}}`
    : `{${[quoted(name), ...matchers, CHOSEN].join(', ')}}`
}

/** `state="on"`; the operators are those of PromQL. */
export function matcher(label: string, operator: '=' | '=~' | '!=', value: string): string {
  return `${labelName(label)}${operator}${quoted(value)}`
}

/** How fast the counters or counts of that name grow, a second. */
export function rate(name: string, ...matchers: readonly string[]): string {
  return `rate(${selector(name, ...matchers)}[${RATE_INTERVAL}])`
}

/**
 * How fast a counter grows, a second. One without `_total` has it all the same where Prometheus was given OpenMetrics, so
 * both names are asked for.
 */
export function counterRate({ name, totalSuffix }: CounterFamily, ...matchers: readonly string[]): string {
  if (totalSuffix !== false) return rate(`${name}_total`, ...matchers)
  const either = matcher('__name__', '=~', `${escapedForRegExp(name)}(_total)?`)
  return `rate({${[either, ...matchers, CHOSEN].join(', ')}}[${RATE_INTERVAL}])`
}

/** `sum by (route) (…)`. */
export function sumBy(labels: readonly string[], expression: string): string {
  return aggregate('sum', labels, expression)
}

/** `max by (quantile) (…)`. */
export function maxBy(labels: readonly string[], expression: string): string {
  return aggregate('max', labels, expression)
}

/**
 * A quantile of what was observed lately. Of buckets that are classic or native; where the page has both, Prometheus
 * keeps the ones or the others, according to its configuration.
 */
export function quantile(q: number, histogram: HistogramFamily, by: readonly string[] = []): string {
  const { classic, native } = bucketsOf(histogram)
  const of = (name: string): string => (histogram.type === 'histogram' ? rate(name) : selector(name))
  const ways = [
    ...(classic ? [`histogram_quantile(${q}, ${sumBy(['le', ...by], of(`${histogram.name}_bucket`))})`] : []),
    ...(native ? [`histogram_quantile(${q}, ${sumBy(by, of(histogram.name))})`] : []),
  ]
  return ways.join(' or ')
}

/** How many observations a second. */
export function countRate(histogram: HistogramFamily, by: readonly string[], ...matchers: readonly string[]): string {
  const { classic, native } = bucketsOf(histogram)
  const ways = [
    ...(classic ? [sumBy(by, rate(`${histogram.name}_count`, ...matchers))] : []),
    ...(native ? [sumBy(by, `histogram_count(${rate(histogram.name, ...matchers)})`)] : []),
  ]
  return ways.length === 1 ? (ways[0] as string) : `(${ways.join(' or ')})`
}

/** What observations add up to, a second. */
export function sumRate(histogram: HistogramFamily, by: readonly string[]): string {
  const { classic, native } = bucketsOf(histogram)
  const ways = [
    ...(classic ? [sumBy(by, rate(`${histogram.name}_sum`))] : []),
    ...(native ? [sumBy(by, `histogram_sum(${rate(histogram.name)})`)] : []),
  ]
  return ways.join(' or ')
}

/** Text formats show a native histogram as one without buckets but that of +Inf. */
function bucketsOf({ series }: { series: Iterable<HistogramSeries> }): { classic: boolean; native: boolean } {
  let classic = false
  let native = false
  for (const { buckets, native: sparse } of series) {
    classic ||= buckets.some(({ le }) => Number.isFinite(le))
    native ||= sparse !== undefined
  }
  return { classic, native: native || !classic }
}

function aggregate(operator: string, labels: readonly string[], expression: string): string {
  return labels.length === 0
    ? `${operator}(${expression})`
    : `${operator} by (${labels.map(labelName).join(', ')}) (${expression})`
}

function labelName(name: string): string {
  return isLegacyLabelName(name) ? name : quoted(name)
}

/** A string of PromQL is one of Go, which reads all that JSON writes. */
function quoted(text: string): string {
  return JSON.stringify(text)
}

function escapedForRegExp(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

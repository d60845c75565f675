import type { HistogramSeries, MetricFamily, Series, StateSetSeries, SummarySeries, ValueSeries } from '../family.ts'
import { escapeLabelName, escapeName, type EscapingScheme } from '../names.ts'
import { timestampRule } from './refusal.ts'

/**
 * What a series breaks of the rules that OpenMetrics 1.0 has for its type ("Metric Types"), undefined where it can be
 * written. A reader that finds one of them broken refuses the whole page. Costs a pass over the buckets.
 */
export function openMetricsRule(family: MetricFamily, series: Series, escaping: EscapingScheme): string | undefined {
  const rule = timestampRule(series)
  if (rule !== undefined) return rule
  switch (family.type) {
    case 'counter':
      return (series as ValueSeries).value >= 0 ? undefined : 'to have values >= 0, as counters have in OpenMetrics'
    case 'histogram':
    case 'gaugehistogram':
      return bucketRule(series as HistogramSeries)
    case 'summary':
      return summaryRule(series as SummarySeries)
    case 'stateset':
      // The label bears the family's name, which may have a colon where a label may not.
      if (escapeLabelName(family.name, escaping) !== escapeName(family.name, escaping)) {
        return 'to belong to a state set whose name can name a label'
      }
      return stateRule(series as StateSetSeries)
    default:
      return undefined
  }
}

function bucketRule({ buckets, count }: HistogramSeries): string | undefined {
  let bound = Number.NaN
  let total = 0
  for (let index = 0; index < buckets.length; index++) {
    const bucket = buckets[index]!
    if (index === 0 ? bucket.le !== bucket.le : !(bucket.le > bound))
      return 'to have buckets in increasing order of `le`'
    if (!(bucket.count >= total) || !Number.isInteger(bucket.count))
      return 'to have cumulative whole counts in its buckets'
    bound = bucket.le
    total = bucket.count
  }
  if (count === undefined) return bound === Infinity ? undefined : 'to have a count or a bucket for +Inf'
  const agrees = bound === Infinity ? count === total : count >= total && Number.isInteger(count)
  return agrees ? undefined : 'to have a whole count that its buckets agree with'
}

/**
 * Whether a histogram shows sum and count, which OpenMetrics has both or neither: a histogram's sum only grows, so one
 * that sees negative values has none; a gauge histogram's may be negative where a bound is.
 */
export function showsSum({ type }: MetricFamily, { buckets, sum, count, native }: HistogramSeries): boolean {
  if (sum === undefined || count === undefined) return false
  const negativeBound = buckets.length > 0 && buckets[0]!.le < 0
  if (type === 'gaugehistogram') return sum >= 0 || (sum < 0 && negativeBound)
  return sum >= 0 && !negativeBound && (native === undefined || native.negative.spans.length === 0)
}

function summaryRule({ quantiles, sum, count }: SummarySeries): string | undefined {
  if (sum !== undefined && !(sum >= 0)) return 'to have a sum >= 0'
  if (count !== undefined && !(count >= 0 && Number.isInteger(count))) return 'to have a whole count >= 0'
  for (const { quantile, value } of quantiles) {
    if (!(quantile >= 0 && quantile <= 1)) return 'to have quantiles between 0 and 1'
    if (value < 0) return 'to have quantiles whose values are >= 0 or NaN'
  }
  return undefined
}

function stateRule({ states }: StateSetSeries): string | undefined {
  const names = new Set<string>()
  for (const { name } of states) names.add(name)
  return names.size === states.length && !names.has('') ? undefined : 'to name each state, and each once'
}

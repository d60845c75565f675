import type { MetricType } from '../family.ts'
import type { SamplePart, SeriesDraft } from './sample-part.ts'

/** OpenMetrics 1.0, "Exemplars": code points of label names and values together. */
export const MAX_EXEMPLAR_CODE_POINTS = 128

/**
 * What the specification has against one sample (OpenMetrics 1.0, "Metric Types"), `undefined` for nothing. `bound` is
 * the number in its `le` or `quantile`, `text` how that is spelled.
 */
export function refusalOf(
  type: MetricType,
  part: SamplePart,
  value: number,
  bound: number | undefined,
  text: string,
): string | undefined {
  switch (part) {
    case 'value':
      return type !== 'counter' || value >= 0 ? undefined : 'expected a counter that is neither negative nor NaN'
    case 'created':
      return Number.isFinite(value) ? undefined : 'expected a time of creation in seconds'
    case 'bucket':
      if (bound === undefined || bound !== bound) return 'expected a number as the label `le`'
      // "Exposers MUST produce output for positive infinity as +Inf": the one spelling that is not free.
      if (bound === Infinity && text !== '+Inf') return 'expected the last bucket to be spelled `+Inf`'
      return isCount(value) ? undefined : 'expected a bucket that is a whole number, not negative'
    case 'count':
      return isCount(value) ? undefined : 'expected a count that is a whole number, not negative'
    case 'sum':
      if (type === 'gaugehistogram') return value === value ? undefined : 'expected a sum that is not NaN'
      return value >= 0 ? undefined : 'expected a sum that is neither negative nor NaN'
    case 'quantile':
      if (bound === undefined || !(bound >= 0 && bound <= 1)) return 'expected a quantile from 0 to 1'
      return value < 0 ? 'expected a quantile whose value is not negative' : undefined
    case 'info':
      return value === 1 ? undefined : 'expected 1 as the value of an info'
    case 'state':
      return value === 0 || value === 1 ? undefined : 'expected 0 or 1 as the value of a state'
    default:
      return undefined
  }
}

/** What the specification has against a metric point as a whole, `undefined` for nothing. */
export function checkPoint(type: MetricType, { value, buckets, count, sum }: SeriesDraft): string | undefined {
  if (type === 'counter') return value === undefined ? 'expected the `_total` of the counter' : undefined
  if (type !== 'histogram' && type !== 'gaugehistogram') return undefined
  const last = buckets?.at(-1)
  if (last?.le !== Infinity) return 'expected a bucket with the bound `+Inf`'
  if ((count === undefined) !== (sum === undefined)) return 'expected both the sum and the count, or neither'
  if (count !== undefined && count !== last.count) return 'expected the count to equal the bucket of `+Inf`'
  const negative = buckets?.some(({ le }) => le < 0) ?? false
  if (type === 'histogram') return negative && sum !== undefined ? 'expected no sum beside negative bounds' : undefined
  return !negative && sum !== undefined && sum < 0 ? 'expected a negative sum beside negative bounds only' : undefined
}

function isCount(value: number): boolean {
  return value >= 0 && Number.isInteger(value)
}

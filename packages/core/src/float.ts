/**
 * A number as Go's `strconv.FormatFloat(x, 'g', -1, 64)` spells it, and -0 as `0`, which is what prometheus/common
 * writes: an exponent below 1e-4 and from 1e6, with two digits at least. The spelling of `le` and `quantile` is part of
 * a series' identity, so it must be this one.
 */
export function formatFloat(value: number): string {
  if (value === 0) return '0'
  if (value !== value) return 'NaN'
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  const magnitude = value < 0 ? -value : value
  if (magnitude >= 1e-4 && magnitude < 1e6) return String(value)
  const exponential = value.toExponential()
  const mark = exponential.lastIndexOf('e')
  const exponent = exponential.slice(mark + 2)
  return exponential.slice(0, mark + 2) + (exponent.length === 1 ? `0${exponent}` : exponent)
}

/**
 * A number as OpenMetrics writes it: {@link formatFloat} with `.0` behind whole numbers. `le` and `quantile` must be
 * spelled so (OpenMetrics 1.0, "Considerations: Canonical Numbers").
 */
export function formatOpenMetricsFloat(value: number): string {
  const text = formatFloat(value)
  return Number.isInteger(value) && !text.includes('e') ? `${text}.0` : text
}

/** Seconds since the epoch without an exponent, down to the nanosecond (OpenMetrics 1.0, "Timestamps"). */
export function formatSeconds(seconds: number): string {
  const text = String(seconds)
  return text.includes('e') ? seconds.toFixed(9) : text
}

import { MetricError } from './errors.ts'
import type { HistogramSeries, MetricFamily, Series, StateSetSeries, SummarySeries, ValueSeries } from './family.ts'
import { labelValueOf, type Labels } from './labels.ts'
import { isValidName, sampleNamesOf } from './names.ts'

/**
 * A family that somebody else built, made safe to write: a wrong name or type throws at once
 * (`ERR_NARTHEX_INVALID_FAMILY`), label values become strings and wrong numbers throw while the series are read, so that
 * no collector can bring a page down.
 */
export function checkedFamily(family: MetricFamily): MetricFamily {
  if (typeof family !== 'object' || family === null) return refuse(family, 'family', 'to be an object', family)
  const { name, help, type, unit, series } = family
  if (!isValidName(name)) refuse(family, 'name', 'to be a non-empty, well-formed string', name)
  if (!isKnownType(type)) refuse(family, 'type', 'to be a type of OpenMetrics', type)
  if (typeof series?.[Symbol.iterator] !== 'function') refuse(family, 'series', 'to be iterable', series)
  return {
    ...family,
    name,
    help: typeof help === 'string' ? help.toWellFormed() : '',
    type,
    unit: typeof unit === 'string' && unit !== '' ? unit.toWellFormed() : undefined,
    series: new CheckedSeries(family),
  } as MetricFamily
}

/** A family's series, each checked as it is read. A class: an iterable made anew for each family costs a page the most. */
class CheckedSeries implements Iterable<Series> {
  readonly #family: MetricFamily

  constructor(family: MetricFamily) {
    this.#family = family
  }

  *[Symbol.iterator](): Generator<Series> {
    const family = this.#family
    for (const series of family.series as Iterable<Series>) {
      const labels = checkedLabels(series.labels, family.name)
      checkNumbers(series, family)
      yield labels === series.labels ? series : { ...series, labels }
    }
  }
}

function refuse(family: MetricFamily, argument: string, rule: string, value: unknown): never {
  const metric = typeof family?.name === 'string' ? family.name : undefined
  throw new MetricError('ERR_NARTHEX_INVALID_FAMILY', { subject: 'MetricFamily', metric, argument, rule, value })
}

function isKnownType(type: unknown): boolean {
  try {
    return sampleNamesOf('', type as MetricFamily['type']).length > 0
  } catch {
    return false
  }
}

function checkedLabels(labels: Labels, metric: string): Labels {
  let copy: Record<string, string> | undefined
  for (const name in labels) {
    const value = labels[name]
    const text = labelValueOf(value, name, 'MetricFamily', metric)
    if (text === value) continue
    copy ??= { ...labels }
    copy[name] = text
  }
  return copy ?? labels
}

/** Those that a series of any type may have. */
const NUMBERS = ['value', 'count', 'sum', 'timestamp', 'created'] as const

function checkNumbers(series: Series, family: MetricFamily): void {
  const { type } = family
  const check = (field: string, value: unknown): void => {
    if (typeof value !== 'number') refuse(family, field, 'to be a number', value)
  }
  const optional = series as Partial<Record<'value' | 'count' | 'sum' | 'timestamp' | 'created', unknown>>
  for (const field of NUMBERS) if (optional[field] !== undefined) check(field, optional[field])
  if (type === 'counter' || type === 'gauge' || type === 'unknown') check('value', (series as ValueSeries).value)
  if (type === 'histogram' || type === 'gaugehistogram') {
    for (const { le, count } of (series as HistogramSeries).buckets) {
      check('buckets[].le', le)
      check('buckets[].count', count)
    }
  }
  if (type === 'summary') {
    for (const { quantile, value } of (series as SummarySeries).quantiles) {
      check('quantiles[].quantile', quantile)
      check('quantiles[].value', value)
    }
  }
  if (type === 'stateset') {
    for (const { name } of (series as StateSetSeries).states) {
      if (typeof name !== 'string') refuse(family, 'states[].name', 'to be a string', name)
    }
  }
}

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
  if (CHECKED.has(family)) return family
  const refuse = (argument: string, rule: string, value: unknown): never => {
    const metric = typeof family?.name === 'string' ? family.name : undefined
    throw new MetricError('ERR_NARTHEX_INVALID_FAMILY', { subject: 'MetricFamily', metric, argument, rule, value })
  }
  if (typeof family !== 'object' || family === null) return refuse('family', 'to be an object', family)
  if (!isValidName(family.name)) refuse('name', 'to be a non-empty, well-formed string', family.name)
  if (!isKnownType(family.type)) refuse('type', 'to be a type of OpenMetrics', family.type)
  if (typeof family.series?.[Symbol.iterator] !== 'function') refuse('series', 'to be iterable', family.series)
  const checked = {
    ...family,
    name: family.name,
    help: typeof family.help === 'string' ? family.help.toWellFormed() : '',
    type: family.type,
    unit: typeof family.unit === 'string' && family.unit !== '' ? family.unit.toWellFormed() : undefined,
    series: {
      *[Symbol.iterator](): Generator<Series> {
        for (const series of family.series as Iterable<Series>) {
          const labels = checkedLabels(series.labels, family.name)
          checkNumbers(series, family.type, refuse)
          yield labels === series.labels ? series : { ...series, labels }
        }
      },
    },
  } as MetricFamily
  CHECKED.add(checked)
  return checked
}

const CHECKED = new WeakSet<MetricFamily>()

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

function checkNumbers(
  series: Series,
  type: MetricFamily['type'],
  refuse: (argument: string, rule: string, value: unknown) => never,
): void {
  const check = (field: string, value: unknown): void => {
    if (typeof value !== 'number') refuse(field, 'to be a number', value)
  }
  for (const field of ['value', 'count', 'sum', 'timestamp', 'created'] as const) {
    const value = (series as Partial<Record<typeof field, unknown>>)[field]
    if (value !== undefined) check(field, value)
  }
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
      if (typeof name !== 'string') refuse('states[].name', 'to be a string', name)
    }
  }
}

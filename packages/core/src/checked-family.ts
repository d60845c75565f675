import { MetricError } from './errors.ts'
import type { MetricFamily, Series } from './family.ts'
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
    unit: family.unit,
    series: {
      *[Symbol.iterator](): Generator<Series> {
        for (const series of family.series as Iterable<Series>) {
          const labels = checkedLabels(series.labels, family.name)
          checkNumbers(series, refuse)
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

function checkNumbers(series: object, refuse: (argument: string, rule: string, value: unknown) => never): void {
  const values = series as Record<string, unknown>
  for (const field of ['value', 'count', 'sum', 'timestamp', 'created']) {
    const value = values[field]
    if (value !== undefined && typeof value !== 'number') refuse(field, 'to be a number', value)
  }
}

import type { HistogramSeries, MetricFamily, StateSetSeries, SummarySeries, ValueSeries } from '../family.ts'
import { type Labels, NO_LABELS, setLabel } from '../labels.ts'
import type { SeriesDraft } from './sample-part.ts'
import type { ScatteredFamily } from './scattered-families.ts'

/**
 * Appends to `families` what has become of a family's lines. Mostly one family; where a lenient page has lines that the
 * type has no place for, one of unknown type keeps them as they stood.
 */
export function finishFamily(family: ScatteredFamily, text: boolean, families: MetricFamily[]): void {
  const { name, help, unit, series, bare } = family
  const head = unit === '' ? { name, help } : { name, help, unit }
  if (bare.length > 0 && series.length === 0) {
    const values = bare as ValueSeries[]
    families.push(
      family.type === 'counter'
        ? { ...head, type: 'counter', totalSuffix: false, series: values }
        : { ...head, type: 'unknown', series: values },
    )
    return
  }
  switch (family.type) {
    case 'counter': {
      // A counter of which only the created time came has no value to show.
      const values = series.filter((draft) => draft.value !== undefined) as ValueSeries[]
      families.push(text ? textCounter(name, help, values) : { ...head, type: 'counter', series: values })
      break
    }
    case 'gauge':
    case 'unknown':
      families.push({ ...head, type: family.type, series: series as ValueSeries[] })
      break
    case 'histogram':
    case 'gaugehistogram':
      families.push({ ...head, type: family.type, series: series.map(histogramOf) })
      break
    case 'summary':
      for (const draft of series) draft.quantiles ??= []
      families.push({ ...head, type: 'summary', series: series as SummarySeries[] })
      break
    case 'info':
      if (series.every(({ value }) => value === 1)) {
        families.push({ ...head, type: 'info', series: series.map(withoutValue) })
      } else {
        families.push({ ...head, name: `${name}_info`, type: 'unknown', series: series as ValueSeries[] })
      }
      break
    case 'stateset': {
      const states = statesOf(name, series)
      if (states === undefined) families.push({ ...head, type: 'unknown', series: series as ValueSeries[] })
      else families.push({ ...head, type: 'stateset', series: states })
    }
  }
  if (bare.length > 0) families.push({ ...head, type: 'unknown', series: bare as ValueSeries[] })
}

/** In text a counter's family is called as its samples are. */
function textCounter(name: string, help: string, series: readonly ValueSeries[]): MetricFamily {
  if (name.length > 6 && name.endsWith('_total')) return { name: name.slice(0, -6), help, type: 'counter', series }
  return { name, help, type: 'counter', totalSuffix: false, series }
}

/** Puts buckets in order and adds the last one, which a page may leave to its count. */
export function histogramOf(draft: SeriesDraft): HistogramSeries {
  const buckets = (draft.buckets ??= [])
  for (let index = 1; index < buckets.length; index++) {
    if ((buckets[index] as { le: number }).le < (buckets[index - 1] as { le: number }).le) {
      buckets.sort((a, b) => a.le - b.le)
      break
    }
  }
  if (draft.count !== undefined && buckets.at(-1)?.le !== Infinity) buckets.push({ le: Infinity, count: draft.count })
  return draft as HistogramSeries
}

function withoutValue({ labels, timestamp }: SeriesDraft): { labels: Labels; timestamp?: number } {
  return timestamp === undefined ? { labels } : { labels, timestamp }
}

/** The states of a state set, or `undefined` where a line is not one: without its label, or neither 0 nor 1. */
function statesOf(name: string, drafts: readonly SeriesDraft[]): StateSetSeries[] | undefined {
  const groups = new Map<string, { series: Required<Pick<SeriesDraft, 'labels' | 'states'>>; names: Set<string> }>()
  const all: StateSetSeries[] = []
  for (const { labels, value, timestamp } of drafts) {
    const state = Object.hasOwn(labels, name) ? labels[name] : undefined
    if (state === undefined || (value !== 0 && value !== 1)) return undefined
    const rest = Object.entries(labels).filter(([label]) => label !== name)
    const key = JSON.stringify(rest.sort(([a], [b]) => (a < b ? -1 : 1)))
    let group = groups.get(key)
    if (group === undefined || group.names.has(state)) {
      const series = { labels: labelsOf(rest), states: [], ...(timestamp === undefined ? undefined : { timestamp }) }
      group = { series, names: new Set() }
      groups.set(key, group)
      all.push(series)
    }
    group.names.add(state)
    group.series.states.push({ name: state, enabled: value === 1 })
  }
  return all
}

function labelsOf(entries: readonly (readonly [string, string])[]): Labels {
  if (entries.length === 0) return NO_LABELS
  const labels: Record<string, string> = {}
  for (const [name, value] of entries) setLabel(labels, name, value)
  return labels
}

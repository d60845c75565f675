import { Seconds } from '@grafana/grafana-foundation-sdk/units'
import { counterSampleName, type MetricFamily, type StateSetSeries, type ValueSeries } from '../../family.ts'
import { groupingOf, groupsOf, labelNamesOf, legendOf, MOST_LINES } from './family-labels.ts'
import { graph, type Panel, type Query, type State, stateTimeline, table } from './panel.ts'
import { counterRate, type HistogramFamily, matcher, maxBy, quantile, rate, selector, sumBy } from './query.ts'
import { rateUnitOf, unitOf } from './unit.ts'

/** The quantiles that graphs show. */
export const QUANTILES = [0.5, 0.95, 0.99] as const

const COLOURS = ['blue', 'green', 'orange', 'purple', 'yellow', 'red', 'super-light-blue', 'dark-green'] as const
const ON_OFF: readonly State[] = [
  { name: 'no', colour: 'red' },
  { name: 'yes', colour: 'green' },
]
const LONGEST_TITLE = 60
/** Seconds since the epoch, in the year 2001: a number above is a moment, one below a duration. */
const A_MOMENT = 1e9

type FamilyOfType<Type extends MetricFamily['type']> = Extract<MetricFamily, { type: Type }>

/** The panel that fits a family's type; types that a page of text or protobuf lacks are known by their looks. */
export function familyPanel(family: MetricFamily): Panel {
  switch (family.type) {
    case 'counter':
      return counterPanel(family)
    case 'histogram':
    case 'gaugehistogram':
      return histogramPanel(family)
    case 'summary':
      return summaryPanel(family)
    case 'info':
      return infoPanel(family, `${family.name}_info`)
    case 'stateset':
      return stateSetPanel(family, family.series)
    default:
      return gaugePanel(family)
  }
}

/** The first sentence of the help text, or the name where that is shorter to read. */
export function titleOf({ name, help }: MetricFamily): string {
  const sentence =
    help
      .split(/\.(?:\s|$)/, 1)[0]
      ?.replaceAll(/\s+/g, ' ')
      .trim() ?? ''
  return sentence === '' || sentence.length > LONGEST_TITLE ? name : sentence
}

/** What the panel's question mark shows. */
export function descriptionOf(...families: readonly MetricFamily[]): string {
  return families
    .map((family) => `${family.help === '' ? '' : `${family.help}\n\n`}\`${shownNameOf(family)}\`, ${family.type}`)
    .join('\n\n')
}

/** What one would look for: the name with the suffix that all samples have. */
function shownNameOf(family: MetricFamily): string {
  if (family.type === 'counter') return counterSampleName(family)
  return family.type === 'info' ? `${family.name}_info` : family.name
}

/** A gauge of 0 and 1: red and green over time. */
export function onOffPanel(family: FamilyOfType<'gauge' | 'unknown'>, title: string = titleOf(family)): Panel {
  const legend = legendOf([...labelNamesOf(family), 'instance'])
  return stateTimeline({
    title,
    description: descriptionOf(family),
    states: ON_OFF,
    queries: [{ expr: selector(family.name), legend }],
  })
}

/** Median, 95th and 99th percentile. */
export function quantileQueries(family: HistogramFamily): Query[] {
  const exemplars = [...family.series].some(({ buckets }) => buckets.some(({ exemplar }) => exemplar !== undefined))
  return QUANTILES.map((q, index) => ({
    expr: quantile(q, family),
    legend: `p${q * 100}`,
    exemplars: exemplars && index === 0,
  }))
}

function counterPanel(family: FamilyOfType<'counter'>): Panel {
  const grouping = groupingOf(family)
  const by = grouping.length > 0 ? grouping : ['instance']
  return graph({
    title: `${titleOf(family)}, per second`,
    description: descriptionOf(family),
    unit: rateUnitOf(family),
    queries: [{ expr: sumBy(by, counterRate(family)), legend: legendOf(by) }],
  })
}

function gaugePanel(family: FamilyOfType<'gauge' | 'unknown'>): Panel {
  const series = [...family.series]
  const labels = labelNamesOf(family)
  if (family.name.endsWith('_info') && series.every(({ value }) => value === 1)) return infoPanel(family, family.name)
  if (labels.includes(family.name) && series.every(isOnOff)) return stateSetPanel(family, stateSetsOf(family))
  const moment =
    /(^|_)(unix)?time(stamp)?(_seconds)?$/.test(family.name) && series.some(({ value }) => value > A_MOMENT)
  const many = groupsOf(family, labels) > MOST_LINES
  const value = moment ? `time() - ${selector(family.name)}` : selector(family.name)
  const title = `${titleOf(family)}${moment ? ': how long ago' : ''}${many ? ` (the ${MOST_LINES} highest)` : ''}`
  return graph({
    title,
    description: descriptionOf(family),
    unit: moment ? Seconds : unitOf(family),
    fromZero: !series.some(({ value }) => value < 0),
    queries: [{ expr: many ? `topk(${MOST_LINES}, ${value})` : value, legend: legendOf([...labels, 'instance']) }],
  })
}

function histogramPanel(family: HistogramFamily): Panel {
  return graph({
    title: titleOf(family),
    description: descriptionOf(family),
    unit: unitOf(family),
    queries: quantileQueries(family),
  })
}

/** Quantiles cannot be added up: the highest of all series stands for them. */
function summaryPanel(family: FamilyOfType<'summary'>): Panel {
  const series = [...family.series]
  const quantiles = series.some((one) => one.quantiles.length > 0)
  const mean = series.some(({ sum, count }) => sum !== undefined && count !== undefined)
  return graph({
    title: titleOf(family),
    description: descriptionOf(family),
    unit: unitOf(family),
    queries: [
      ...(mean
        ? [{ expr: `sum(${rate(`${family.name}_sum`)}) / sum(${rate(`${family.name}_count`)})`, legend: 'mean' }]
        : []),
      ...(quantiles
        ? [
            {
              expr: maxBy(['quantile'], selector(family.name, matcher('quantile', '!=', ''))),
              legend: 'quantile {{quantile}}',
            },
          ]
        : []),
    ],
  })
}

function infoPanel(family: MetricFamily, sampleName: string): Panel {
  return table({
    title: titleOf(family),
    description: descriptionOf(family),
    queries: [{ expr: selector(sampleName) }],
  })
}

/**
 * A line for each thing that is in one state at a time, whose value is the number of the state; where several can be on
 * at once, a line for each of them.
 */
function stateSetPanel(family: MetricFamily, series: Iterable<StateSetSeries>): Panel {
  const all = [...series]
  const names = [...new Set(all.flatMap(({ states }) => states.map(({ name }) => name)))]
  const labels = labelNamesOf(family).filter((label) => label !== family.name)
  const description = descriptionOf(family)
  const title = titleOf(family)
  if (!all.every(({ states }) => states.filter(({ enabled }) => enabled).length === 1)) {
    const legend = legendOf([...labels, family.name, 'instance'])
    return stateTimeline({ title, description, states: ON_OFF, queries: [{ expr: selector(family.name), legend }] })
  }
  const numbers = names.map((name, at) => `${selector(family.name, matcher(family.name, '=', name))} * ${at}`)
  const by = [...labels, 'instance']
  return stateTimeline({
    title,
    description,
    states: names.map((name, at) => ({ name, colour: COLOURS[at % COLOURS.length] as string })),
    queries: [{ expr: sumBy(by, numbers.join(' or ')), legend: legendOf(by) }],
  })
}

/** A state set as text 0.0.4 and protobuf show it: a gauge with a label of its own name. */
function stateSetsOf({ name, series }: FamilyOfType<'gauge' | 'unknown'>): StateSetSeries[] {
  const sets = new Map<string, { labels: StateSetSeries['labels']; states: { name: string; enabled: boolean }[] }>()
  for (const { labels, value } of series) {
    const { [name]: state = '', ...others } = labels
    const key = JSON.stringify(Object.entries(others).sort())
    const set = sets.get(key) ?? { labels: others, states: [] }
    set.states.push({ name: state, enabled: value === 1 })
    sets.set(key, set)
  }
  return [...sets.values()]
}

function isOnOff({ value }: ValueSeries): boolean {
  return value === 0 || value === 1
}

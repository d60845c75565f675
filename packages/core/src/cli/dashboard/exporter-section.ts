import { Seconds } from '@grafana/grafana-foundation-sdk/units'
import type { MetricFamily } from '../../family.ts'
import { labelNamesOf, legendOf } from './family-labels.ts'
import { descriptionOf, onOffPanel } from './family-panel.ts'
import type { Page } from './page.ts'
import { graph, type Panel } from './panel.ts'
import { selector } from './query.ts'
import type { Section } from './section.ts'

/** Whether exporters reach what they tell of, and how long that takes: `<name>_up` and its kin, and of probes. */
export function exporterSection(page: Page): Section {
  return {
    title: 'Exporters',
    panels: [
      ...page
        .takeAll(isUp)
        .map((family) => onOffPanel(family as GaugeFamily, `${family.name.slice(0, -3)} can be reached`)),
      ...page.takeAll(isSuccess).map((family) => onOffPanel(family as GaugeFamily)),
      ...page.takeAll(isDuration).map(durationPanel),
    ],
  }
}

type GaugeFamily = Extract<MetricFamily, { type: 'gauge' }>

function isUp(family: MetricFamily): boolean {
  return family.name.endsWith('_up') && isOnOff(family)
}

function isSuccess(family: MetricFamily): boolean {
  return /_(collector|probe)_success$|^probe_success$/.test(family.name) && isOnOff(family)
}

function isDuration({ name, type }: MetricFamily): boolean {
  return type === 'gauge' && /_collector_duration_seconds$|^probe_duration_seconds$/.test(name)
}

function isOnOff(family: MetricFamily): boolean {
  return family.type === 'gauge' && [...family.series].every(({ value }) => value === 0 || value === 1)
}

function durationPanel(family: MetricFamily): Panel {
  const legend = legendOf([...labelNamesOf(family), 'instance'])
  return graph({
    title: `${family.name.replace(/_duration_seconds$/, '').replaceAll('_', ' ')}: time it takes`,
    description: descriptionOf(family),
    unit: Seconds,
    queries: [{ expr: selector(family.name), legend }],
  })
}

import {
  DashboardBuilder,
  type Dashboard,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus'
import { type MetricFamily, samplesOf } from '../../family.ts'
import { isLegacyMetricName } from '../../names.ts'
import { exporterSection } from './exporter-section.ts'
import { familyPanel } from './family-panel.ts'
import { httpSections } from './http-section.ts'
import { Page } from './page.ts'
import { DATA_SOURCE } from './panel.ts'
import { RATE_INTERVAL } from './query.ts'
import { runtimeSection } from './runtime-section.ts'
import type { Section } from './section.ts'

/** Options of {@link dashboardOf}. */
export interface DashboardOptions {
  readonly title: string
  /** What Grafana knows the dashboard by. It makes one up where there is none. */
  readonly uid?: string
  /** The job that is chosen at first; all where there is none. */
  readonly job?: string
  /**
   * The window of all rates, as PromQL spells it.
   * @default '$__rate_interval', which Grafana makes of the scrape interval that the data source is configured with
   */
  readonly rateInterval?: string
}

/**
 * A Grafana dashboard with a panel for everything on the page: HTTP, the user's own metrics by their types, exporters,
 * the process and Node, and what Narthex tells of itself. Takes time in proportion to the page.
 */
export function dashboardOf(families: readonly MetricFamily[], options: DashboardOptions): Dashboard {
  const { title, uid, job, rateInterval } = options
  const dashboard = new DashboardBuilder(title)
    .tags(['prometheus', 'narthex'])
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
  const anchor = anchorOf(families)
  dashboard.withVariable(
    labelVariable('job', 'Job', `label_values(${anchor}, job)`, job === undefined ? undefined : [job]),
  )
  dashboard.withVariable(labelVariable('instance', 'Instance', `label_values(${anchor}{job=~"$job"}, instance)`))
  if (uid !== undefined) dashboard.uid(uid)
  let id = 0
  for (const section of sectionsOf(new Page(families))) {
    dashboard.withRow(new RowBuilder(section.title).id(++id))
    for (const panel of section.panels) dashboard.withPanel(panel.id(++id))
  }
  const built = dashboard.build()
  if (rateInterval !== undefined) setRateInterval(built, rateInterval)
  return built
}

function sectionsOf(page: Page): Section[] {
  const http = httpSections(page)
  const runtime = runtimeSection(page)
  const own = { title: 'Narthex', panels: page.takeAll(({ name }) => name.startsWith('narthex_')).map(familyPanel) }
  const exporters = exporterSection(page)
  const others = { title: 'Metrics', panels: page.takeAll(() => true).map(familyPanel) }
  return [...http, others, exporters, runtime, own].filter(({ panels }) => panels.length > 0)
}

/** Puts the window where Grafana would have put its own. */
function setRateInterval({ panels = [] }: Dashboard, window: string): void {
  for (const panel of panels) {
    if (!('targets' in panel)) continue
    for (const target of (panel.targets ?? []) as Dataquery[]) {
      target.expr = target.expr.replaceAll(RATE_INTERVAL, () => window)
    }
  }
}

/** A choice of several values of a label, or of all. */
function labelVariable(name: string, label: string, query: string, chosen?: string[]): QueryVariableBuilder {
  const current = chosen === undefined ? { text: ['All'], value: ['$__all'] } : { text: chosen, value: chosen }
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATA_SOURCE)
    .query({ query, refId: name })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current(current)
}

/** Metrics that tell which processes there are: only programs like this one have them, and always. */
const ANCHORS = ['nodejs_version_info', 'http_requests_total', 'http_server_request_duration_seconds_count']

/** The name of a metric by which the jobs and instances of this page are found. */
function anchorOf(families: readonly MetricFamily[]): string {
  const names = new Set<string>()
  for (const family of families) for (const { name } of samplesOf(family)) names.add(name)
  const first = [...names].find(isLegacyMetricName)
  return ANCHORS.find((name) => names.has(name)) ?? [...names].find((name) => name.endsWith('_up')) ?? first ?? 'up'
}

import { BytesIEC, CountsPerSecond, PercentUnit, Seconds, Short } from '@grafana/grafana-foundation-sdk/units'
import type { MetricFamily } from '../../family.ts'
import { descriptionOf, familyPanel, quantileQueries } from './family-panel.ts'
import type { Page } from './page.ts'
import { graph, type Panel, type Query } from './panel.ts'
import { counterRate, countRate, rate, selector, sumBy, sumRate } from './query.ts'
import type { Section } from './section.ts'

/** Gauges that share a graph, and how each is called there. */
const MEMORY: ReadonlyMap<string, string> = new Map([
  ['process_resident_memory_bytes', 'resident'],
  ['nodejs_heap_size_total_bytes', 'heap'],
  ['nodejs_heap_size_used_bytes', 'heap in use'],
  ['nodejs_external_memory_bytes', 'external'],
  ['nodejs_array_buffer_memory_bytes', 'array buffers'],
])
const FILE_DESCRIPTORS: ReadonlyMap<string, string> = new Map([
  ['process_open_fds', 'open'],
  ['process_max_fds', 'limit'],
])

/** What the process and Node itself tell: of these, what belongs together in one graph. */
export function runtimeSection(page: Page): Section {
  return { title: 'Process and Node.js', panels: [...panels(page)] }
}

function* panels(page: Page): Generator<Panel> {
  yield* cpuPanel(page)
  yield* gaugesPanel(page, 'Memory', MEMORY, BytesIEC)
  yield* byLabelPanel(page, 'nodejs_heap_space_size_used_bytes', 'space', 'Heap spaces, in use', BytesIEC)
  yield* eventLoopPanels(page)
  yield* garbageCollectionPanels(page)
  yield* byLabelPanel(page, 'nodejs_active_resources', 'type', 'Active resources', Short)
  yield* gaugesPanel(page, 'File descriptors', FILE_DESCRIPTORS, Short)
  const start = page.take('process_start_time_seconds', 'gauge')
  if (start !== undefined) {
    const expr = `time() - ${selector(start.name)}`
    const queries = [{ expr, legend: '{{instance}}' }]
    yield graph({ title: 'Uptime', description: descriptionOf(start), unit: Seconds, queries })
  }
  yield* page.takeAll(({ name }) => /^(process|nodejs)_/.test(name)).map(familyPanel)
}

/** Seconds of work in a second: 1 is one core. */
function* cpuPanel(page: Page): Generator<Panel> {
  const total = page.take('process_cpu_seconds', 'counter')
  const parts = ['user', 'system'].flatMap((part) => page.take(`process_cpu_${part}_seconds`, 'counter') ?? [])
  const families = parts.length > 0 ? parts : total === undefined ? [] : [total]
  if (families.length === 0) return
  const queries = families.map((family) => {
    const part = /^process_cpu_(user|system)/.exec(family.name)?.[1]
    return { expr: counterRate(family), legend: `${part === undefined ? '' : `${part} `}{{instance}}` }
  })
  yield graph({ title: 'CPU', description: descriptionOf(...families), unit: PercentUnit, queries })
}

function* gaugesPanel(page: Page, title: string, names: ReadonlyMap<string, string>, unit: string): Generator<Panel> {
  const found: MetricFamily[] = []
  const queries: Query[] = []
  for (const [name, legend] of names) {
    const family = page.take(name, 'gauge')
    if (family === undefined) continue
    found.push(family)
    queries.push({ expr: selector(name), legend: `${legend} {{instance}}` })
  }
  if (found.length > 0) yield graph({ title, description: descriptionOf(...found), unit, queries })
}

function* byLabelPanel(page: Page, name: string, label: string, title: string, unit: string): Generator<Panel> {
  const family = page.take(name, 'gauge')
  if (family === undefined) return
  const queries = [{ expr: sumBy([label], selector(name)), legend: `{{${label}}}` }]
  yield graph({ title, description: descriptionOf(family), unit, stacked: true, queries })
}

function* eventLoopPanels(page: Page): Generator<Panel> {
  const lag = page.take('nodejs_eventloop_lag_seconds', 'histogram')
  if (lag !== undefined) {
    yield graph({
      title: 'Event loop: how late timers are',
      description: descriptionOf(lag),
      unit: Seconds,
      queries: quantileQueries(lag),
    })
  }
  const active = page.take('nodejs_eventloop_active_seconds', 'counter')
  const idle = page.take('nodejs_eventloop_idle_seconds', 'counter')
  if (active === undefined || idle === undefined) return
  const work = counterRate(active)
  yield graph({
    title: 'Event loop: share of its time at work',
    description: descriptionOf(active, idle),
    unit: PercentUnit,
    queries: [{ expr: `${work} / (${work} + ${counterRate(idle)})`, legend: '{{instance}}' }],
  })
}

function* garbageCollectionPanels(page: Page): Generator<Panel> {
  const collections = page.take('nodejs_gc_duration_seconds', 'histogram', 'summary')
  if (collections === undefined) return
  const description = descriptionOf(collections)
  const [time, count] =
    collections.type === 'histogram'
      ? [sumRate(collections, ['kind']), countRate(collections, ['kind'])]
      : ['sum', 'count'].map((part) => sumBy(['kind'], rate(`${collections.name}_${part}`)))
  yield graph({
    title: 'Garbage collection: share of time',
    description,
    unit: PercentUnit,
    stacked: true,
    queries: [{ expr: time as string, legend: '{{kind}}' }],
  })
  yield graph({
    title: 'Garbage collections',
    description,
    unit: CountsPerSecond,
    queries: [{ expr: count as string, legend: '{{kind}}' }],
  })
}

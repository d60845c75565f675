import { encode, Enum, Histogram, Info, openMetricsFormat, protobufFormat, Registry, textFormat } from '@narthex/core'
import { collectDefaultMetrics } from '@narthex/core/collectors'
import { parseOpenMetrics, parseProtobuf, parseText } from '@narthex/core/parse'
import client from 'prom-client'
import { describe, expect, it } from 'vitest'
import { dashboardOf } from '../../../src/cli/dashboard/dashboard.ts'

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly legendFormat?: string }[]
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string
      readonly mappings?: readonly { options: Record<string, { text: string }> }[]
    }
  }
}

function panelsOf(families: Parameters<typeof dashboardOf>[0]): Panel[] {
  return dashboardOf(families, { title: 'Test' }).panels as Panel[]
}

/** The one panel of a page with one family, as text. */
function panelOf(page: string): Panel {
  const panels = panelsOf(parseText(page)).filter(({ type }) => type !== 'row')
  expect(panels).toHaveLength(1)
  return panels[0]
}

function expressionsOf(page: string): string[] {
  return panelOf(page).targets!.map(({ expr }) => expr.replaceAll('job=~"$job", instance=~"$instance"', '…'))
}

describe('A panel', () => {
  it.each([
    ['counter', 'a_total{b="c"} 1', ['sum by (b) (rate(a_total{…}[$__rate_interval]))']],
    ['counter', 'a_total 1', ['sum by (instance) (rate(a_total{…}[$__rate_interval]))']],
    ['counter', 'a 1', ['sum by (instance) (rate({__name__=~"a(_total)?", …}[$__rate_interval]))']],
    ['counter', 'a_total{job="x"} 1', ['sum by (exported_job) (rate(a_total{…}[$__rate_interval]))']],
    ['gauge', 'a 1', ['a{…}']],
    ['gauge', 'a_timestamp_seconds 1.7e9', ['time() - a_timestamp_seconds{…}']],
    ['untyped', 'a 1', ['a{…}']],
    [
      'histogram',
      'a_bucket{le="1"} 1\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1',
      [0.5, 0.95, 0.99].map((q) => `histogram_quantile(${q}, sum by (le) (rate(a_bucket{…}[$__rate_interval])))`),
    ],
    [
      'summary',
      'a{quantile="0.5"} 1\na_sum 1\na_count 1',
      [
        'sum(rate(a_sum{…}[$__rate_interval])) / sum(rate(a_count{…}[$__rate_interval]))',
        'max by (quantile) (a{quantile!="", …})',
      ],
    ],
    [
      'summary',
      'a_sum 1\na_count 1',
      ['sum(rate(a_sum{…}[$__rate_interval])) / sum(rate(a_count{…}[$__rate_interval]))'],
    ],
  ])('of a %s asks what fits its type: %s', (type, samples, expressions) => {
    const name = /^[a-z_]+?(?=_total|_bucket|_sum|\{| )/.exec(samples)![0]
    const typed = samples.startsWith('a_total') ? 'a_total' : name
    expect(expressionsOf(`# TYPE ${typed} ${type}\n${samples}\n`)).toEqual(expressions)
  })

  it('has the help text as its title, or the name where that is long or lacking', () => {
    expect(panelOf('# HELP a Jobs that wait. Since when is told elsewhere.\n# TYPE a gauge\na 1\n')).toMatchObject({
      title: 'Jobs that wait',
      description: 'Jobs that wait. Since when is told elsewhere.\n\n`a`, gauge',
    })
    expect(panelOf('a 1\n').title).toBe('a')
    expect(panelOf(`# HELP a ${'long '.repeat(20)}\na 1\n`).title).toBe('a')
  })

  it.each([
    ['# TYPE a_seconds gauge\na_seconds 1\n', 's'],
    ['# TYPE a_bytes gauge\na_bytes 1\n', 'bytes'],
    ['# TYPE a_ratio gauge\na_ratio 1\n', 'percentunit'],
    ['# TYPE a_celsius gauge\na_celsius 1\n', 'celsius'],
    ['# TYPE a gauge\na 1\n', 'short'],
    ['# TYPE a_bytes_total counter\na_bytes_total 1\n', 'binBps'],
    ['# TYPE a_joules_total counter\na_joules_total 1\n', 'watt'],
    ['# TYPE a_total counter\na_total 1\n', 'cps'],
  ])('has the unit of the name: %j', (page, unit) => {
    expect(panelOf(page).fieldConfig!.defaults.unit).toBe(unit)
  })

  it('has the unit that the family tells', () => {
    const [, panel] = panelsOf([
      { name: 'a', help: '', type: 'gauge', unit: 'volts', series: [{ labels: {}, value: 1 }] },
    ])
    expect(panel.fieldConfig!.defaults.unit).toBe('volt')
  })

  it('shows the highest of many gauges, and many counters without the labels that make them many', () => {
    const many = (name: string): string =>
      Array.from({ length: 40 }, (_, id) => `${name}{kind="${id % 2}",id="${id}"} 1\n`).join('')
    expect(expressionsOf(`# TYPE a gauge\n${many('a')}`)).toEqual(['topk(20, a{…})'])
    expect(expressionsOf(`# TYPE a_total counter\n${many('a_total')}`)).toEqual([
      'sum by (kind) (rate(a_total{…}[$__rate_interval]))',
    ])
  })

  it('quotes names that PromQL cannot spell otherwise', () => {
    expect(expressionsOf('# TYPE "room.heat" gauge\n{"room.heat","room.name"="hall"} 1\n')).toEqual([
      '{"room.heat", …}',
    ])
    expect(expressionsOf('# TYPE a_total counter\na_total{"room.name"="hall"} 1\n')).toEqual([
      'sum by ("room.name") (rate(a_total{…}[$__rate_interval]))',
    ])
  })
})

describe('Infos and states', () => {
  const build = new Info({ name: 'build', help: '', registry: null })
  build.info({ version: '1' })
  const door = new Enum({ name: 'door', help: '', labelNames: ['place'], states: ['open', 'shut'], registry: null })
  door.state({ place: 'front' }, 'shut')
  const families = [build.family, door.family]

  it.each([
    ['OpenMetrics', () => parseOpenMetrics(encode(families, openMetricsFormat))],
    ['text', () => parseText(encode(families, textFormat))],
    ['protobuf', () => parseProtobuf(encode(families, protobufFormat))],
  ])('are known by their looks where the format does not tell: %s', (_, read) => {
    const [info, door] = panelsOf(read()).filter(({ type }) => type !== 'row')
    expect(info.type).toBe('table')
    expect(info.targets![0].expr).toBe('build_info{job=~"$job", instance=~"$instance"}')
    expect(door.type).toBe('state-timeline')
    expect(door.targets![0].expr.replaceAll('job=~"$job", instance=~"$instance"', '…')).toBe(
      'sum by (place, instance) (door{door="open", …} * 0 or door{door="shut", …} * 1)',
    )
    expect(door.fieldConfig!.defaults.mappings![0].options).toMatchObject({ 0: { text: 'open' }, 1: { text: 'shut' } })
  })
})

describe('Native histograms', () => {
  const expressions = (options: object): string => {
    const histogram = new Histogram({ name: 'a', help: '', registry: null, ...options })
    histogram.observe(1)
    return panelsOf([histogram.family])[1].targets![0].expr.replaceAll('job=~"$job", instance=~"$instance"', '…')
  }

  it('are asked for as such, and as classic ones where they are both', () => {
    const native = 'histogram_quantile(0.5, sum(rate(a{…}[$__rate_interval])))'
    expect(expressions({ native: { factor: 1.1 } })).toBe(native)
    expect(expressions({ native: { factor: 1.1 }, buckets: [1] })).toBe(
      `histogram_quantile(0.5, sum by (le) (rate(a_bucket{…}[$__rate_interval]))) or ${native}`,
    )
  })
})

describe('The dashboard', () => {
  it('puts every panel into a place and under numbers of its own', async () => {
    const registry = new Registry()
    using _ = collectDefaultMetrics({ registry })
    const panels = panelsOf(parseText(await registry.metrics()))
    expect(panels.length).toBeGreaterThan(10)
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
      expect(x + w).toBeLessThanOrEqual(24)
      return Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`)
    })
    expect(new Set(cells).size).toBe(cells.length)
    for (const { targets = [] } of panels) {
      expect(targets.map(({ refId }) => refId)).toEqual(['A', 'B', 'C', 'D', 'E'].slice(0, targets.length))
    }
  })

  it('shows every family', async () => {
    const registry = new Registry()
    using _ = collectDefaultMetrics({ registry })
    const families = parseText(await registry.metrics())
    const shown = panelsOf(families)
      .map(({ description = '' }) => description)
      .join('\n')
    // Where user and system time are told apart, their sum is not shown.
    for (const { name } of families.filter(({ name }) => name !== 'process_cpu_seconds')) {
      expect(shown).toContain(`\`${name}`)
    }
  })

  it('reads the page of prom-client', async () => {
    client.register.clear()
    client.collectDefaultMetrics()
    const panels = panelsOf(parseText(await client.register.metrics()))
    client.register.clear()
    const titles = panels.map(({ title }) => title)
    expect(titles).toEqual(expect.arrayContaining(['CPU', 'Memory', 'Uptime', 'Heap spaces, in use']))
  })

  it('lets the viewer choose the data source, jobs and instances', () => {
    const { templating } = dashboardOf(parseText('a 1\n'), { title: 'Test', job: 'shop', uid: 'shop' })
    expect(
      templating!.list!.map(({ name, type, definition, current }) => [name, type, definition, current?.value]),
    ).toEqual([
      ['datasource', 'datasource', undefined, undefined],
      ['job', 'query', 'label_values(a, job)', ['shop']],
      ['instance', 'query', 'label_values(a{job=~"$job"}, instance)', ['$__all']],
    ])
  })
})

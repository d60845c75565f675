import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import {
  type Collector,
  encode,
  type ExpositionFormat,
  GaugeMetricFamily,
  openMetricsFormat,
  protobufFormat,
  Registry,
  samplesOf,
  textFormat,
  textFormat1,
} from '@narthex/core'
import { metricsHandler, metricsResponse } from '@narthex/core/http'
import { parseOpenMetrics, parseProtobuf } from '@narthex/core/parse'
import { pushToGateway, writeToTextfile } from '@narthex/core/push'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startedServer } from '../http/started-server.ts'
import { recordWarnings } from '../warnings.ts'
import { expectPromtoolAccepts } from '../promtool.ts'
import { bundled } from '../push/built-program.ts'
import { startPushgateway } from '../push/pushgateway.ts'
import { requireProgram } from '../program.ts'
import { enabled, leaveDead, leaveLive, linesOf, sharedDirectory, temporaryFolder } from './shared-folder.ts'

/** A registry that counted 1 on a directory where another process runs and counted 10, and one that counted 100 ended. */
async function three(options: ConstructorParameters<typeof Registry>[0] = {}): Promise<Registry> {
  const directory = sharedDirectory()
  const counts = (count: number) => (registry: Registry) => {
    registry.counter({ name: 'c', help: 'C', labelNames: ['k'] }).inc({ k: 'a' }, count)
    registry.histogram({ name: 'h', help: 'H', buckets: [5, 50] }).observe(count)
    registry.gauge({ name: 'g', help: 'G' }).set(count)
  }
  await leaveLive(directory, counts(10))
  await leaveDead(directory, 1, counts(100))
  const { registry } = enabled(directory, { registry: new Registry(options) })
  counts(1)(registry)
  return registry
}

const OF_THREE = { 'c_total{k="a"}': 111, h_sum: 111, 'h_bucket{le="5"}': 1, 'h_bucket{le="50"}': 2, h_count: 3, g: 11 }

describe('the page of several processes', () => {
  it('says how many there are', async (context) => {
    const page = await (await three()).metrics()
    const states = { live: 2, stale: 0, dead: 1, archived: 0 }
    const lines = Object.entries(states).map(([state, count]) => [`narthex_processes{state="${state}"}`, count])
    expect(linesOf(page)).toMatchObject({ ...OF_THREE, ...Object.fromEntries(lines) })
    expectPromtoolAccepts(page, context)
  })

  it('has the prefix and the labels of the registry once', async () => {
    const page = await (await three({ prefix: 'shop_', labels: { shop: 'lisbon' } })).metrics()
    const lines = linesOf(page)
    expect(lines).toMatchObject({ 'shop_c_total{shop="lisbon",k="a"}': 111, 'shop_g{shop="lisbon"}': 11 })
    expect(page).not.toContain('shop_shop_')
    expect(Object.keys(lines).every((name) => name.startsWith('shop_') && name.split('shop="').length === 2)).toBe(true)
  })

  it.each<[string, ExpositionFormat]>([
    ['text 0.0.4', textFormat],
    ['text 1.0.0', textFormat1],
    ['OpenMetrics', openMetricsFormat],
    ['protobuf', protobufFormat],
  ])('is the same in %s', async (_name, format) => {
    const registry = await three()
    const chunks: Uint8Array[] = []
    for await (const chunk of registry.stream(format)) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    const families = format === protobufFormat ? parseProtobuf(bytes) : undefined
    const lines =
      format === openMetricsFormat
        ? linesOf(Buffer.from(encode(parseOpenMetrics(bytes))).toString())
        : linesOf(families === undefined ? bytes.toString() : Buffer.from(encode(families)).toString())
    expect(lines).toMatchObject(OF_THREE)
  })

  it('has only the families that are asked for, and runs only what may have them', async () => {
    const registry = await three()
    let runs = 0
    registry.register({
      name: 'other',
      describe: () => [{ name: 'other', type: 'gauge' }],
      collect: () => (runs++, []),
    })
    const names: string[] = []
    for await (const { name } of registry.gather({ names: ['c_total', 'h_bucket'] })) names.push(name)
    expect(names).toEqual(['c', 'h'])
    expect(runs).toBe(0)
  })

  it('has custom collectors once, run where it is scraped', async () => {
    const registry = await three()
    let runs = 0
    const rows: Collector = {
      name: 'rows',
      collect: () => [new GaugeMetricFamily({ name: 'rows', help: '', value: ++runs })],
    }
    registry.register(rows)
    const view = registry.view as unknown as { flush(): Promise<void> }
    await view.flush()
    expect(runs).toBe(0)
    expect(linesOf(await registry.metrics())).toMatchObject({ ...OF_THREE, rows: 1 })
  })

  it('adds up collectors that speak of their process or thread', async () => {
    const directory = sharedDirectory()
    const speaks = (scope: 'process' | 'thread', value: number) => (registry: Registry) =>
      registry.register({
        scope,
        name: scope,
        collect: () => [new GaugeMetricFamily({ name: scope, help: '', value })],
      })
    await leaveLive(directory, speaks('process', 10))
    const { registry } = enabled(directory)
    speaks('process', 1)(registry)
    speaks('thread', 5)(registry)
    expect(linesOf(await registry.metrics())).toMatchObject({ process: 11, thread: 5 })
  })

  it('runs the callbacks of metrics for the snapshot, and leaves out those that fail', async () => {
    const registry = await three()
    recordWarnings()
    registry.gauge({ name: 'asked', help: '', collect: (gauge) => gauge.set(7) })
    registry.gauge({ name: 'function', help: '' }).setFunction(() => 8)
    registry.gauge({ name: 'fails', help: '', collect: () => Promise.reject(new Error('no')) })
    await registry.metrics()
    const lines = linesOf(await registry.metrics())
    expect(lines).toMatchObject({ ...OF_THREE, asked: 7, function: 8 })
    expect(lines).toHaveProperty('narthex_collector_errors_total{collector="fails"}')
  })

  it('is there for as many scrapes at a time as come', async () => {
    const registry = await three()
    const pages = await Promise.all(Array.from({ length: 20 }, () => registry.metrics()))
    for (const page of pages) expect(linesOf(page)).toMatchObject(OF_THREE)
  })
})

describe('gauges of several processes', () => {
  it('are one as they say, and go with their process unless they are told to stay', async () => {
    const directory = sharedDirectory()
    const sets = (value: number) => (registry: Registry) => {
      for (const aggregation of ['sum', 'min', 'max', 'avg', 'mostrecent', 'each'] as const) {
        registry.gauge({ name: aggregation, help: '', aggregation }).set(value)
        registry.gauge({ name: `stays_${aggregation}`, help: '', aggregation, live: false }).set(value)
      }
      registry.info({ name: 'build', help: '' }).info({ version: String(value) })
      registry.enum({ name: 'state', help: '', states: ['on', 'off'] }).state(value === 3 ? 'off' : 'on')
    }
    await leaveDead(directory, 1, sets(100))
    await leaveLive(directory, sets(10))
    const { registry } = enabled(directory)
    await new Promise((resolve) => setTimeout(resolve, 5))
    sets(3)(registry)
    const { pid, ppid } = process
    const lines = linesOf(await registry.metrics())
    const own = Object.keys(lines).find((name) => name.startsWith(`each{pid="${pid}`)) as string
    expect(lines).toMatchObject({
      sum: 13,
      min: 3,
      max: 10,
      avg: 6.5,
      mostrecent: 3,
      [`each{pid="${ppid}"}`]: 10,
      [own]: 3,
    })
    expect(lines).toMatchObject({ stays_sum: 113, stays_min: 3, stays_max: 100, stays_mostrecent: 3 })
    expect(lines).toMatchObject({ 'stays_each{pid="5000001"}': 100, 'build_info{version="3"}': 1 })
    expect(lines['stays_avg']).toBeCloseTo(113 / 3)
    expect(lines).toMatchObject({ 'state{state="on"}': 0, 'state{state="off"}': 1 })
    expect(Object.keys(lines).filter((name) => name.startsWith('build_info'))).toHaveLength(1)
  })
})

describe('of exemplars and created times', () => {
  it('the latest and the oldest are on the page', async () => {
    const directory = sharedDirectory()
    const counts = (trace: string) => (registry: Registry) => {
      registry.counter({ name: 'c', help: '' }).inc(1, { trace_id: trace })
      registry.histogram({ name: 'h', help: '', buckets: [1] }).observe(0.5, { trace_id: trace })
    }
    const before = Date.now() / 1000
    await leaveDead(directory, 1, counts('old'))
    const after = Date.now() / 1000
    await new Promise((resolve) => setTimeout(resolve, 20))
    const { registry } = enabled(directory)
    counts('new')(registry)
    const page = await registry.metrics(openMetricsFormat)
    expect(page).toMatch(/^c_total 2.0 # \{trace_id="new"\} 1.0 /m)
    expect(page).toMatch(/^h_bucket\{le="1.0"\} 2 # \{trace_id="new"\} 0.5/m)
    const created = Number(/^c_created (\S+)$/m.exec(page)?.[1])
    expect(created).toBeGreaterThanOrEqual(before - 0.01)
    expect(created).toBeLessThanOrEqual(after)
  })
})

describe('whoever serves the registry', () => {
  it('serves the page of all: a handler, a server, a Fetch handler', async () => {
    const registry = await three()
    const plain = createServer(metricsHandler({ registry })).listen(0, '127.0.0.1')
    onTestFinished(() => void plain.close())
    await new Promise((resolve) => plain.once('listening', resolve))
    const { port } = plain.address() as { port: number }
    const server = await startedServer({ registry })
    const request = new Request('http://localhost/metrics')
    const answers = [
      await fetch(`http://127.0.0.1:${port}/`),
      await fetch(server.url),
      await metricsResponse(request, { registry }),
    ]
    for (const answer of answers) expect(linesOf(await answer.text())).toMatchObject(OF_THREE)
    const one = await (await fetch(`${server.url}?name[]=c_total`)).text()
    expect(one).toBe('# HELP c_total C\n# TYPE c_total counter\nc_total{k="a"} 111\n')
  })

  it('sends the page of all: a push, a textfile', async (context) => {
    requireProgram('prometheus-pushgateway', context)
    const registry = await three()
    const path = join(temporaryFolder(), 'all.prom')
    await writeToTextfile(path, registry)
    expect(linesOf(readFileSync(path, 'utf8'))).toMatchObject(OF_THREE)
    const gateway = await startPushgateway()
    onTestFinished(() => gateway.stop())
    await pushToGateway(gateway.url, { job: 'all', registry })
    expect(await gateway.page()).toMatchObject({ 'c_total{job="all",k="a"}': 111, 'g{job="all"}': 11 })
  })

  it('can be given the handle in place of the registry', async () => {
    const { registry, shared } = enabled(sharedDirectory())
    registry.counter({ name: 'c', help: '' }).inc(4)
    expect(linesOf(await shared.metrics())).toMatchObject({ c_total: 4, 'narthex_processes{state="live"}': 1 })
    expect(shared.contentType).toBe(registry.contentType)
    const families: string[] = []
    for await (const family of shared.gather({ names: ['c_total'] })) {
      families.push(...[...samplesOf(family)].map(({ name, value }) => `${name} ${value}`))
    }
    expect(families).toEqual(['c_total 4'])
  })
})

it("counts what is a process' own once, however many threads it has", async () => {
  const folder = temporaryFolder()
  const directory = join(folder, 'shared')
  const program = bundled(new URL('programs/default-metrics.mjs', import.meta.url), folder)
  const { registry } = enabled(directory)
  const threads = [1, 2, 3].map(() => new Worker(program, { argv: [directory] }))
  onTestFinished(async () => void (await Promise.all(threads.map((thread) => thread.terminate()))))
  await Promise.all(threads.map((thread) => new Promise((resolve) => thread.once('message', resolve))))
  const lines = linesOf(await registry.metrics())
  const started = lines['process_start_time_seconds'] as number
  expect(Math.abs(started - (Date.now() / 1000 - process.uptime()))).toBeLessThan(5)
  expect(lines['process_resident_memory_bytes']).toBeLessThan(1.5 * process.memoryUsage.rss())
  expect(lines).toMatchObject({ work_total: 3, 'narthex_processes{state="live"}': 1 })
})

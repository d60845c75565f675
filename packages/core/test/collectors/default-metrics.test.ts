import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { type MetricFamily, Registry, samplesOf } from '@narthex/core'
import { collectDefaultMetrics, type DefaultMetrics, type DefaultMetricsOptions } from '@narthex/core/collectors'
import { parseText } from '@narthex/core/parse'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { ProcEntry } from '../../src/collectors/proc-entry.ts'
import { caught } from '../caught.ts'
import { expectPromtoolAccepts } from '../promtool.ts'
import { runBuilt } from '../push/built-program.ts'

const started: DefaultMetrics[] = []
afterEach(() => started.splice(0).forEach((metrics) => metrics.stop()))

/** A registry whose only metrics are these. */
function collected(options: DefaultMetricsOptions = {}): Registry {
  const registry = new Registry()
  started.push(collectDefaultMetrics({ registry, ...options }))
  return registry
}

async function familiesOf(registry: Registry): Promise<MetricFamily[]> {
  const families: MetricFamily[] = []
  for await (const family of registry.gather()) families.push(family)
  return families
}

async function namesOf(registry: Registry): Promise<string[]> {
  return [...new Set((await familiesOf(registry)).map(({ name }) => name))].sort()
}

const PORTABLE = [
  'process_cpu_seconds',
  'process_cpu_system_seconds',
  'process_cpu_user_seconds',
  'process_resident_memory_bytes',
  'process_start_time_seconds',
]
const OF_LINUX = [
  'process_heap_bytes',
  'process_max_fds',
  'process_open_fds',
  'process_threads',
  'process_virtual_memory_bytes',
]
/** There only where it is limited. */
const LIMITED = 'process_virtual_memory_max_bytes'

describe('default metrics', () => {
  it('make a page that promtool has nothing to say of', async (context) => {
    expectPromtoolAccepts(await collected().metrics(), context)
    expectPromtoolAccepts(await collected({ prefix: 'shop_', labels: { shop: 'a' } }).metrics(), context)
  })

  it('have the names, types and labels of prom-client, but for those that the documentation lists', async () => {
    const require = createRequire(fileURLToPath(new URL('../../../../benchmarks/package.json', import.meta.url)))
    const client = require('prom-client') as {
      Registry: new () => { metrics(): Promise<string> }
      collectDefaultMetrics(options: object): void
    }
    const register = new client.Registry()
    client.collectDefaultMetrics({ register })
    // Its observer of collections keeps nothing alive; its page has them once there was one.
    const peer = seriesOf(parseText(await register.metrics()))
    const ours = seriesOf(await familiesOf(collected()))
    const missing = Object.keys(peer).filter((line) => peer[line] !== ours[line])
    expect(missing.sort()).toEqual(
      [
        // Not reset by a scrape: read with histogram_quantile.
        'nodejs_eventloop_lag_max_seconds',
        'nodejs_eventloop_lag_mean_seconds',
        'nodejs_eventloop_lag_min_seconds',
        'nodejs_eventloop_lag_p50_seconds',
        'nodejs_eventloop_lag_p90_seconds',
        'nodejs_eventloop_lag_p99_seconds',
        'nodejs_eventloop_lag_seconds',
        'nodejs_eventloop_lag_stddev_seconds',
        // Gauges called `_total`, sums of the others.
        'nodejs_active_handles_total',
        'nodejs_active_requests_total',
        'nodejs_active_resources_total',
        // Of functions of Node that are deprecated: `nodejs_active_resources` has both.
        'nodejs_active_handles{type}',
      ].sort(),
    )
  })

  it.each<[NonNullable<DefaultMetricsOptions['groups']>[number], string[]]>([
    ['heap', ['array_buffer_memory_bytes', 'external_memory_bytes', 'heap_size_total_bytes', 'heap_size_used_bytes']],
    ['heapSpaces', ['available', 'total', 'used'].map((part) => `heap_space_size_${part}_bytes`)],
    ['gc', ['gc_duration_seconds']],
    ['eventLoop', ['eventloop_active_seconds', 'eventloop_idle_seconds', 'eventloop_lag_seconds']],
    ['activeResources', ['active_resources']],
    ['version', ['version']],
  ])('can be chosen by group: %s', async (group, names) => {
    expect(await namesOf(collected({ groups: [group, group] }))).toEqual(names.map((name) => `nodejs_${name}`))
  })

  it('of no group are none', async () => {
    expect(await namesOf(collected({ groups: [] }))).toEqual([])
  })

  it('know of the process what Linux tells', async (context) => {
    if (process.platform !== 'linux') context.skip('/proc is of Linux')
    const names = await namesOf(collected({ groups: ['process'] }))
    expect(names.filter((name) => name !== LIMITED)).toEqual([...PORTABLE, ...OF_LINUX].sort())
  })

  it('keep two files of /proc open, and close them when stopped', async (context) => {
    if (process.platform !== 'linux') context.skip('/proc is of Linux')
    const kept = (): number => openPaths().filter((path) => /^\/proc\/\d+\/(status|fd)$/.test(path)).length
    const before = kept()
    const registry = new Registry()
    const metrics = collectDefaultMetrics({ registry, groups: ['process'] })
    expect(kept()).toBe(before)
    for (let page = 0; page < 3; page++) await registry.metrics()
    expect(kept()).toBe(before + 2)
    const scrape = registry.metrics()
    metrics.stop()
    await scrape
    expect(kept()).toBe(before)
  })

  it('count descriptors and threads as the system does', async (context) => {
    if (process.platform !== 'linux') context.skip('/proc is of Linux')
    const registry = collected({ groups: ['process'] })
    const values = async (): Promise<Record<string, number>> => {
      const samples = (await familiesOf(registry)).flatMap((family) => [...samplesOf(family)])
      return Object.fromEntries(samples.map(({ name, value }) => [name, value]))
    }
    const before = await values()
    const opened = Array.from({ length: 7 }, () => openSync(fileURLToPath(import.meta.url), 'r'))
    const worker = new Worker('setTimeout(() => {}, 60_000)', { eval: true })
    await once(worker, 'online')
    const during = await values()
    expect(during['process_open_fds']).toBe(openPaths().length)
    expect(during['process_open_fds']).toBeGreaterThanOrEqual((before['process_open_fds'] as number) + 7)
    expect(during['process_threads']).toBe(readdirSync('/proc/self/task').length)
    for (const descriptor of opened) closeSync(descriptor)
    await worker.terminate()
    expect((await values())['process_open_fds']).toBe(openPaths().length)
    // What the system's own tool reads of the same process, to within what was allocated meanwhile.
    const status = readFileSync('/proc/self/status', 'utf8')
    const resident = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
    expect(Math.abs((await values())['process_resident_memory_bytes']! - resident)).toBeLessThan(resident / 10)
  })

  it('read the folder where Linux, before 6.2, has no number for its size', async (context) => {
    if (process.platform !== 'linux') context.skip('/proc is of Linux')
    vi.spyOn(ProcEntry.prototype, 'size').mockReturnValue(0)
    onTestFinished(() => void vi.restoreAllMocks())
    const page = await collected({ groups: ['process'] }).metrics()
    expect(Number(/^process_open_fds (\d+)$/m.exec(page)?.[1])).toBe(openPaths().length)
  })

  it.each(['darwin', 'win32'])('leave out on %s what it does not tell', async (platform) => {
    vi.spyOn(process, 'platform', 'get').mockReturnValue(platform as NodeJS.Platform)
    onTestFinished(() => void vi.restoreAllMocks())
    const registry = collected({ groups: ['process'] })
    expect(await namesOf(registry)).toEqual(PORTABLE)
    for (const family of await familiesOf(registry)) {
      for (const { value } of samplesOf(family)) expect(value).toBeGreaterThan(0)
    }
  })

  it('have values that can be', async () => {
    const registry = collected()
    const lines: Record<string, number> = {}
    for (const family of await familiesOf(registry)) {
      for (const { name, labels, value } of samplesOf(family))
        lines[`${name} ${Object.values(labels).join(' ')}`.trim()] = value
    }
    const now = Date.now() / 1000
    expect(lines['process_start_time_seconds']).toBeGreaterThan(now - process.uptime() - 5)
    expect(lines['process_start_time_seconds']).toBeLessThan(now)
    expect(lines['nodejs_heap_size_used_bytes']).toBeLessThanOrEqual(lines['nodejs_heap_size_total_bytes'] as number)
    expect(lines['nodejs_heap_space_size_used_bytes old']).toBeGreaterThan(0)
    expect(lines['process_cpu_seconds_total']).toBeCloseTo(
      (lines['process_cpu_user_seconds_total'] as number) + (lines['process_cpu_system_seconds_total'] as number),
      6,
    )
    const [major, minor, patch] = process.versions.node.split('.')
    expect(lines[`nodejs_version_info ${process.version} ${major} ${minor} ${patch}`]).toBe(1)
    for (const [line, value] of Object.entries(lines)) expect([line, value >= 0]).toEqual([line, true])
    if (process.platform === 'linux') {
      expect(lines['process_open_fds']).toBeLessThan(lines['process_max_fds'] as number)
      expect(lines['process_resident_memory_bytes']).toBeLessThan(lines['process_virtual_memory_bytes'] as number)
    }
  })

  it('get a prefix and labels', async () => {
    const registry = collected({
      prefix: 'shop_',
      labels: { shop: 'a', empty: '' },
      groups: ['heapSpaces', 'version', 'gc'],
    })
    const families = await familiesOf(registry)
    expect(families.map(({ name }) => name).every((name) => name.startsWith('shop_nodejs_'))).toBe(true)
    for (const series of families.flatMap((family) => [...family.series]))
      expect(series.labels).toMatchObject({ shop: 'a' })
    expect(await registry.metrics()).not.toContain('empty')
  })

  it('can be there twice under two prefixes, and stopped one by one', async () => {
    const registry = new Registry()
    const first = collectDefaultMetrics({ registry, prefix: 'a_', groups: ['heap'] })
    const second = collectDefaultMetrics({ registry, prefix: 'b_', groups: ['heap'] })
    first.stop()
    first.stop()
    expect((await namesOf(registry)).every((name) => name.startsWith('b_'))).toBe(true)
    second[Symbol.dispose]()
    expect(await namesOf(registry)).toEqual([])
    collectDefaultMetrics({ registry }).stop()
  })

  it('are told to be there already, and then leave nothing behind', async () => {
    const registry = collected({ groups: ['heap'] })
    const error = caught(() => collectDefaultMetrics({ registry }))
    expect(error.code).toBe('ERR_NARTHEX_NAME_CLASH')
    expect(error.message).toBe(
      'collectDefaultMetrics `nodejs_heap_size_total_bytes`: expected `registry` to have no `nodejs_heap_size_total_bytes` ' +
        'yet: stop the metrics that were started before, or choose a `prefix`',
    )
    expect((await namesOf(registry)).every((name) => /heap_size|memory/.test(name))).toBe(true)
  })

  it.each<[string, object, string]>([
    ['an unknown option', { timeout: 5 }, 'timeout'],
    ['an unknown group', { groups: ['cpu'] }, 'groups'],
    ['a group that is no group', { groups: ['toString'] }, 'groups'],
    ['a group alone', { groups: 'gc' }, 'groups'],
    ['no registry', { registry: {} }, 'registry'],
    ['a prefix that is none', { prefix: 5 }, 'prefix'],
    ['labels that are none', { labels: ['a'] }, 'labels'],
    ['a reserved label', { labels: { __a: 'b' } }, 'labels'],
    ['a label of the metrics', { labels: { space: 'b' } }, 'labels'],
    ['a value that is none', { labels: { a: null } }, 'a'],
    ['half a millisecond', { eventLoopResolution: 0.5 }, 'eventLoopResolution'],
    ['no resolution', { eventLoopResolution: Infinity }, 'eventLoopResolution'],
    ['wrong buckets', { gcBuckets: [2, 1] }, 'buckets'],
  ])('refuse %s', (_, options, argument) => {
    const registry = new Registry()
    expect(caught(() => collectDefaultMetrics({ registry, ...options } as DefaultMetricsOptions)).argument).toBe(
      argument,
    )
  })
})

describe('a program with default metrics', () => {
  it('ends by itself while they run', async () => {
    const { code, output, errors } = await runBuilt(new URL('programs/running.mjs', import.meta.url))
    expect({ code, output, errors }).toEqual({ code: 0, output: 'running\n', errors: '' })
  })
})

/** What the descriptors of this process lead to, but for the one that reading them takes. */
function openPaths(): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)]
    } catch {
      return []
    }
  })
}

/** What queries and dashboards refer to: sample names with their label names, and the type. */
function seriesOf(families: readonly MetricFamily[]): Record<string, string> {
  const found: Record<string, string> = {}
  for (const family of families) {
    for (const { name, labels } of samplesOf(family)) {
      const labelNames = Object.keys(labels).sort().join(',')
      found[labelNames === '' ? name : `${name}{${labelNames}}`] = family.type === 'info' ? 'gauge' : family.type
    }
  }
  return found
}

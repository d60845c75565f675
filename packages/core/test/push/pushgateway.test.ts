import { Counter, Enum, Gauge, GaugeMetricFamily, Histogram, Info, MetricError, Registry, Summary } from '@narthex/core'
import { deleteFromGateway, pushAddToGateway, PushError, pushToGateway } from '@narthex/core/push'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { requireProgram } from '../program.ts'
import { recordWarnings } from '../warnings.ts'
import { type RunningPushgateway, startPushgateway } from './pushgateway.ts'

let gateway: RunningPushgateway | undefined
let url: string

/** A registry with gauges of these values. */
function gauges(values: Readonly<Record<string, number>>): Registry {
  const registry = new Registry()
  for (const [name, value] of Object.entries(values)) new Gauge({ name, help: 'G', registry }).set(value)
  return registry
}

describe('a real Pushgateway', () => {
  afterAll(() => gateway?.stop())

  beforeEach(async (context) => {
    requireProgram('prometheus-pushgateway', context)
    gateway ??= await startPushgateway('--web.enable-admin-api')
    url = gateway.url
    await fetch(`${url}/api/v1/admin/wipe`, { method: 'PUT' })
  })

  it('replaces a group, and leaves other groups alone', async () => {
    await pushToGateway(url, { job: 'a', registry: gauges({ x: 1, y: 2 }) })
    await pushToGateway(url, { job: 'a', groupingKey: { b: 'c' }, registry: gauges({ x: 3 }) })
    await pushToGateway(url, { job: 'a', registry: gauges({ x: 4 }) })
    expect(await gateway?.page()).toEqual({ 'x{job="a"}': 4, 'x{b="c",job="a"}': 3 })
  })

  it('adds to a group: metrics of the same names are replaced, others stay', async () => {
    await pushToGateway(url, { job: 'a', registry: gauges({ x: 1, y: 2 }) })
    await pushAddToGateway(url, { job: 'a', registry: gauges({ x: 3, z: 4 }) })
    expect(await gateway?.page()).toEqual({ 'x{job="a"}': 3, 'y{job="a"}': 2, 'z{job="a"}': 4 })
  })

  it('deletes a group and no other, also one that is not there', async () => {
    await pushToGateway(url, { job: 'a', groupingKey: { b: 'c/d' }, registry: gauges({ x: 1 }) })
    await pushToGateway(url, { job: 'a', registry: gauges({ x: 2 }) })
    await deleteFromGateway(url, { job: 'a', groupingKey: { b: 'c/d' } })
    await deleteFromGateway(url, { job: 'nobody' })
    // It deletes when it has answered.
    await expect.poll(() => gateway?.page()).toEqual({ 'x{job="a"}': 2 })
    expect(await gateway?.groups()).toEqual([{ job: 'a' }])
  })

  it.each(['text', 'protobuf'] as const)('takes every type as %s, compressed or not', async (format) => {
    const registry = new Registry()
    new Counter({ name: 'c', help: 'C', registry }).inc(3, { trace_id: 'a' })
    new Gauge({ name: 'g', help: 'With "quotes", \\ and\nlines', labelNames: ['l'], registry }).set(
      { l: '"\n\\ü' },
      -0.5,
    )
    new Histogram({ name: 'h', help: 'H', buckets: [1], registry }).observe(0.5)
    new Histogram({ name: 'n', help: 'N', buckets: [1], native: { factor: 1.1 }, registry }).observe(0.5)
    new Summary({ name: 's', help: 'S', quantiles: [0.5], registry }).observe(2)
    new Info({ name: 'i', help: 'I', registry }).info({ version: '1' })
    new Enum({ name: 'e', help: 'E', states: ['on', 'off'], registry }).state('off')
    new Gauge({ name: 'dotted.name', help: 'D', registry }).set(Infinity)
    const expected = {
      'c_total{job="a"}': 3,
      'g{job="a",l=""\n\\ü"}': -0.5,
      'h_bucket{job="a",le="1"}': 1,
      'h_bucket{job="a",le="+Inf"}': 1,
      'h_sum{job="a"}': 0.5,
      'h_count{job="a"}': 1,
      'n_bucket{job="a",le="1"}': 1,
      'n_bucket{job="a",le="+Inf"}': 1,
      'n_sum{job="a"}': 0.5,
      'n_count{job="a"}': 1,
      's{job="a",quantile="0.5"}': 2,
      's_sum{job="a"}': 2,
      's_count{job="a"}': 1,
      'i_info{job="a",version="1"}': 1,
      'e{e="on",job="a"}': 0,
      'e{e="off",job="a"}': 1,
      'dotted_name{job="a"}': Infinity,
    }
    for (const compression of [false, true]) {
      await fetch(`${url}/api/v1/admin/wipe`, { method: 'PUT' })
      await pushToGateway(url, { job: 'a', registry, format, compression })
      expect(await gateway?.page()).toEqual(expected)
    }
  })

  it('takes an empty registry: the group is there, without metrics', async () => {
    await pushToGateway(url, { job: 'a', registry: gauges({ x: 1 }) })
    await pushToGateway(url, { job: 'a', registry: new Registry() })
    expect(await gateway?.page()).toEqual({})
    expect(await gateway?.groups()).toEqual([{ job: 'a' }])
  })

  it.each<[string, string, Record<string, string | number | boolean>]>([
    ['slashes', '/a/', { path: '/var/tmp', both: '//' }],
    ['nothing', 'a', { empty: '' }],
    ['dots', '..', { one: '.', two: '..', three: '...', version: '1.2.3' }],
    ['spaces and pluses', 'a b+c', { x: ' ', y: '+', z: '%20' }],
    ['percent signs', '%', { x: '%2F', y: '100 %', z: '%00' }],
    ['what URLs reserve', '?a=b&c#d', { x: ';', y: ':@!$', z: '[]{}|\\^`"<>' }],
    ['UTF-8', 'größe', { x: '日本語', y: '🔥', z: '\u0301' }],
    ['NUL and line ends', 'a\0b', { x: '\n', y: '\r\t' }],
    ['a kilobyte', 'k'.repeat(1024), { x: 'ü/'.repeat(342) }],
    ['@base64', 'a@base64', { x: '@base64', y: '=' }],
    ['numbers and booleans', 'a', { shard: 3, primary: true }],
  ])('groups by %s', async (_, job, groupingKey) => {
    await pushToGateway(url, { job, groupingKey, registry: gauges({ x: 1 }) })
    const texts = Object.entries(groupingKey).map(([name, value]) => [name, String(value)])
    const labels = { job, ...Object.fromEntries(texts) }
    expect(await gateway?.groups()).toEqual([labels])
    const [family] = (await gateway?.families()) ?? []
    const [series] = [...(family?.series ?? [])]
    // The page adds an empty `instance`, and an empty label is none.
    const shown = Object.entries({ ...series?.labels }).filter(([, value]) => value !== '')
    expect(Object.fromEntries(shown)).toEqual(
      Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== '')),
    )
    await deleteFromGateway(url, { job, groupingKey })
    await expect.poll(() => gateway?.groups()).toEqual([])
  })

  it('keeps the escaped form of a UTF-8 name where it is not told to read them', async () => {
    await pushToGateway(url, { job: 'a', groupingKey: { 'service.name': 'b' }, registry: gauges({ x: 1 }) })
    expect(await gateway?.groups()).toEqual([{ job: 'a', U__service_2e_name: 'b' }])
  })

  it('takes an address in every form', async () => {
    for (const address of [gateway?.address as string, `${url}/`, new URL(url)]) {
      await pushAddToGateway(address, { job: 'a', registry: gauges({ x: 1 }) })
    }
    expect(await gateway?.page()).toEqual({ 'x{job="a"}': 1 })
  })

  it('would refuse timestamps and overwrite labels of the group: that is told before anything is sent', async () => {
    const refused = await fetch(`${url}/metrics/job/a`, { method: 'PUT', body: 'x 1 1000\n' })
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('must not have timestamps')])
    await fetch(`${url}/metrics/job/a`, { method: 'PUT', body: 'x{job="b"} 1\n' })
    expect(await gateway?.page()).toEqual({ 'x{job="a"}': 1 })

    const error = await pushToGateway(url, { job: 'a', registry: timestamped() }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_FAMILY', metric: 'old' })
    expect(await gateway?.page()).toEqual({ 'x{job="a"}': 1 })
  })

  it('is not kept from the rest by a family that fails', async () => {
    const warnings = recordWarnings()
    const registry = gauges({ good: 1 })
    registry.register({
      name: 'bad',
      collect: () => [{ name: 'bad', help: 'B', type: 'gauge', series: failing() }],
    })
    await pushToGateway(url, { job: 'a', registry })
    expect(await gateway?.page()).toEqual({ 'good{job="a"}': 1, 'bad{job="a",n="1"}': 1, ...lossOf('bad', 1) })
    expect(warnings).toHaveLength(1)
  })

  it('tells in its own words why it refuses a page', async () => {
    await fetch(`${url}/metrics/job/a`, { method: 'PUT', body: '# TYPE x counter\nx 1\n' })
    const error = await pushToGateway(url, { job: 'b', registry: gauges({ x: 1 }) }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(PushError)
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_PUSH_FAILED', status: 400, url: `${url}/metrics/job/b` })
    const message = new RegExp(
      `^PUT ${url}/metrics/job/b failed: it answered 400: pushed metrics are invalid or inconsistent`,
    )
    expect((error as Error).message).toMatch(message)
  })
})

describe('what a group cannot hold', () => {
  const nowhere = 'http://127.0.0.1:1'
  const errorOf = (registry: Registry, groupingKey = {}): Promise<unknown> =>
    pushToGateway(nowhere, { job: 'a', groupingKey, registry, retries: 0 }).catch((reason: unknown) => reason)

  it('a series with a timestamp', async () => {
    expect(await errorOf(timestamped())).toEqual(
      new MetricError('ERR_NARTHEX_INVALID_FAMILY', {
        subject: 'Pushgateway',
        metric: 'old',
        argument: 'timestamp',
        rule: 'to be absent: a page with timestamps is refused',
        value: 1000,
      }),
    )
  })

  it.each<[string, Record<string, string>, string]>([
    ['the job', {}, 'job'],
    ['a label of the grouping key', { shard: '1' }, 'shard'],
    ['a label that is one of them when it is written', { service_name: 'b' }, 'service.name'],
  ])('a series that has %s itself', async (_, groupingKey, label) => {
    const registry = new Registry()
    new Gauge({ name: 'g', help: 'G', labelNames: [label], registry }).set({ [label]: 'x' }, 1)
    expect(await errorOf(registry, groupingKey)).toMatchObject({ code: 'ERR_NARTHEX_INVALID_LABELS', metric: 'g' })
  })

  it.each(['le', 'quantile', 'e'])('lines that get their label `%s` from the type', async (label) => {
    const registry = new Registry()
    new Histogram({ name: 'h', help: 'H', registry })
    new Summary({ name: 's', help: 'S', quantiles: [0.5], registry })
    new Enum({ name: 'e', help: 'E', states: ['on'], registry })
    const error = await errorOf(registry, { [label]: '1' })
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_LABELS' })
    expect((error as Error).message).toContain(`to leave \`${label}\` to the grouping key`)
  })

  it('but an object has no labels by being an object', async () => {
    const error = await errorOf(gauges({ x: 1 }), { constructor: 'a', toString: 'b' })
    expect(error).toBeInstanceOf(PushError)
  })
})

function timestamped(): Registry {
  const registry = new Registry()
  registry.register({
    collect: () => [new GaugeMetricFamily({ name: 'old', help: 'O' }).add([], 1, { timestamp: 1000 })],
  })
  return registry
}

function failing(): Iterable<{ labels: { n: string }; value: number }> {
  return {
    *[Symbol.iterator]() {
      yield { labels: { n: '1' }, value: 1 }
      throw new Error('no more')
    },
  }
}

function lossOf(collector: string, count: number): Record<string, number> {
  return { [`narthex_collector_errors_total{collector="${collector}",job="a"}`]: count }
}

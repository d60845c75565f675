import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Counter, Gauge, Histogram, MetricError, type MetricFamily, Registry, samplesOf } from '@narthex/core'
import { type RemoteWriteError, type RemoteWriteOptions, RemoteWriter } from '@narthex/remote-write'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fakeServer } from './fake-server.ts'

const folder = fileURLToPath(new URL('..', import.meta.url))
const tsc = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url))

function registryWith(count: number): Registry {
  const registry = new Registry()
  const gauge = new Gauge({ name: 'level', help: 'h', labelNames: ['tank'], registry })
  for (let tank = 0; tank < count; tank++) gauge.set({ tank }, tank)
  return registry
}

function writerTo(url: string, options: Partial<RemoteWriteOptions> = {}): RemoteWriter {
  const writer = new RemoteWriter({
    url,
    registry: registryWith(1),
    onError: () => {},
    flushTimeout: 5_000,
    ...options,
  })
  onTestFinished(() => writer.close().catch(() => {}))
  return writer
}

/** The writer's own metrics, summed by name without `narthex_remote_write_`. */
async function ownMetrics(writer: RemoteWriter): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  for await (const family of writer.collect() as AsyncIterable<MetricFamily>) {
    for (const { name, value } of samplesOf(family)) {
      const short = name.replace('narthex_remote_write_', '')
      sums[short] = (sums[short] ?? 0) + value
    }
  }
  return sums
}

async function failureOf(promise: Promise<unknown>): Promise<RemoteWriteError> {
  return promise.then(
    () => expect.unreachable('it must reject'),
    (error: unknown) => error as RemoteWriteError,
  )
}

async function settled(writer: RemoteWriter): Promise<void> {
  await expect.poll(() => writer.queuedSamples, { interval: 10 }).toBe(0)
}

/** Series that are the writer's own. */
const OWN = 10

describe('A request', () => {
  it('says what it is, and who asks', async () => {
    const { url, received } = await fakeServer()
    await writerTo(url, { auth: { username: 'me', password: 'sé:cret' }, headers: { 'X-Scope-OrgID': 'team' } }).flush()
    await writerTo(url, { auth: { bearer: 'token' } }).flush()
    await writerTo(url.replace('://', '://user:p%20w@')).flush()
    expect(received[0].headers).toMatchObject({
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '0.1.0',
      'user-agent': 'narthex-remote-write',
      'x-scope-orgid': 'team',
    })
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`
    expect(received.map(({ headers }) => headers.authorization)).toEqual([
      basic('me:sé:cret'),
      'Bearer token',
      basic('user:p w'),
    ])
  })

  it('has labels in the order of their names, those of the writer where a series has none', async () => {
    const { url, received } = await fakeServer()
    const registry = new Registry()
    new Gauge({ name: 'level', help: 'h', labelNames: ['job', 'Upper', 'a.b'], registry }).set(
      { job: 'own', Upper: 1, 'a.b': 2 },
      3,
    )
    await writerTo(url, { registry, labels: { job: 'outer', instance: 'i', none: '' } }).flush()
    expect(received[0].samples[0]).toMatchObject({
      order: ['Upper=1', '__name__=level', 'a_b=2', 'instance=i', 'job=own'],
      value: 3,
    })
  })

  it('holds no more samples than it may, and the samples in order', async () => {
    const { url, received } = await fakeServer()
    await writerTo(url, { registry: registryWith(25), maxSamplesPerSend: 10 }).flush()
    expect(received.map(({ samples }) => samples.length)).toEqual([10, 10, 10, 5])
    expect(received.flatMap(({ samples }) => samples.map(({ labels }) => labels['tank'])).slice(0, 25)).toEqual(
      Array.from({ length: 25 }, (_, tank) => String(tank)),
    )
  })

  it('describes the families once, and again when there are more', async () => {
    const { url, received } = await fakeServer()
    const registry = new Registry()
    new Counter({ name: 'jobs_total', help: 'Jobs', registry }).inc()
    const writer = writerTo(url, { registry })
    await writer.flush()
    await writer.flush()
    new Gauge({ name: 'level', help: 'Level', registry })
    await writer.flush()
    expect(received[0].metadata[0]).toEqual({ type: 1, name: 'jobs_total', help: 'Jobs', unit: '' })
    expect(received.map(({ metadata }) => metadata.length)).toEqual([8, 0, 9])
    await writerTo(url, { metadata: false }).flush()
    expect(received[3].metadata).toEqual([])
  })

  it('carries a native histogram in place of its buckets where asked to', async () => {
    const { url, received } = await fakeServer()
    const registry = new Registry()
    new Histogram({ name: 'latency_seconds', help: 'h', native: { factor: 1.1 }, buckets: [1], registry }).observe(0.5)
    const writers = [writerTo(url, { registry }), writerTo(url, { registry, nativeHistograms: true })]
    for (const writer of writers) await writer.flush()
    const names = received.map(({ samples }) => samples.map(({ labels }) => labels['__name__']).slice(0, -OWN))
    const classic = ['latency_seconds_bucket', 'latency_seconds_bucket', 'latency_seconds_sum', 'latency_seconds_count']
    expect(names).toEqual([classic, ['latency_seconds']])
    expect(received[1].samples[0].histogram).toBeDefined()
  })
})

describe('A server that cannot take samples now', () => {
  it.each([429, 500, 503])('is asked again after %d, and has each sample in the end', async (status) => {
    const { url, received } = await fakeServer((response, attempt) =>
      response.writeHead(attempt < 2 ? status : 204).end(),
    )
    const writer = writerTo(url)
    await writer.flush()
    expect(received).toHaveLength(3)
    expect(received[2].samples).toEqual(received[0].samples)
    expect(received[2].metadata).toEqual(received[0].metadata)
    expect(await ownMetrics(writer)).toMatchObject({
      samples_total: 1 + OWN,
      retries_total: 2,
      dropped_samples_total: 0,
    })
  })

  it('is left alone for as long as Retry-After says', async () => {
    const { url, received } = await fakeServer((response, attempt) => {
      if (attempt === 0) response.writeHead(429, { 'Retry-After': '1' }).end()
      else if (attempt === 1)
        response.writeHead(503, { 'Retry-After': new Date(Date.now() + 2_000).toUTCString() }).end()
      else response.writeHead(204).end()
    })
    const writer = writerTo(url, { interval: 50 }).start()
    await sleep(300)
    await writer.flush()
    const [first, second, third] = received.map(({ at }) => at)
    expect(second - first).toBeGreaterThan(995)
    // A date has no milliseconds.
    expect(third - second).toBeGreaterThan(900)
  })

  it('is asked again after a break, and after silence', async () => {
    let connections = 0
    const { url, received } = await fakeServer()
    const proxy = createServer((socket) => {
      if (connections++ === 0) return socket.destroy()
      if (connections === 2) return
      const [, host, port] = /\/\/(.+):(\d+)/.exec(url) as RegExpExecArray
      socket.pipe(connect(Number(port), host)).pipe(socket)
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    onTestFinished(() => void proxy.close())
    const { port } = proxy.address() as { port: number }
    const writer = writerTo(`http://127.0.0.1:${port}/`, { timeout: 200 })
    await writer.flush()
    expect(received).toHaveLength(1)
    expect(await ownMetrics(writer)).toMatchObject({ retries_total: 2 })
  })

  it('keeps `flush` for no longer than it may, and gets the samples the next time', async () => {
    let open = false
    const { url, received } = await fakeServer((response) => response.writeHead(open ? 204 : 500).end('out of order'))
    const writer = writerTo(url, { flushTimeout: 300 })
    const error = await failureOf(writer.flush())
    expect(error).toMatchObject({ name: 'RemoteWriteError', code: 'ERR_NARTHEX_REMOTE_WRITE_FAILED', status: 500 })
    expect(error.message).toMatch(/^Remote write to .*: 11 samples wait after 300 ms: it answered 500, out of order$/)
    expect(writer.queuedSamples).toBe(1 + OWN)
    open = true
    await writer.flush()
    expect(writer.queuedSamples).toBe(0)
    expect(received.at(-1)?.samples.length).toBe(1 + OWN)
  })

  it('loses the oldest samples of a full queue, which are counted', async () => {
    let open = false
    const taken: number[] = []
    const { url, received } = await fakeServer((response, attempt) => {
      if (open) taken.push(attempt)
      response.writeHead(open ? 204 : 500).end()
    })
    const writer = writerTo(url, { flushTimeout: 50, maxQueueSamples: 15 })
    await failureOf(writer.flush())
    await failureOf(writer.flush())
    expect(await ownMetrics(writer)).toMatchObject({ dropped_samples_total: 2 * (1 + OWN) - 15, queue_samples: 15 })
    open = true
    await settled(writer)
    const arrived = taken.flatMap((attempt) => received[attempt].samples)
    expect(arrived).toHaveLength(15)
    const times = new Set(received.flatMap(({ samples }) => samples.map(({ time }) => time)))
    expect(arrived.filter(({ time }) => time === Math.max(...times))).toHaveLength(1 + OWN)
    expect(await ownMetrics(writer)).toMatchObject({ samples_total: 15, dropped_samples_total: 2 * (1 + OWN) - 15 })
  })

  it('is told of once, and again after it was back', async () => {
    let open = false
    const { url } = await fakeServer((response) => response.writeHead(open ? 204 : 500).end())
    const errors: unknown[] = []
    const writer = writerTo(url, { flushTimeout: 500, onError: (error) => void errors.push(error) })
    await failureOf(writer.flush())
    expect(errors).toHaveLength(1)
    open = true
    await writer.flush()
    open = false
    await failureOf(writer.flush())
    expect(errors).toHaveLength(2)
  })
})

describe('A server that does not want samples', () => {
  it.each([400, 401, 404, 413, 307])(
    'is asked once with %d; what it refused is dropped and counted',
    async (status) => {
      const { url, received } = await fakeServer((response, attempt) => {
        response.writeHead(attempt === 0 ? status : 204, { Location: '/elsewhere' }).end('no')
      })
      const errors: unknown[] = []
      const writer = writerTo(url, { onError: (error) => void errors.push(error) })
      const error = await failureOf(writer.flush())
      expect(error.status).toBe(status)
      expect(error.message).toContain('11 samples were refused')
      expect(errors).toHaveLength(1)
      await writer.flush()
      expect(received).toHaveLength(2)
      expect(received[1].samples[0].time).toBeGreaterThan(received[0].samples[0].time)
      expect(await ownMetrics(writer)).toMatchObject({
        samples_total: 1 + OWN,
        dropped_samples_total: 1 + OWN,
        retries_total: 0,
      })
    },
  )
})

describe('Closing', () => {
  it('writes the last values, and then the end of every series', async () => {
    const { url, received } = await fakeServer()
    const registry = registryWith(3)
    const writer = writerTo(url, { registry, interval: 60_000 }).start()
    await writer.close()
    const samples = received.flatMap((request) => request.samples)
    const ended = samples.filter(({ bits }) => bits === 0x7ff0000000000002n)
    expect(ended).toHaveLength(3 + OWN)
    const last = samples.findLast(({ labels, bits }) => labels['tank'] === '2' && bits !== 0x7ff0000000000002n)
    expect(last?.value).toBe(2)
    expect(ended[0].time).toBeGreaterThan(last?.time ?? Infinity)
    expect(writer.close()).toBe(writer.close())
    await expect(writer.flush()).rejects.toThrow(MetricError)
    expect(() => writer.start()).toThrow(MetricError)
  })

  it('ends a series that has gone, at once and only once', async () => {
    const { url, received } = await fakeServer()
    const registry = new Registry()
    const gauge = new Gauge({ name: 'level', help: 'h', labelNames: ['tank'], registry })
    gauge.set({ tank: 'a' }, 1)
    const writer = writerTo(url, { registry })
    await writer.flush()
    gauge.remove({ tank: 'a' })
    for (let time = 0; time < 2; time++) await writer.flush()
    const own = received.map(({ samples }) =>
      samples.filter(({ labels }) => labels['tank'] === 'a').map(({ value }) => value),
    )
    expect(own).toEqual([[1], [NaN], []])
  })

  it('gives up in time, and counts what is lost', async () => {
    const { url } = await fakeServer(() => {})
    const writer = writerTo(url, { flushTimeout: 200, staleMarkers: false })
    const error = await failureOf(writer.close())
    expect(error.message).toContain('11 samples wait after 200 ms')
    expect(writer.queuedSamples).toBe(0)
    expect(await ownMetrics(writer)).toMatchObject({ dropped_samples_total: 1 + OWN, samples_total: 0 })
  })

  it('comes by itself when the process has nothing more to do', async () => {
    const { url, received } = await fakeServer()
    const program = `
      import { Gauge } from '@narthex/core'
      import { RemoteWriter } from '@narthex/remote-write'
      let level = 0
      const collect = (gauge) => {
        gauge.set(level)
        setTimeout(() => (level = 42), 50)
      }
      new Gauge({ name: 'level', help: 'h', collect })
      new RemoteWriter({ url: process.argv[1], interval: 3600000 }).start()`
    execFileSync(process.execPath, [tsc, '-b', folder], { stdio: 'inherit' })
    const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env
    const flags = ['--input-type=module', '-e', program, url]
    const child = spawn(process.execPath, flags, { cwd: folder, env, stdio: 'inherit', timeout: 60_000 })
    const [code] = (await once(child, 'exit')) as [number]
    expect(code).toBe(0)
    const levels = received.flatMap(({ samples }) => samples.filter(({ labels }) => labels['__name__'] === 'level'))
    expect(levels.map(({ value }) => value)).toEqual([0, 42, NaN])
  })
})

describe('Samples with a time of their own', () => {
  it('are written once, and have no end', async () => {
    const { url, received } = await fakeServer()
    let timestamp = 1_000
    const registry = {
      async *gather(): AsyncGenerator<MetricFamily> {
        yield { name: 'reading', help: '', type: 'gauge', series: [{ labels: {}, value: 1, timestamp }] }
      },
    }
    const writer = writerTo(url, { registry })
    await writer.flush()
    await writer.flush()
    timestamp = 2_000.5
    await writer.flush()
    timestamp = NaN
    await writer.flush()
    await writer.close()
    const times = received.map(({ samples }) =>
      samples.filter(({ labels }) => labels['__name__'] === 'reading').map(({ time }) => time),
    )
    expect(times.flat()).toEqual([1_000_000, 2_000_500])
  })
})

describe('A series that cannot be written', () => {
  it('is left out and counted, and the others are not', async () => {
    const { url, received } = await fakeServer()
    const registry = new Registry()
    const gauge = new Gauge({ name: 'level', help: 'h', labelNames: ['a.b', 'a_b'], registry })
    gauge.set({ 'a.b': 1, a_b: 2 }, 3)
    gauge.set({ 'a.b': 1, a_b: '' }, 4)
    const writer = writerTo(url, { registry })
    await writer.flush()
    expect(received[0].samples.filter(({ labels }) => labels['__name__'] === 'level')).toMatchObject([{ value: 4 }])
    expect(await ownMetrics(writer)).toMatchObject({ dropped_samples_total: 1 })
  })

  it('costs no other family where reading it fails, and the registry counts it', async () => {
    const { url, received } = await fakeServer()
    const registry = registryWith(1)
    registry.register({
      name: 'broken',
      *collect(): Generator<MetricFamily> {
        yield { name: 'odd', help: '', type: 'gauge', series: [{ labels: {}, value: 'x' as unknown as number }] }
      },
    })
    await writerTo(url, { registry }).flush()
    expect(received[0].samples.some(({ labels }) => labels['tank'] === '0')).toBe(true)
    expect(await registry.metrics()).toContain('narthex_collector_errors_total{collector="broken"}')
  })
})

describe('Options', () => {
  it.each<[string, Record<string, unknown>]>([
    ['url', { url: 'ftp://x' }],
    ['url', { url: '' }],
    ['registry', { registry: {} }],
    ['interval', { interval: 0 }],
    ['timeout', { timeout: Infinity }],
    ['flushTimeout', { flushTimeout: '1' }],
    ['maxSamplesPerSend', { maxSamplesPerSend: 1.5 }],
    ['maxQueueSamples', { maxQueueSamples: 0 }],
    ['labels', { labels: { __name__: 'x' } }],
    ['labels', { labels: { 'a.b': 'x' } }],
    ['job', { labels: { job: null } }],
    ['headers', { headers: { 'Content-Encoding': 'gzip' } }],
    ['headers', { headers: { a: 'b\nc' } }],
    ['auth', { auth: { bearer: 'a\nb' } }],
    ['auth', { auth: { username: 'a:b', password: 'c' } }],
    ['tls', { tls: { ca: 'nothing', cert: 'secret' } }],
    ['staleMarkers', { staleMarkers: 1 }],
    ['onError', { onError: 'log' }],
    ['shards', { shards: 3 }],
  ])('refuse a wrong `%s`: %j', (argument, wrong) => {
    const options = { url: 'http://localhost/api/v1/write', ...wrong } as unknown as RemoteWriteOptions
    expect(() => new RemoteWriter(options)).toThrow(expect.objectContaining({ name: 'MetricError', argument }))
  })
})

describe('Exemplars', () => {
  const exemplarsOf = (samples: readonly { exemplars: readonly unknown[] }[]): unknown[] =>
    samples.flatMap(({ exemplars }) => exemplars)

  function observed(): { registry: Registry; counter: Counter; latency: Histogram } {
    const registry = new Registry()
    const counter = new Counter({ name: 'orders', help: 'h', registry })
    const latency = new Histogram({ name: 'latency_seconds', help: 'h', buckets: [1, 5], registry })
    counter.inc(1, { trace_id: 'a' })
    latency.observe(0.5, { trace_id: 'b' })
    latency.observe(3, { trace_id: 'c', span_id: 'd' })
    return { registry, counter, latency }
  }

  it('are written with the series that they belong to, each once', async () => {
    const server = await fakeServer()
    const { registry, latency } = observed()
    const writer = writerTo(server.url, { registry })
    const begin = Date.now()
    await writer.flush()
    const found = server.received[0]?.samples.flatMap(({ labels, exemplars }) =>
      exemplars.map((exemplar) => [labels['__name__'], labels['le'], exemplar.labels, exemplar.value]),
    )
    expect(found).toEqual([
      ['orders_total', undefined, { trace_id: 'a' }, 1],
      ['latency_seconds_bucket', '1', { trace_id: 'b' }, 0.5],
      ['latency_seconds_bucket', '5', { span_id: 'd', trace_id: 'c' }, 3],
    ])
    for (const { time } of exemplarsOf(server.received[0]?.samples ?? []) as { time: number }[]) {
      expect(Math.abs(time - begin)).toBeLessThan(5_000)
    }
    await writer.flush()
    expect(exemplarsOf(server.received[1]?.samples ?? [])).toEqual([])
    await sleep(2)
    latency.observe(0.25, { trace_id: 'e' })
    await writer.flush()
    expect(exemplarsOf(server.received[2]?.samples ?? [])).toMatchObject([{ labels: { trace_id: 'e' }, value: 0.25 }])
  })

  it('are left out on request', async () => {
    const server = await fakeServer()
    await writerTo(server.url, { registry: observed().registry, exemplars: false }).flush()
    expect(exemplarsOf(server.received[0]?.samples ?? [])).toEqual([])
  })

  it('of native histograms go with them, oldest first', async () => {
    const server = await fakeServer()
    const registry = new Registry()
    const latency = new Histogram({ name: 'latency_seconds', help: 'h', native: { factor: 1.1 }, registry })
    for (const value of [8, 2, 4]) {
      latency.observe(value, { trace_id: String(value) })
      await sleep(2)
    }
    await writerTo(server.url, { registry, nativeHistograms: true }).flush()
    expect((exemplarsOf(server.received[0]?.samples ?? []) as { value: number }[]).map(({ value }) => value)).toEqual([
      8, 2, 4,
    ])
  })
})

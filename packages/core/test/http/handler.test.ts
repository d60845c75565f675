import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { Counter, Gauge, GaugeMetricFamily, type Gatherer, MetricError, Registry } from '@narthex/core'
import { metricsHandler, type MetricsHandlerOptions } from '@narthex/core/http'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../../../../test/until.ts'

let close: () => Promise<void> = async () => {}
let port = 0

afterEach(() => close())

async function serve(options: MetricsHandlerOptions): Promise<void> {
  const server = createServer(metricsHandler(options))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
  close = () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
}

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** Without the decompression that fetch does. */
function ask(headers: Record<string, string> = {}, path = '/', method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, method, path, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      )
      response.on('error', reject)
    })
    request.on('error', reject).end()
  })
}

function twoMetrics(): Registry {
  const registry = new Registry()
  new Counter({ name: 'apples', help: 'Apples', registry }).inc(3)
  new Gauge({ name: 'pears', help: 'Pears', registry }).set(2)
  return registry
}

describe('metricsHandler', () => {
  it('serves the page with its type, whatever the path', async () => {
    await serve({ registry: twoMetrics() })
    const { status, headers, body } = await ask({}, '/any/where')
    expect(status).toBe(200)
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4; charset=utf-8/)
    expect(headers.vary).toBe('Accept, Accept-Encoding')
    expect(body.toString()).toContain('apples_total 3\n')
  })

  it('answers HEAD with the headers of GET and no body', async () => {
    await serve({ registry: twoMetrics() })
    const [head, get] = [await ask({}, '/', 'HEAD'), await ask()]
    expect(head.status).toBe(200)
    expect(head.headers['content-type']).toBe(get.headers['content-type'])
    expect(head.body).toHaveLength(0)
  })

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('refuses %s with 405 and Allow', async (method) => {
    await serve({ registry: twoMetrics() })
    const { status, headers } = await ask({}, '/', method)
    expect(status).toBe(405)
    expect(headers.allow).toBe('GET, HEAD')
  })

  it('filters by `name[]`, of families and of samples', async () => {
    await serve({ registry: twoMetrics() })
    const names = async (query: string): Promise<string[]> =>
      [...(await ask({}, `/metrics?${query}`)).body.toString().matchAll(/^# TYPE (\S+)/gm)].map(
        ([, name]) => name as string,
      )
    expect(await names('name[]=pears')).toEqual(['pears'])
    expect(await names('name%5B%5D=apples_total')).toEqual(['apples_total'])
    expect(await names('name[]=pears&name[]=apples')).toHaveLength(2)
    expect(await names('name[]=nothing')).toEqual([])
    expect(await names('other=pears')).toHaveLength(2)
  })

  it('compresses as the client accepts it', async () => {
    await serve({ registry: twoMetrics() })
    const plain = (await ask()).body.toString()
    const gzip = await ask({ 'accept-encoding': 'gzip' })
    expect(gzip.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(gzip.body).toString()).toBe(plain)
    const brotli = await ask({ 'accept-encoding': 'gzip;q=0.5, br' })
    expect(brotli.headers['content-encoding']).toBe('br')
    expect(brotliDecompressSync(brotli.body).toString()).toBe(plain)
    expect((await ask({ 'accept-encoding': 'gzip;q=0' })).headers['content-encoding']).toBeUndefined()
  })

  it('does not compress with `compression: false`', async () => {
    await serve({ registry: twoMetrics(), compression: false })
    expect((await ask({ 'accept-encoding': 'gzip, br' })).headers['content-encoding']).toBeUndefined()
  })

  it('asks `authorize`, which may take its time or throw', async () => {
    await serve({
      registry: twoMetrics(),
      authorize: async ({ headers }) => {
        await sleep(1)
        if (headers['x-throw']) throw new Error('authorize')
        return headers.authorization === 'Bearer secret'
      },
    })
    expect((await ask()).status).toBe(401)
    expect((await ask()).headers['www-authenticate']).toBeDefined()
    expect((await ask({ authorization: 'Bearer secret' })).status).toBe(200)
    const failed = await ask({ 'x-throw': '1' })
    expect(failed.status).toBe(500)
    expect(failed.body.toString()).not.toContain('apples')
  })

  it('tells of a gatherer that fails before its first byte', async () => {
    const gatherer: Gatherer = {
      gather: async function* () {
        yield await Promise.reject(new Error('gather'))
      },
    }
    await serve({ registry: gatherer })
    expect((await ask()).status).toBe(500)
    expect((await ask()).status).toBe(500)
  })

  it('refuses unknown and invalid options', () => {
    for (const options of [
      { reg: 1 },
      { registry: {} },
      { compression: 1 },
      { maxRequestsInFlight: 0 },
      { timeout: 0 },
      { timeout: '1' },
      { authorize: 1 },
    ]) {
      expect(() => metricsHandler(options as never)).toThrow(MetricError)
    }
  })
})

describe('scrapes at once', () => {
  it('are refused with 503 over the limit, and taken again afterwards', async () => {
    let open = (): void => {}
    const gate = new Promise<void>((resolve) => (open = resolve))
    let under = 0
    const gatherer: Gatherer = {
      gather: async function* () {
        under += 1
        await gate
        yield new GaugeMetricFamily({ name: 'a', help: 'A', value: 1 })
      },
    }
    await serve({ registry: gatherer, maxRequestsInFlight: 2 })
    const waiting = [ask(), ask()]
    await until('two scrapes are under way', () => under === 2)
    const refused = await ask()
    expect(refused.status).toBe(503)
    expect(refused.headers['retry-after']).toBeDefined()
    open()
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200])
    expect((await ask()).status).toBe(200)
  })

  it('free their place when the client goes away', async () => {
    await serve({ registry: largePage(), maxRequestsInFlight: 1 })
    for (let round = 0; round < 3; round += 1) {
      const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
      await new Promise((resolve) => socket.once('data', resolve))
      socket.pause()
      expect((await ask()).status).toBe(503)
      socket.destroy()
      await until('there is room again', async () => (await ask()).status === 200)
    }
  })

  it('wait for a slow reader without taking the page into memory', async () => {
    let taken = 0
    await serve({ registry: largePage(() => (taken += 1)) })
    const socket = connect(port, '127.0.0.1', () =>
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
    )
    await new Promise((resolve) => socket.once('data', resolve))
    socket.pause()
    let before = -1
    while (before !== taken) {
      before = taken
      await sleep(100)
    }
    expect(taken).toBeLessThan(SERIES)
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
    expect(taken).toBe(SERIES)
  })
})

describe('time-outs', () => {
  it('follow the one that Prometheus announces, where it is shorter', async () => {
    const timeouts: (number | undefined)[] = []
    const gatherer: Gatherer = {
      gather: async function* (options) {
        timeouts.push(options?.timeout)
        yield* []
      },
    }
    await serve({ registry: gatherer, timeout: 5_000 })
    for (const seconds of ['2', '100', 'nonsense', '-1']) await ask({ 'x-prometheus-scrape-timeout-seconds': seconds })
    expect(timeouts[0]).toBeGreaterThan(1_000)
    expect(timeouts[0]).toBeLessThan(2_000)
    expect(timeouts.slice(1)).toEqual([5_000, 5_000, 5_000])
  })

  it('leave out a collector that is late and serve the others', async () => {
    const registry = twoMetrics()
    registry.register({ collect: () => new Promise(() => {}) })
    await serve({ registry })
    const { status, body } = await ask({ 'x-prometheus-scrape-timeout-seconds': '0.1' })
    expect(status).toBe(200)
    expect(body.toString()).toContain('apples_total 3\n')
  })
})

const SERIES = 400_000

/** Larger than all the buffers between here and a client. */
function largePage(onSeries: () => void = () => {}): Gatherer {
  return {
    gather: async function* () {
      yield {
        name: 'large',
        help: 'Large',
        type: 'gauge',
        series: (function* () {
          for (let index = 0; index < SERIES; index += 1) {
            onSeries()
            yield { labels: { index: `${index}`, padding: 'x'.repeat(60) }, value: index }
          }
        })(),
      }
    },
  }
}

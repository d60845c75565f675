import { request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { MetricError, Registry } from '@narthex/core'
import { prometheus, type PrometheusOptions } from '@narthex/express'
import express, { type Express } from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import { countsOf, inFlight, type TableApp } from '../../../test/http-requests/run.ts'
import { until } from '../../../test/until.ts'
import { listen } from './app.ts'

let app: TableApp & { registry: Registry }

/** Serves an application whose first middleware is the one under test, and gives a client for it. */
async function serve(options: PrometheusOptions, build: (app: Express) => void = () => {}): Promise<typeof send> {
  const registry = new Registry()
  const served = express()
  served.use(prometheus({ registry, ...options }))
  build(served)
  app = { ...(await listen(served, registry)), registry }
  return send
}

async function send(path: string, init?: RequestInit): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(`http://127.0.0.1:${app.port}${path}`, init)
  const text = await response.text()
  await until('nothing is in flight', async () => (await inFlight(app.registry)) === 0, { interval: 2 })
  return { status: response.status, text, headers: response.headers }
}

async function counted(): Promise<Record<string, number>> {
  return Object.fromEntries(await countsOf(app.registry))
}

afterEach(() => app.close())

describe('the page of metrics', () => {
  it('is at /metrics, and its own scrape is not on it', async () => {
    await serve({}, (served) => served.get('/', (_request, response) => void response.send('ok')))
    await send('/')
    const { status, text, headers } = await send('/metrics?x=1')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toContain('text/plain')
    expect(text).toContain('http_requests_total{method="GET",route="/",code="200"} 1\n')
    expect(await counted()).toEqual({ 'GET / 200': 1 })
  })

  it('is recorded where that is asked for', async () => {
    await serve({ recordScrapes: true })
    await send('/metrics')
    await send('/metrics', { method: 'POST' })
    expect(await counted()).toEqual({ 'GET /metrics 200': 1, 'POST /metrics 405': 1 })
  })

  it('answers HEAD, and refuses other methods with Allow', async () => {
    await serve({})
    expect(await send('/metrics', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
    const { status, headers } = await send('/metrics', { method: 'DELETE' })
    expect(status).toBe(405)
    expect(headers.get('allow')).toBe('GET, HEAD')
  })

  it('is where `path` says, seen from the mount', async () => {
    const registry = new Registry()
    const served = express()
    served.use('/internal', prometheus({ registry, path: '/prom' }))
    app = { ...(await listen(served, registry)), registry }
    expect((await send('/internal/prom')).status).toBe(200)
    expect((await send('/prom')).status).toBe(404)
    expect((await send('/internal/promo')).status).toBe(404)
    expect((await send('/internal/prom/')).status).toBe(404)
  })

  it('is not served with `path: false`', async () => {
    await serve({ path: false })
    expect((await send('/metrics')).status).toBe(404)
    expect(await counted()).toEqual({ 'GET <unmatched> 404': 1 })
  })

  it('asks `authorize`, which is given the request of Express', async () => {
    await serve({ authorize: (request) => request.get('x-token') === 'secret' })
    expect((await send('/metrics')).status).toBe(401)
    expect((await send('/metrics', { headers: { 'x-token': 'secret' } })).status).toBe(200)
  })
})

describe('options', () => {
  it('leaves out what `ignore` names, by the whole path', async () => {
    await serve({ ignore: ['/health', '/internal/*', /^\/x\d/] }, (served) => {
      served.use(
        express.Router().get(['/health', '/internal/a', '/x1', '/y'], (_request, response) => void response.send('')),
      )
    })
    for (const path of ['/health', '/internal/a', '/x1', '/y']) await send(path)
    expect(await counted()).toEqual({ 'GET /y 200': 1 })
  })

  it('leaves out what the predicate `ignore` says, and counts one that throws', async () => {
    await serve({
      ignore: (request) => {
        if (request.query['throw']) throw new Error('ignore')
        return request.get('user-agent') === 'probe'
      },
    })
    await send('/a', { headers: { 'user-agent': 'probe' } })
    await send('/a?throw=1')
    expect(await counted()).toEqual({ 'GET <unmatched> 404': 1 })
    expect(await app.registry.metrics()).toContain('narthex_hook_errors_total{hook="ignore"} 1\n')
  })

  it('adds labels of its own, and survives those that throw', async () => {
    await serve(
      {
        labels: {
          tier: (request) => (request as { tier?: string }).tier,
          status_text: (_request, response) => response.statusMessage,
          broken: () => {
            throw new Error('label')
          },
        },
      },
      (served) =>
        served.get('/', (request, response) => {
          Object.assign(request, { tier: 'gold' })
          response.send('ok')
        }),
    )
    expect((await send('/')).status).toBe(200)
    const text = await app.registry.metrics()
    expect(text).toContain('http_requests_total{method="GET",route="/",code="200",tier="gold",status_text="OK"} 1\n')
    expect(text).toContain('narthex_hook_errors_total{hook="labels"} 1\n')
  })

  it('lets `route` name some requests and leaves the others to Express', async () => {
    await serve({ route: (request) => (request.path.startsWith('/legacy') ? '/legacy' : undefined) }, (served) => {
      served.get(['/legacy/:a', '/new/:b'], (_request, response) => void response.send(''))
    })
    await send('/legacy/1')
    await send('/new/1')
    expect(await counted()).toEqual({ 'GET /legacy 200': 1, 'GET /new/:b 200': 1 })
  })

  it('groups status codes', async () => {
    await serve({ groupStatusCodes: true }, (served) =>
      served.get('/', (_request, response) => void response.sendStatus(204)),
    )
    await send('/')
    await send('/nothing')
    expect(await counted()).toEqual({ 'GET / 2xx': 1, 'GET <unmatched> 4xx': 1 })
  })

  it('records sizes as sent', async () => {
    await serve({ sizes: true }, (served) =>
      served.post('/echo', (request, response) => {
        request.on('data', () => {})
        request.on('end', () => {
          response.write('x'.repeat(700))
          response.end('é')
        })
      }),
    )
    await send('/echo', { method: 'POST', body: 'y'.repeat(5_000) })
    const labels = { method: 'POST', route: '/echo', code: '200' }
    expect(app.registry.getSampleValue('http_request_size_bytes_sum', labels)).toBe(5_000)
    expect(app.registry.getSampleValue('http_response_size_bytes_sum', labels)).toBe(702)
  })

  it('uses the names of OpenTelemetry', async () => {
    await serve({ naming: 'otel' }, (served) => {
      served.get('/users/:id', (_request, response) => void response.send(''))
      served.get('/fails', (_request, response) => void response.sendStatus(503))
    })
    for (const path of ['/users/7', '/fails', '/nothing']) await send(path)
    const text = await app.registry.metrics()
    const name = 'http_server_request_duration_seconds_count'
    expect(text).toContain(
      `${name}{http_request_method="GET",http_route="/users/:id",http_response_status_code="200",url_scheme="http"} 1\n`,
    )
    expect(text).toContain(
      `${name}{http_request_method="GET",http_route="/fails",http_response_status_code="503",url_scheme="http",error_type="503"} 1\n`,
    )
    expect(text).toContain(`${name}{http_request_method="GET",http_response_status_code="404",url_scheme="http"} 1\n`)
    expect(text).toContain('http_server_active_requests{http_request_method="GET",url_scheme="http"} 0\n')
    expect(text).not.toContain('http_requests_total')
  })

  it('attaches sampled traces', async () => {
    await serve({ exemplars: true }, (served) => served.get('/', (_request, response) => void response.send('')))
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
    await send('/', { headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` } })
    const sampled = JSON.stringify(await exemplars())
    expect(sampled).toContain(`"trace_id":"${trace}","span_id":"00f067aa0ba902b7"`)
    await send('/', { headers: { traceparent: `00-${trace.replaceAll('4', '5')}-00f067aa0ba902b7-00` } })
    await send('/', { headers: { traceparent: 'nonsense' } })
    expect(JSON.stringify(await exemplars())).toBe(sampled)
  })

  async function exemplars(): Promise<unknown[]> {
    const found: unknown[] = []
    for await (const family of app.registry.gather({ names: ['http_requests_total'] })) {
      for (const series of family.series) found.push((series as { exemplar?: { labels: unknown } }).exemplar?.labels)
    }
    return found
  }

  it('makes labels of parameters that are listed, those of mounts too', async () => {
    await serve({ promoteParams: { tenant: ['acme', 'umbrella'], id: ['1'] } }, (served) => {
      const tenant = express.Router()
      tenant.get('/orders/:id', (_request, response) => void response.send(''))
      served.use('/t/:tenant', tenant)
    })
    await send('/t/acme/orders/1')
    await send('/t/evil/orders/2')
    await send('/nothing')
    const text = await app.registry.metrics()
    expect(text).toContain('{method="GET",route="/t/:tenant/orders/:id",code="200",tenant="acme",id="1"} 1\n')
    expect(text).toContain('{method="GET",route="/t/:tenant/orders/:id",code="200",tenant="other",id="other"} 1\n')
    expect(text).toContain('{method="GET",route="<unmatched>",code="404"} 1\n')
  })

  it('refuses unknown and invalid ones', async () => {
    await serve({})
    for (const options of [
      { pth: '/m' },
      { path: 'metrics' },
      { path: true },
      { recordScrapes: 1 },
      { buckets: [2, 1] },
      { authorize: 'yes' },
    ]) {
      expect(() => prometheus({ registry: new Registry(), ...(options as object) })).toThrow(MetricError)
    }
  })

  it('takes the same registry twice and counts once', async () => {
    const registry = new Registry()
    const served = express()
    served.use(prometheus({ registry }), prometheus({ registry }))
    served.use(
      express
        .Router()
        .use(prometheus({ registry }))
        .get('/a', (_request, response) => void response.send('')),
    )
    app = { ...(await listen(served, registry)), registry }
    await send('/a')
    expect(await counted()).toEqual({ 'GET /a 200': 1 })
  })
})

it.each([
  ['of the same registry is not counted', true, {}],
  ['of another registry is counted under its path', false, { 'GET /second 200': 2 }],
])('a scrape of a second page %s', async (_what, isSame, expected) => {
  const registry = new Registry()
  const served = express()
  served.use(prometheus({ registry }))
  served.use(prometheus({ registry: isSame ? registry : new Registry(), path: '/second' }))
  app = { ...(await listen(served, registry)), registry }
  for (const path of ['/second', '/metrics', '/second']) expect((await send(path)).status).toBe(200)
  expect(await counted()).toEqual(expected)
})

describe('a client that leaves while a guard thinks', () => {
  it.each([
    ['in front', [false, true]],
    ['behind', [true, false]],
    ['between two', [true, true]],
  ])('is counted once: %s', async (_where, [before, after]) => {
    const registry = new Registry()
    const served = express()
    let goOn: (() => void) | undefined
    let isLeft = false
    const isPassed = new Promise<void>((resolve) => {
      if (before) served.use(prometheus({ registry }))
      served.use((_request, response, next) => {
        response.on('close', () => (isLeft = true))
        goOn = () => {
          next()
          resolve()
        }
      })
      if (after) served.use(prometheus({ registry }))
      served.get('/a', (_request, response) => void response.send('too late'))
    })
    app = { ...(await listen(served, registry)), registry }
    const request = httpRequest({ port: app.port, path: '/a' }).on('error', () => {})
    request.end()
    await until('the guard thinks', () => goOn !== undefined)
    request.destroy()
    await until('the client has left', () => isLeft)
    goOn?.()
    await isPassed
    // What would count a second time comes after the first.
    await sleep(20)
    expect(await inFlight(registry)).toBe(0)
    const counts = Object.values(await counted())
    expect(counts).toEqual([1])
    expect(Object.keys(await counted())[0]).toMatch(/^GET .* 499$/)
  })
})

describe('streams', () => {
  it('keeps the length of event streams out of the latency', async () => {
    let end = (): unknown => expect.unreachable('it has begun')
    await serve({ timeToHeaders: true }, (served) =>
      served.get('/events', (_request, response) => {
        response.type('text/event-stream')
        response.flushHeaders()
        end = () => response.end('data: 1\n\n')
      }),
    )
    const answer = send('/events')
    const labels = { method: 'GET', route: '/events', code: '200' }
    const inFlightNow = (): unknown => app.registry.getSampleValue('http_streams_in_flight', { method: 'GET' })
    await expect.poll(inFlightNow).toBe(1)
    await sleep(150)
    end()
    await answer
    expect(app.registry.getSampleValue('http_streams_in_flight', { method: 'GET' })).toBe(0)
    expect(app.registry.getSampleValue('http_stream_duration_seconds_count', labels)).toBe(1)
    const lifetime = app.registry.getSampleValue('http_stream_duration_seconds_sum', labels) as number
    const latency = app.registry.getSampleValue('http_request_duration_seconds_sum', labels) as number
    expect(lifetime - latency).toBeGreaterThan(0.1)
    expect(app.registry.getSampleValue('http_time_to_headers_seconds_sum', labels)).toBe(latency)
  })
})

describe('a hostile client', () => {
  it('makes no more series than there are routes', async () => {
    await serve({}, (served) => {
      served.get('/users/:id', (_request, response) => void response.send(''))
      served.use(
        ['/de', '/fr'],
        express.Router().get('/a', (_request, response) => void response.send('')),
      )
      served.use('/Static', (_request, response) => void response.sendStatus(404))
    })
    const random = (): string => Math.random().toString(36).slice(2)
    for (let round = 0; round < 40; round += 1) {
      for (const path of [
        `/users/${random()}`,
        `/${random()}/${random()}`,
        `/sTAtic/${random()}`,
        `/DE/a?${random()}`,
        '/users/%zz',
        `/%00${random()}`,
      ]) {
        for (const method of ['GET', 'PURGE', 'QUERY'])
          await raw(method, path, { 'x-forwarded-host': random(), host: random() })
      }
    }
    const routes = new Set([...(await countsOf(app.registry)).keys()].map((line) => line.split(' ')[1]))
    expect([...routes].sort()).toEqual(['/Static/*', '/de/a', '/users/:id', '<unmatched>'])
    const methods = new Set([...(await countsOf(app.registry)).keys()].map((line) => line.split(' ')[0]))
    expect([...methods].sort()).toEqual(['GET', 'QUERY', '_OTHER'])
  })

  function raw(method: string, path: string, headers: Record<string, string>): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({ port: app.port, method, path, headers }, (response) =>
        response.resume().on('close', resolve),
      )
      request.on('error', reject).end()
    })
  }
})

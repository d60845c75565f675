import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { MetricError, Registry } from '@narthex/core'
import { prometheus, type PrometheusOptions } from '@narthex/koa'
import Router from '@koa/router'
import Koa, { type Context } from 'koa'
import mount from 'koa-mount'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { inFlight } from '../../../test/http-requests/run.ts'
import { serve } from './serve.ts'

const hello = (app: Koa): unknown => app.use((context) => void (context.body = 'hello'))

function shop(app: Koa): void {
  const routes = new Router()
  routes.get('/users/:id', (context) => void (context.body = 'user'))
  routes.post('/users/:id', async (context) => {
    for await (const _ of context.req);
    context.body = 'saved'
  })
  app.use(routes.routes())
}

describe('The page of metrics', () => {
  it('is served at /metrics and not recorded', async () => {
    const { get, registry } = await serve(hello)
    await get('/any')
    const page = await get('/metrics?name[]=http_requests_total', { headers: { accept: 'text/plain;version=0.0.4' } })
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toContain('version=0.0.4')
    expect(await page.text()).toContain('http_requests_total{method="GET",route="/*",code="200"} 1\n')
    expect(await registry.metrics()).not.toContain('/metrics')
    expect((await get('/metrics', { method: 'POST' })).status).toBe(405)
    expect((await get('/metrics', { method: 'HEAD' })).status).toBe(200)
    expect(await (await get('/metricsandmore')).text()).toBe('hello')
  })

  it('can be recorded', async () => {
    const { get, counted } = await serve(hello, { recordScrapes: true })
    await get('/metrics?a=b')
    expect(await counted()).toEqual(['GET /metrics 200 1'])
  })

  it('can be elsewhere, or left to somebody else', async () => {
    const moved = await serve(hello, { path: '/internal/metrics' })
    expect(await (await moved.get('/metrics')).text()).toBe('hello')
    expect(await (await moved.get('/internal/metrics')).text()).toContain('# TYPE http_requests')
    const off = await serve(hello, { path: false })
    expect(await (await off.get('/metrics')).text()).toBe('hello')
  })

  it('is below the mount of the middleware', async () => {
    const registry = new Registry()
    const { get } = await serve((app) => app.use(mount('/internal', prometheus({ registry }))), {
      path: false,
      registry,
    })
    expect((await get('/internal/metrics')).status).toBe(200)
    expect((await get('/metrics')).status).toBe(404)
  })

  it('is answered for a target that is a whole URL', async () => {
    const { url } = await serve(hello)
    const status = await new Promise((resolve, reject) => {
      httpRequest(url, { path: 'http://example.com/metrics?x=1' }, (response) => {
        response.resume().on('end', () => resolve(response.headers['content-type']))
      })
        .on('error', reject)
        .end()
    })
    expect(status).toContain('text/plain; version=')
  })

  it('asks `authorize` with the context', async () => {
    const { get } = await serve(hello, { authorize: async (context) => context.get('authorization') === 'Bearer a' })
    expect((await get('/metrics')).status).toBe(401)
    expect((await get('/metrics', { headers: { authorization: 'Bearer a' } })).status).toBe(200)
  })

  it('is compressed, unless the option says no', async () => {
    const headers = { 'accept-encoding': 'gzip' }
    expect((await (await serve(hello)).get('/metrics', { headers })).headers.get('content-encoding')).toBe('gzip')
    const { get } = await serve(hello, { compression: false })
    expect((await get('/metrics', { headers })).headers.get('content-encoding')).toBeNull()
  })

  it('is not spoiled by middleware outside that answers what is not found', async () => {
    const registry = new Registry()
    const app = new Koa()
    let statusSeen = 0
    app.use(async (context, next) => {
      await next()
      statusSeen = context.status
      if (context.status === 404) context.body = 'nothing here'
    })
    app.use(prometheus({ registry }))
    const server = createServer(app.callback())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    expect(await (await fetch(`${url}/any`)).text()).toBe('nothing here')
    const page = await fetch(`${url}/metrics`)
    expect(await page.text()).toContain('# TYPE http_requests_total counter')
    await new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
    expect(page.status).toBe(200)
    expect(statusSeen).toBe(200)
  })
})

describe('A request', () => {
  it('is counted once, however often the middleware is there', async () => {
    const registry = new Registry()
    const build = (app: Koa): unknown => app.use(prometheus({ registry })).use((context) => void (context.body = 'ok'))
    const { get, counted } = await serve(build, { registry })
    await get('/any')
    expect(await counted()).toEqual(['GET /* 200 1'])
  })

  it('is counted in each of two registries', async () => {
    const other = new Registry()
    const { get, counted } = await serve((app) => {
      app.use(prometheus({ registry: other, path: false }))
      shop(app)
    })
    await get('/users/7')
    expect(await counted()).toEqual(['GET /users/:id 200 1'])
    expect(other.getSampleValue('http_requests_total', { method: 'GET', route: '/users/:id', code: '200' })).toBe(1)
  })

  it.each([
    ['of the same registry is not counted', true, []],
    ['of another registry is counted under its path', false, ['GET /second 200 2']],
  ])('as a scrape of a second page %s', async (_what, isSame, expected) => {
    const registry = new Registry()
    const build = (app: Koa): unknown =>
      app
        .use(prometheus({ registry }))
        .use(prometheus({ registry: isSame ? registry : new Registry(), path: '/second' }))
    const { get, counted } = await serve(build, { registry, path: false })
    for (const path of ['/second', '/metrics', '/second']) expect((await get(path)).status).toBe(200)
    expect(await counted()).toEqual(expected)
  })

  it('that makes an application throw is a 500, and the answer is its own', async () => {
    const bare = new Koa()
    const fails = (): never => {
      throw new Error('boom')
    }
    const { get, counted } = await serve((app) => app.use(fails))
    bare.silent = true
    const server = createServer(bare.use(fails).callback())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const expected = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/any`)
    const got = await get('/any')
    expect([got.status, await got.text()]).toEqual([expected.status, await expected.text()])
    expect(await counted()).toEqual(['GET /* 500 1'])
    server.close()
    server.closeAllConnections()
  })

  it('that fails in the middle of its stream is counted as cut off', async () => {
    const { get, counted, registry } = await serve((app) =>
      app.use((context) => {
        context.body = Readable.from(
          (async function* () {
            yield 'begin'
            await sleep(5)
            throw new Error('broken')
          })(),
        )
      }),
    )
    await get('/any').catch(() => {})
    while ((await inFlight(registry)) > 0) await sleep(2)
    expect(await counted()).toEqual(['GET /* 499 1'])
  })

  it('that is left while middleware is busy is of that middleware', async () => {
    const { url, counted, registry } = await serve((app) => app.use(() => new Promise(() => {})))
    const abort = new AbortController()
    const left = fetch(`${url}/any`, { signal: abort.signal }).catch(() => {})
    while ((await inFlight(registry)) === 0) await sleep(2)
    abort.abort()
    await left
    while ((await inFlight(registry)) > 0) await sleep(2)
    expect(await counted()).toEqual(['GET /* 499 1'])
  })

  it('for events is a stream: its lifetime is no latency', async () => {
    const events = new PassThrough()
    const { url, registry } = await serve((app) =>
      app.use((context) => {
        context.type = 'text/event-stream'
        context.body = events
        events.write('data: 0\n\n')
      }),
    )
    // Its latency is over when the client has the headers.
    const answer = await fetch(`${url}/any`)
    await sleep(300)
    events.end('data: 1\n\n')
    await answer.text()
    const labels = { method: 'GET', route: '/*', code: '200' }
    expect(registry.getSampleValue('http_stream_duration_seconds_count', labels)).toBe(1)
    expect(registry.getSampleValue('http_streams_in_flight', { method: 'GET' })).toBe(0)
    const lifetime = registry.getSampleValue('http_stream_duration_seconds_sum', labels) as number
    const latency = registry.getSampleValue('http_request_duration_seconds_sum', labels) as number
    expect(lifetime - latency).toBeGreaterThanOrEqual(0.29)
  })

  it('is counted by a client that invents everything without a series of its own', async () => {
    const { get, counted, registry } = await serve(shop)
    const bits = (index: number): string =>
      Math.imul(index + 1, 2654435761)
        .toString(36)
        .replace('-', 'x')
    for (let index = 0; index < 200; index += 1) {
      const headers = { host: bits(index), 'x-forwarded-host': bits(index), 'user-agent': bits(index) }
      await get(`/${bits(index)}/${bits(index + 1)}?${bits(index)}`, { headers })
      await get(`/users/${bits(index)}`, { headers, method: index % 2 === 0 ? 'GET' : 'PURGE' })
    }
    expect(await counted()).toEqual(['GET /users/:id 200 100', 'GET <unmatched> 404 200', '_OTHER <unmatched> 404 100'])
    expect(await registry.metrics()).not.toContain('__overflow__')
  })
})

describe('The option', () => {
  it('`labels` is given the context', async () => {
    const labels: PrometheusOptions['labels'] = { tenant: (context) => context.state['tenant'] as string }
    const { get, registry } = await serve(
      (app) =>
        app.use((context) => {
          context.state['tenant'] = 'acme'
          context.body = 'ok'
        }),
      { labels },
    )
    await get('/any')
    expect(await registry.metrics()).toContain(
      'http_requests_total{method="GET",route="/*",code="200",tenant="acme"} 1\n',
    )
  })

  it('`promoteParams` makes a label of a parameter, and bounds it', async () => {
    const { get, registry } = await serve(shop, { promoteParams: { id: ['7'] } })
    await get('/users/7')
    await get('/users/8')
    await get('/nothing')
    const page = await registry.metrics()
    expect(page).toContain('http_requests_total{method="GET",route="/users/:id",code="200",id="7"} 1\n')
    expect(page).toContain('http_requests_total{method="GET",route="/users/:id",code="200",id="other"} 1\n')
    expect(page).toContain('http_requests_total{method="GET",route="<unmatched>",code="404"} 1\n')
  })

  it('`route` names what other routers have found', async () => {
    const route = (context: Context): string | undefined =>
      context.path.startsWith('/books/') ? '/books/:isbn' : undefined
    const { get, counted } = await serve(shop, { route })
    await get('/books/9780140449136')
    await get('/users/7')
    expect(await counted()).toEqual(['GET /books/:isbn 404 1', 'GET /users/:id 200 1'])
  })

  it('`ignore` leaves requests out, by path and by predicate', async () => {
    const byPath = await serve(shop, { ignore: ['/health', '/static/*'] })
    for (const path of ['/health?a=b', '/static/a.js', '/users/7']) await byPath.get(path)
    expect(await byPath.counted()).toEqual(['GET /users/:id 200 1'])
    const byPredicate = await serve(shop, { ignore: (context) => context.get('x-probe') === '1' })
    await byPredicate.get('/users/7', { headers: { 'x-probe': '1' } })
    await byPredicate.get('/users/7')
    expect(await byPredicate.counted()).toEqual(['GET /users/:id 200 1'])
  })

  it('`sizes` records the bytes of both bodies', async () => {
    const { get, registry } = await serve(shop, { sizes: true })
    await get('/users/7', { method: 'POST', body: 'twelve bytes' })
    const labels = { method: 'POST', route: '/users/:id', code: '200' }
    expect(registry.getSampleValue('http_request_size_bytes_sum', labels)).toBe(12)
    expect(registry.getSampleValue('http_response_size_bytes_sum', labels)).toBe(5)
  })

  it('`naming: otel` gives the names and labels of OpenTelemetry', async () => {
    const { get, registry } = await serve(shop, { naming: 'otel' })
    await get('/users/7')
    const labels = {
      http_request_method: 'GET',
      http_route: '/users/:id',
      http_response_status_code: '200',
      url_scheme: 'http',
    }
    expect(registry.getSampleValue('http_server_request_duration_seconds_count', labels)).toBe(1)
  })

  it('`groupStatusCodes`, `timeToHeaders` and `exemplars` reach the recorder', async () => {
    const exemplars = (context: Context): { trace_id: string } => ({ trace_id: context.get('x-trace') })
    const { get, registry } = await serve(shop, { groupStatusCodes: true, timeToHeaders: true, exemplars })
    await get('/users/7', { headers: { 'x-trace': 'abc' } })
    const labels = { method: 'GET', route: '/users/:id', code: '2xx' }
    expect(registry.getSampleValue('http_time_to_headers_seconds_count', labels)).toBe(1)
    const page = await get('/metrics', { headers: { accept: 'application/openmetrics-text' } })
    expect(await page.text()).toContain('# {trace_id="abc"}')
  })

  it('that throws costs a count and nothing else', async () => {
    const throws = (): never => {
      throw new Error('hook')
    }
    const { get, counted, registry } = await serve(shop, { ignore: throws, route: throws, exemplars: throws })
    expect(await (await get('/users/7')).text()).toBe('user')
    expect(await counted()).toEqual(['GET /users/:id 200 1'])
    for (const hook of ['ignore', 'route', 'exemplars']) {
      expect(registry.getSampleValue('narthex_hook_errors_total', { hook })).toBe(1)
    }
  })

  it.each([
    [{ paths: '/metrics' }, 'ERR_NARTHEX_UNKNOWN_OPTION', 'paths'],
    [{ path: 'metrics' }, 'ERR_NARTHEX_INVALID_OPTION', 'path'],
    [{ path: true }, 'ERR_NARTHEX_INVALID_OPTION', 'path'],
    [{ recordScrapes: 1 }, 'ERR_NARTHEX_INVALID_OPTION', 'recordScrapes'],
    [{ route: '/users' }, 'ERR_NARTHEX_INVALID_OPTION', 'route'],
    [{ authorize: 'secret' }, 'ERR_NARTHEX_INVALID_OPTION', 'authorize'],
    [{ timeout: 0 }, 'ERR_NARTHEX_INVALID_OPTION', 'timeout'],
  ])('%j is refused', (options, code, argument) => {
    const attempt = (): unknown => prometheus({ registry: new Registry(), ...options } as PrometheusOptions)
    expect(attempt).toThrow(MetricError)
    expect(attempt).toThrow(expect.objectContaining({ code, argument }))
  })

  it('is typed for Koa', () => {
    expectTypeOf(prometheus).returns.toEqualTypeOf<Koa.Middleware>()
    expectTypeOf<NonNullable<PrometheusOptions['route']>>().parameter(0).toEqualTypeOf<Context>()
    expectTypeOf<NonNullable<PrometheusOptions['authorize']>>().parameter(0).toEqualTypeOf<Context>()
  })
})

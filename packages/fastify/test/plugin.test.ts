import { once } from 'node:events'
import { createServer, request as httpRequest, ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { MetricError, Registry } from '@narthex/core'
import narthex, * as exports from '@narthex/fastify'
import { prometheus, type PrometheusOptions } from '@narthex/fastify'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../../../test/until.ts'
import { type FastifyModule, versions } from './app.ts'

const open: FastifyInstance[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()))
})

it('exports the plugin by name and as the default', () => {
  expect(Object.keys(exports).sort()).toEqual(['default', 'prometheus'])
  expect(narthex).toBe(prometheus)
})

describe.each(versions)('%s', (_name, fastify) => {
  function create(options: FastifyServerOptions = {}): FastifyInstance {
    const app = (fastify as FastifyModule)(options) as FastifyInstance
    open.push(app)
    return app
  }

  async function start(options: PrometheusOptions, declare: (app: FastifyInstance) => void): Promise<FastifyInstance> {
    const app = create()
    await app.register(prometheus, options)
    declare(app)
    await app.ready()
    return app
  }

  async function listen(app: FastifyInstance, host = '127.0.0.1'): Promise<number> {
    await app.listen({ port: 0, host })
    return (app.server.address() as AddressInfo).port
  }

  const hello = (app: FastifyInstance): void => void app.get('/hello', async () => 'hello')

  describe('the page', () => {
    it('is at /metrics, and leaves requests for itself out', async () => {
      const app = await start({ registry: new Registry() }, hello)
      await app.inject('/hello')
      await app.inject('/metrics')
      const { statusCode, headers, body } = await app.inject('/metrics?a=1')
      expect(statusCode).toBe(200)
      expect(headers['content-type']).toContain('text/plain; version=0.0.4')
      expect(body).toContain('http_requests_total{method="GET",route="/hello",code="200"} 1\n')
      expect(body).not.toContain('/metrics')
      expect(body).toContain('http_requests_in_flight{method="GET"} 0\n')
    })

    it('is not in flight itself when it is asked for over a connection', async () => {
      const app = await start({ registry: new Registry() }, hello)
      const port = await listen(app)
      await (await fetch(`http://127.0.0.1:${port}/hello`)).text()
      const body = await (await fetch(`http://127.0.0.1:${port}/metrics?name[]=http_requests_in_flight`)).text()
      expect(body).toContain('http_requests_in_flight{method="GET"} 0\n')
    })

    it('records requests for itself where it is asked to', async () => {
      const app = await start({ registry: new Registry(), recordScrapes: true }, hello)
      await app.inject('/metrics')
      expect((await app.inject('/metrics')).body).toContain('{method="GET",route="/metrics",code="200"} 1\n')
    })

    it('answers HEAD, and 405 for other methods', async () => {
      const app = await start({ registry: new Registry() }, hello)
      expect(await app.inject({ method: 'HEAD', url: '/metrics' })).toMatchObject({ statusCode: 200, body: '' })
      const refused = await app.inject({ method: 'POST', url: '/metrics', payload: { a: 1 } })
      expect(refused).toMatchObject({ statusCode: 405, headers: { allow: 'GET, HEAD' } })
    })

    it('is below the prefix of its instance, and below one that it is given', async () => {
      const app = create()
      app.register(async (api) => void (await api.register(prometheus, { registry: new Registry() })), {
        prefix: '/api',
      })
      app.register(prometheus, { registry: new Registry(), prefix: 'internal/' })
      expect((await app.inject('/api/metrics')).statusCode).toBe(200)
      expect((await app.inject('/internal/metrics')).statusCode).toBe(200)
      expect((await app.inject('/metrics')).statusCode).toBe(404)
    })

    it('is elsewhere where that is asked for, or nowhere', async () => {
      const elsewhere = await start({ registry: new Registry(), path: '/internal/metrics' }, hello)
      expect((await elsewhere.inject('/internal/metrics')).statusCode).toBe(200)
      const nowhere = await start({ registry: new Registry(), path: false }, hello)
      expect((await nowhere.inject('/metrics')).statusCode).toBe(404)
    })

    it('is out of reach of the hooks of the application', async () => {
      const app = await start({ registry: new Registry() }, (instance) => {
        instance.addHook('onRequest', async (_request, reply) => reply.code(401).send())
        instance.addHook('onSend', async () => 'other')
        hello(instance)
      })
      expect((await app.inject('/hello')).statusCode).toBe(401)
      const { statusCode, body } = await app.inject('/metrics')
      expect(statusCode).toBe(200)
      expect(body).toContain('route="/hello",code="401"} 1\n')
    })

    it("asks `authorize` with Fastify's own request", async () => {
      const authorize: PrometheusOptions['authorize'] = (request) => request.query !== null && request.hostname === 'a'
      const app = await start({ registry: new Registry(), authorize }, hello)
      expect((await app.inject({ url: '/metrics', headers: { host: 'a' } })).statusCode).toBe(200)
      expect((await app.inject({ url: '/metrics', headers: { host: 'b' } })).statusCode).toBe(401)
    })

    it('is hidden from schemas', async () => {
      const app = create()
      const schemas: unknown[] = []
      app.addHook('onRoute', ({ url, schema }) => void schemas.push([url, schema]))
      await app.register(prometheus, { registry: new Registry() })
      await app.ready()
      expect(schemas).toEqual([['/metrics', expect.objectContaining({ hide: true })]])
    })
  })

  describe('counts', () => {
    it('routes that were declared before the plugin', async () => {
      const app = create()
      const registry = new Registry()
      hello(app)
      app.register(async (child) => void child.get('/old', async () => 'old'), { prefix: '/child' })
      app.register(prometheus, { registry })
      await app.inject('/hello')
      await app.inject('/child/old')
      expect(registry.getSampleValue('http_requests_total', { method: 'GET', route: '/hello', code: '200' })).toBe(1)
      expect(registry.getSampleValue('http_requests_total', { method: 'GET', route: '/child/old', code: '200' })).toBe(
        1,
      )
    })

    it('a route for everything as `*`, and not as the root', async () => {
      const registry = new Registry()
      const app = await start({ registry }, (instance) => {
        instance.options('*', async (_request, reply) => reply.code(204).send())
        instance.options('/', async () => 'root')
      })
      await app.inject({ method: 'OPTIONS', url: '/users/7' })
      await app.inject({ method: 'OPTIONS', url: '/' })
      expect(countsOf(await registry.metrics())).toEqual(['OPTIONS * 204 1', 'OPTIONS / 200 1'])
    })

    it('what no hook sees: malformed URLs and parameters that are too long', async () => {
      const registry = new Registry()
      const app = await start({ registry }, (instance) => void instance.get('/users/:id', async () => 'ok'))
      const port = await listen(app)
      expect(await send(port, '/users/%zz')).toBe(400)
      // 414 where Fastify is new; before that nothing matches.
      const code = await send(port, `/users/${'x'.repeat(101)}`)
      await settled(registry)
      expect(countsOf(await registry.metrics())).toEqual([`GET <unmatched> 400 1`, `GET <unmatched> ${code} 1`].sort())
    })

    it('answers of hooks that come before the plugin', async () => {
      const registry = new Registry()
      const app = create()
      app.addHook('onRequest', async (_request, reply) => reply.code(429).send())
      await app.register(prometheus, { registry })
      hello(app)
      const port = await listen(app)
      expect(await send(port, '/hello')).toBe(429)
      await settled(registry)
      expect(countsOf(await registry.metrics())).toEqual(['GET <unmatched> 429 1'])
    })

    it('requests while the server drains', async () => {
      const registry = new Registry()
      let release: (() => void) | undefined
      const app = await start({ registry }, (instance) => {
        instance.get('/slow', () => new Promise((resolve) => (release = () => resolve('slow'))))
        hello(instance)
      })
      const port = await listen(app)
      const socket = connect(port, '127.0.0.1')
      let received = ''
      socket.setEncoding('utf8').on('data', (chunk) => (received += chunk))
      socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
      await until('the request is under way', () => release !== undefined)
      const closed = app.close()
      await until('the server drains', () => !app.server.listening)
      socket.write('GET /hello HTTP/1.1\r\nHost: a\r\n\r\n')
      await until('two are in flight', async () => (await inFlight(registry)) === 2)
      release?.()
      await Promise.all([closed, once(socket, 'close')])
      expect(received).toContain('503 Service Unavailable')
      expect(countsOf(await registry.metrics())).toEqual(['GET /slow 200 1', 'GET <unmatched> 503 1'])
    })

    it('both servers that listen to localhost', async () => {
      const registry = new Registry()
      const app = await start({ registry }, hello)
      const port = await listen(app, 'localhost')
      const addresses = (app.addresses() as AddressInfo[]).map(({ address }) => address)
      for (const address of addresses) {
        expect(await send(port, '/hello', address)).toBe(200)
        expect(await send(port, '/%zz', address)).toBe(400)
      }
      await settled(registry)
      expect(countsOf(await registry.metrics())).toEqual([
        `GET /hello 200 ${addresses.length}`,
        `GET <unmatched> 400 ${addresses.length}`,
      ])
    })

    it.each(['the root instance', 'a scope'])('once what has ended before the hook of %s is reached', async (where) => {
      const registry = new Registry()
      let isReached = false
      const app = create()
      const declare = async (instance: FastifyInstance): Promise<void> => {
        instance.addHook('onRequest', async (request) => {
          request.raw.socket.on('close', () => (gone = true))
          isReached = true
          await until('the client is gone', () => gone)
        })
        await instance.register(prometheus, { registry })
        hello(instance)
        // Of a response that nobody waits for Fastify calls no `onResponse`.
        instance.addHook('onSend', async () => void (isAnswered = true))
      }
      let gone = false
      let isAnswered = false
      if (where === 'a scope') app.register(declare)
      else await declare(app)
      const port = await listen(app)
      const socket = connect(port, '127.0.0.1')
      socket.write('GET /hello HTTP/1.1\r\nHost: a\r\n\r\n')
      await until('the hook is reached', () => isReached)
      socket.destroy()
      await until('it is answered', () => isAnswered)
      await new Promise((resolve) => setImmediate(resolve))
      expect(await inFlight(registry)).toBe(0)
      const expected = where === 'a scope' ? 'GET /hello 499 1' : 'GET <unmatched> 499 1'
      expect(countsOf(await registry.metrics())).toEqual([expected])
    })

    it('a time-out of the connection as a client that left', async () => {
      const registry = new Registry()
      // Of the connection: the request has to be there by then.
      const app = create({ connectionTimeout: 400 })
      await app.register(prometheus, { registry })
      app.get('/hang', () => {})
      const port = await listen(app)
      await expect(send(port, '/hang')).rejects.toThrow(/socket hang up|ECONNRESET/)
      await settled(registry)
      expect(countsOf(await registry.metrics())).toEqual(['GET /hang 499 1'])
    })

    it('upgrades not at all, and not in flight either', async () => {
      const registry = new Registry()
      const app = await start({ registry }, (instance) => {
        instance.get('/socket', (_request, reply) => {
          reply.hijack()
          reply.raw.socket?.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
        })
      })
      // As WebSocket plugins do it.
      app.server.on('upgrade', (request, socket) => {
        const response = new ServerResponse(request)
        response.assignSocket(socket as never)
        socket.on('end', () => socket.end())
        app.routing(request, response)
      })
      const port = await listen(app)
      const socket = connect(port, '127.0.0.1')
      socket.write('GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      await once(socket, 'data')
      expect(await inFlight(registry)).toBe(0)
      socket.end()
      await once(socket, 'close')
      expect(countsOf(await registry.metrics())).toEqual([])
    })

    it('nothing of a server that hands only some requests to Fastify', async () => {
      const registry = new Registry()
      const app = await start({ registry }, hello)
      const server = createServer((request, response) => {
        if (request.url === '/hello') app.routing(request, response)
        else response.end('mine')
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      for (const path of ['/hello', '/mine', '/hello']) expect(await send(port, path)).toBe(200)
      await settled(registry)
      server.close()
      server.closeAllConnections()
      expect(countsOf(await registry.metrics())).toEqual(['GET /hello 200 2'])
    })

    it('only its own scope where it is encapsulated', async () => {
      const registry = new Registry()
      const app = create()
      hello(app)
      app.register(async (child) => {
        await child.register(prometheus, { registry, path: false })
        child.get('/inside', async () => 'inside')
        expect(child.metrics.registry).toBe(registry)
      })
      const port = await listen(app)
      expect(app.hasDecorator('metrics')).toBe(false)
      for (const path of ['/hello', '/inside', '/nowhere']) await send(port, path)
      await settled(registry)
      expect(countsOf(await registry.metrics())).toEqual(['GET /inside 200 1'])
    })

    it('no more series than the routes declare, whatever a client invents', async () => {
      const registry = new Registry()
      const app = await start(
        { registry, sizes: true },
        (instance) => void instance.get('/users/:id', async () => 'ok'),
      )
      const methods = ['GET', 'POST', 'PROPFIND', 'OPTIONS', 'TRACE', 'MKCOL'] as const
      for (let index = 0; index < 300; index += 1) {
        const url = `/${Math.random().toString(36)}/${index}?${index}`
        const headers = { host: `${index}.example.com`, 'x-forwarded-for': String(index), 'user-agent': String(index) }
        await app.inject({ method: methods[index % methods.length] as 'GET', url, headers })
        await app.inject({ url: `/users/${Math.random()}`, headers })
      }
      const counted = countsOf(await registry.metrics())
      expect(
        counted.map((line) => line.split(' ')[1]).every((route) => route === '/users/:id' || route === '<unmatched>'),
      ).toBe(true)
      expect(counted.length).toBeLessThanOrEqual(6)
    })
  })

  describe('a route', () => {
    it('may be left out', async () => {
      const registry = new Registry()
      const app = await start({ registry }, (instance) => {
        instance.get('/health', { config: { metrics: { skip: true } } }, async () => 'ok')
        hello(instance)
      })
      const port = await listen(app)
      for (const path of ['/health', '/hello']) await send(port, path)
      await app.inject('/health')
      await settled(registry)
      expect(countsOf(await registry.metrics())).toEqual(['GET /hello 200 1'])
    })

    it('may have values of its own for the labels', async () => {
      const registry = new Registry()
      const app = await start({ registry, labels: { team: () => 'core', tier: () => 'gold' } }, (instance) => {
        hello(instance)
        const labels = { team: 'billing', tier: (request: { url: string }) => request.url.slice(1) }
        instance.get('/pay', { config: { metrics: { labels } } }, async () => 'ok')
      })
      await app.inject('/hello')
      await app.inject('/pay')
      const page = await registry.metrics()
      expect(page).toContain('http_requests_total{method="GET",route="/hello",code="200",team="core",tier="gold"} 1\n')
      expect(page).toContain('http_requests_total{method="GET",route="/pay",code="200",team="billing",tier="pay"} 1\n')
    })

    it('may have buckets of its own, be it declared before the plugin or after it', async () => {
      const registry = new Registry()
      const app = create()
      const own = { config: { metrics: { buckets: [1, 10] } } }
      app.get('/early/:id', own, async () => 'ok')
      await app.register(prometheus, { registry, buckets: [0.1], timeToHeaders: true, initializeRoutes: true })
      app.register(
        async (child) =>
          void child.route({ method: ['POST', 'PUT'], url: '/slow/', ...own, handler: async () => 'ok' }),
        { prefix: '/child' },
      )
      hello(app)
      await app.ready()
      expect(await boundsOf(registry, '/child/slow')).toEqual(['POST 1 10 +Inf', 'PUT 1 10 +Inf'])
      for (const url of ['/early/1', '/early/2', '/hello', '/nothing']) await app.inject(url)
      await app.inject({ method: 'PUT', url: '/child/slow/' })
      expect(await boundsOf(registry, '/early/:id')).toEqual(['GET 1 10 +Inf'])
      expect(await boundsOf(registry, '/child/slow')).toEqual(['POST 1 10 +Inf', 'PUT 1 10 +Inf'])
      expect(await boundsOf(registry, '/hello')).toEqual(['GET 0.1 +Inf'])
      expect(await boundsOf(registry, '<unmatched>')).toEqual(['GET 0.1 +Inf'])
      expect(await boundsOf(registry, '/early/:id', 'http_time_to_headers_seconds')).toEqual(['GET 1 10 +Inf'])
      expect(registry.getSampleValue('narthex_hook_errors_total', { hook: 'record' })).toBeUndefined()
    })

    it('has its buckets whatever the metrics and their labels are called', async () => {
      const registry = new Registry()
      const naming = { duration: 'd', labels: { method: 'm', route: 'r', code: 'c' }, parameters: '#', unmatched: '-' }
      const app = await start({ registry, naming: { ...naming, lowerCaseMethods: true } }, (instance) => {
        instance.get('/slow/:id', { config: { metrics: { buckets: [7] } } }, async () => 'ok')
      })
      await app.inject('/slow/1')
      expect(registry.getSampleValue('d_bucket', { m: 'get', r: '/slow/#', c: '200', le: '7' })).toBe(1)
      expect(registry.getSampleValue('d_bucket', { m: 'get', r: '/slow/#', c: '200', le: '1' })).toBeUndefined()
    })

    it('cannot have two layouts of buckets', async () => {
      const app = create()
      await app.register(prometheus, { registry: new Registry() })
      const declare = (version: string, bound: number): unknown =>
        app.get('/x', { constraints: { version }, config: { metrics: { buckets: [bound] } } }, async () => 'x')
      declare('1.0.0', 1)
      declare('2.0.0', 1)
      expect(() => declare('3.0.0', 2)).toThrow('expected `buckets` to be as before for the same labels (1)')
    })

    it.each([
      [{ skip: 'yes' }, 'Route `/x`: expected `config.metrics.skip` to be a boolean'],
      [{ skpi: true }, 'Route `/x`: expected `config.metrics.skpi` to be one of the options skip, labels, buckets'],
      [{ buckets: [2, 1] }, 'expected `buckets` to increase'],
      [{ buckets: 5 }, 'expected `buckets` to be an array of numbers'],
      [{ labels: { team: 'a' } }, "to hold only names that the plugin's option `labels` declares (tier)"],
      ['no', 'Route `/x`: expected `config.metrics` to be an object'],
    ])('cannot say %j', async (metrics, message) => {
      const app = create()
      await app.register(prometheus, { registry: new Registry(), labels: { tier: () => '' } })
      const declare = (): unknown => app.get('/x', { config: { metrics } as object }, async () => 'x')
      expect(declare).toThrow(MetricError)
      expect(declare).toThrow(message)
    })
  })

  describe('options', () => {
    it('leave requests out by path and by predicate, on every way in', async () => {
      for (const ignore of ['/hel*', /^\/hello$/, (request: { url: string }) => request.url === '/hello']) {
        const registry = new Registry()
        const app = await start({ registry, ignore }, (instance) => {
          hello(instance)
          instance.get('/other', async () => 'other')
        })
        const port = await listen(app)
        for (const path of ['/hello', '/other']) await send(port, path)
        await app.inject('/hello')
        await settled(registry)
        expect(countsOf(await registry.metrics())).toEqual(['GET /other 200 1'])
      }
    })

    it("give their functions Fastify's request, and ask them nothing where there is none", async () => {
      const registry = new Registry()
      const app = await start(
        {
          registry,
          route: (request) => (request.params as { id?: string }).id && `${request.routeOptions?.url ?? ''}/named`,
          labels: { id: (request) => (request.params as { id?: string }).id },
          exemplars: (request) => ({ id: String(request.id) }),
        },
        (instance) => void instance.get('/users/:id', async () => 'ok'),
      )
      const port = await listen(app)
      await send(port, '/users/7')
      await send(port, '/%zz')
      await settled(registry)
      const page = await registry.metrics()
      expect(page).toMatch(/http_requests_total\{method="GET",route="[^"]*\/named",code="200",id="7"\} 1\n/)
      expect(page).toContain('http_requests_total{method="GET",route="<unmatched>",code="400"} 1\n')
      expect(page).not.toContain('narthex_hook_errors_total')
    })

    it('promote a parameter', async () => {
      const registry = new Registry()
      const app = await start({ registry, promoteParams: { tenant: ['a', 'b'] } }, (instance) => {
        instance.get('/t/:tenant', async () => 'ok')
      })
      for (const tenant of ['a', 'c', 'd']) await app.inject(`/t/${tenant}`)
      const page = await registry.metrics()
      expect(page).toContain('http_requests_total{method="GET",route="/t/:tenant",code="200",tenant="a"} 1\n')
      expect(page).toContain('http_requests_total{method="GET",route="/t/:tenant",code="200",tenant="other"} 2\n')
    })

    it('begin series of routes at zero', async () => {
      const registry = new Registry()
      const app = await start({ registry, initializeRoutes: true }, (instance) => {
        hello(instance)
        instance.route({
          method: ['POST', 'PUT'],
          url: '/users/:id/',
          schema: { response: { 201: { type: 'string' }, 404: { type: 'string' }, '5xx': { type: 'string' } } },
          handler: async () => 'ok',
        })
        instance.get('/health', { config: { metrics: { skip: true } } }, async () => 'ok')
      })
      expect(countsOf(await registry.metrics())).toEqual([
        'GET /hello 200 0',
        'POST /users/:id 201 0',
        'POST /users/:id 404 0',
        'PUT /users/:id 201 0',
        'PUT /users/:id 404 0',
      ])
      expect(await registry.metrics()).toContain(
        'http_request_duration_seconds_count{method="GET",route="/hello",code="200"} 0\n',
      )
      await app.inject('/hello')
      expect(countsOf(await registry.metrics())).toContain('GET /hello 200 1')
    })

    it('begin series of a method that HTTP does not know where its requests will be', async () => {
      for (const lowerCaseMethods of [false, true]) {
        const registry = new Registry()
        const naming = { requests: 'http_requests_total', duration: 'http_request_duration_seconds', lowerCaseMethods }
        const app = await start({ registry, initializeRoutes: true, naming }, (instance) => {
          // Fastify 4 has it from the start.
          ;(instance as { addHttpMethod?(method: string): void }).addHttpMethod?.('MKCOL')
          instance.route({ method: ['MKCOL', 'PUT'] as never, url: '/folder', handler: async () => 'made' })
        })
        const put = lowerCaseMethods ? 'put' : 'PUT'
        expect(countsOf(await registry.metrics())).toEqual(['_OTHER /folder 200 0', `${put} /folder 200 0`].sort())
        await app.inject({ method: 'MKCOL' as 'PUT', url: '/folder' })
        expect(countsOf(await registry.metrics())).toEqual(['_OTHER /folder 200 1', `${put} /folder 200 0`].sort())
      }
    })

    it('begin no series that no request would belong to', async () => {
      const labels = { team: () => undefined }
      const declare = (instance: FastifyInstance): void => {
        hello(instance)
        instance.get('/pay', { config: { metrics: { labels: { team: 'billing' } } } }, async () => 'ok')
      }
      const registry = new Registry()
      const app = await start({ registry, labels, initializeRoutes: true, groupStatusCodes: true }, declare)
      await app.inject('/pay')
      expect(countsOf(await registry.metrics())).toEqual(['GET /pay 2xx 1'])
      const otel = new Registry()
      const other = await start({ registry: otel, naming: 'otel', initializeRoutes: true }, hello)
      const before = (await otel.metrics()).match(/_count\{.*/g)
      await other.inject('/hello')
      expect(before).toHaveLength(1)
      expect((await otel.metrics()).match(/_count\{.*/g)).toEqual(before?.map((line) => line.replace(/0$/, '1')))
    })

    it.each([
      [{ paht: '/m' }, 'expected `paht` to be one of the options path, recordScrapes'],
      [{ path: 'm' }, 'expected `path` to be a path that starts with `/`, or false'],
      [{ recordScrapes: 1 }, 'expected `recordScrapes` to be a boolean'],
      [{ initializeRoutes: 1 }, 'expected `initializeRoutes` to be a boolean'],
      [{ labels: 'x' }, 'expected `labels` to be an object of functions'],
      [{ labels: { a: 'x' } }, 'expected `labels` to be an object of functions'],
      [{ naming: 'x' }, "expected `naming` to be 'prometheus' or 'otel'"],
      [{ authorize: 'x' }, 'expected `authorize` to be a function'],
    ])('are refused where they are wrong: %j', async (options, message) => {
      const app = create()
      await expect(async () =>
        app.register(prometheus, { registry: new Registry(), ...options } as never),
      ).rejects.toThrow(message)
      open.pop()
    })

    it('are not changed', async () => {
      const options = Object.freeze({ registry: new Registry(), labels: Object.freeze({ a: () => 'a' }) })
      await start(options, hello)
      expect(Object.keys(options)).toEqual(['registry', 'labels'])
    })
  })

  it('decorates the instance with the registry and the recorder', async () => {
    const registry = new Registry()
    const app = await start({ registry }, hello)
    expect(app.metrics.registry).toBe(registry)
    expect(app.metrics.http.registry).toBe(registry)
  })

  it('counts once what two instances of the plugin see', async () => {
    const registry = new Registry()
    const app = await start({ registry }, (instance) => {
      instance.register(async (child) => {
        await child.register(prometheus, { registry, path: '/more' })
        hello(child)
      })
    })
    const port = await listen(app)
    await send(port, '/hello')
    await send(port, '/more')
    await app.inject('/hello')
    await settled(registry)
    expect(countsOf(await registry.metrics())).toEqual(['GET /hello 200 2'])
  })

  it.each(['one registry', 'two registries'])('may be on one instance twice, with %s', async (which) => {
    const registry = new Registry()
    const other = which === 'one registry' ? registry : new Registry()
    const naming = which === 'one registry' ? 'prometheus' : 'otel'
    const app = create()
    await app.register(prometheus, { registry })
    await app.register(prometheus, { registry: other, path: '/more', naming, initializeRoutes: true })
    hello(app)
    const port = await listen(app)
    await send(port, '/hello')
    await app.inject('/hello')
    await settled(registry)
    for (const path of ['/metrics', '/more']) expect((await app.inject(path)).statusCode).toBe(200)
    expect(countsOf(await registry.metrics())).toEqual(['GET /hello 200 2'])
    expect(app.metrics.registry).toBe(registry)
    const counts = (await other.metrics()).match(/^http_server_request_duration_seconds_count.* 2$/gm) ?? []
    expect(counts).toHaveLength(which === 'one registry' ? 0 : 1)
  })

  it('has an application told that decorates its instance with the same name', async () => {
    const app = create()
    app.decorate('metrics', { registry: {} } as never)
    await expect(app.register(prometheus, { registry: new Registry() })).rejects.toMatchObject({
      code: 'FST_ERR_DEC_ALREADY_PRESENT',
    })
  })

  it('leaves no listener behind when the application is closed', async () => {
    let server = createServer()
    const app = create({
      serverFactory: (handler) => {
        server = createServer(handler as never)
        return server
      },
    })
    const before = server.rawListeners('request')
    await app.register(prometheus, { registry: new Registry() })
    await app.ready()
    expect(server.rawListeners('request')).not.toEqual(before)
    expect(server.listeners('request')).toContain(app.routing)
    await app.close()
    expect(server.rawListeners('request')).toEqual(before)
  })

  it('keeps its place among the listeners of others, and does nothing there when the application is closed', async () => {
    const server = createServer()
    const app = create({ serverFactory: (handler) => server.on('request', handler as never) })
    const registry = new Registry()
    const order: string[] = []
    await app.register(prometheus, { registry })
    server.prependListener('request', () => order.push('before'))
    server.on('request', () => order.push('after'))
    app.addHook('onRequest', async () => void order.push('hook'))
    app.get('/', () => 'found')
    await app.listen({ port: 0, host: '127.0.0.1' })
    expect(await send((server.address() as AddressInfo).port, '/')).toBe(200)
    expect(order).toEqual(['before', 'hook', 'after'])
    await app.close()
    const page = await registry.metrics()
    expect(countsOf(page)).toEqual(['GET / 200 1'])
    // Fastify answers all that still comes by itself.
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    expect(await send((server.address() as AddressInfo).port, '/')).toBe(503)
    server.close()
    expect(order).toEqual(['before', 'hook', 'after', 'before', 'after'])
    expect(await registry.metrics()).toBe(page)
  })
})

function send(port: number, path: string, host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host, port, path, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode as number))
    })
    request.on('error', reject).end()
  })
}

async function settled(registry: Registry): Promise<void> {
  await until('nothing is in flight', async () => (await inFlight(registry)) === 0, { interval: 5 })
}

async function inFlight(registry: Registry): Promise<number> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('http_requests_in_flight{'))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** `GET /users/:id 200 1`: method, route, code and count of each series. */
function countsOf(page: string): string[] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('http_requests_total{'))
    .map((line) => {
      const [, method, route, code] = /method="([^"]*)",route="([^"]*)",code="([^"]*)"/.exec(
        line,
      ) as unknown as string[]
      return `${method} ${route} ${code} ${line.slice(line.lastIndexOf(' ') + 1)}`
    })
    .sort()
}

/** `GET 0.1 +Inf`: the method and the bounds of each series of a route. */
async function boundsOf(registry: Registry, route: string, name = 'http_request_duration_seconds'): Promise<string[]> {
  const bounds = new Map<string, string[]>()
  for (const line of (await registry.metrics()).split('\n')) {
    const [, method, of, le] = /_bucket\{method="([^"]*)",route="([^"]*)",code="\d+",le="([^"]*)"/.exec(line) ?? []
    if (line.startsWith(`${name}_bucket`) && of === route)
      bounds.set(method as string, [...(bounds.get(method as string) ?? []), le as string])
  }
  return [...bounds].map(([method, les]) => `${method} ${les.join(' ')}`).sort()
}

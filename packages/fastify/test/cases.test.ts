import type { AddressInfo } from 'node:net'
import { Registry } from '@narthex/core'
import { prometheus, type PrometheusOptions } from '@narthex/fastify'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { countsOf, runRequestTable, type TableApp } from '../../../test/http-requests/run.ts'
import type { RequestRow, Send } from '../../../test/http-requests/table.ts'
import { type FastifyModule, versions } from './app.ts'

/** The request, and the route and the code that are counted: none where the route is left out. */
type Row = readonly [request: string, counted: string, send?: Partial<Send>]

const JSON_TYPE = { 'content-type': 'application/json' }
const broken = (path: string, type: string): Partial<Send> => ({
  raw: `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nContent-Length: 100\r\n\r\n{"a"`,
  leave: 'before the answer',
})

const rows: Row[] = [
  // Left out, whatever the method; HEAD is what its GET is.
  ['GET /silent/1', ''],
  ['HEAD /silent/1', ''],
  ['MKCOL /silent/1', ''],
  ['PUT /silent/1', '/silent/:s 200'],
  ['MKCOL /loud/1', '/loud/:l 200'],
  ['HEAD /loud/1', '<unmatched> 404'],
  ['POST /silent-body', '', { headers: JSON_TYPE, body: '{' }],
  ['GET /silent-throws', ''],
  // Handlers of plugins, each for its own scope.
  ['GET /city/rome/street/via', '/city/:city/street/:street 200'],
  ['GET /city/rome/street/throws', '/city/:city/street/:street 418'],
  ['GET /city/rome/street/twice', '/city/:city/street/:street 500'],
  ['GET /city/rome/street/string', '/city/:city/street/:street 418'],
  ['GET /city/rome/street/via/nothing', '<unmatched> 410'],
  ['GET /city/rome/nothing', '<unmatched> 404'],
  ['GET /city/rome/park/throws', '/city/:city/park/throws 409'],
  ['GET /city/rome/park/hidden', '<unmatched> 404'],
  ['GET /strict/nothing', '<unmatched> 500'],
  // The router's own options.
  ['GET /Mixed/Case/5/', '/mixed/case/:m 200'],
  ['GET /mixed/CASE/5', '/mixed/case/:m 200'],
  ['HEAD /MIXED/case/5/', '/mixed/case/:m 200'],
  ['GET /tenant/1', '/tenant/:t 200', { headers: { 'x-tenant': 'a' } }],
  ['GET /tenant/1', '/tenant/:t 201', { headers: { 'x-tenant': 'b' } }],
  ['GET /tenant/1', '<unmatched> 404', { headers: { 'x-tenant': 'c' } }],
  ['GET /host/1', '/host/:h 200', { headers: { host: 'shop.test' } }],
  ['GET /host/1', '/host/:h 202', { headers: { host: 'eu.shop.example' } }],
  ['GET /host/1', '<unmatched> 404', { headers: { host: 'elsewhere.test' } }],
  ['GET /version/1', '/version/:v 200', { headers: { 'accept-version': '1.x' } }],
  ['HEAD /version/1', '/version/:v 200', { headers: { 'accept-version': '1.2.0' } }],
  ['GET /version/1', '<unmatched> 404', { headers: { 'accept-version': '9.0.0' } }],
  // Another target than the client's.
  ['GET /rewritten/loud', '/rewrites/:to 200'],
  ['GET /rewritten/nowhere/at/all', '<unmatched> 404'],
  ['GET /rewritten%zz', '<unmatched> 400'],
  ['GET /rewritten-page', ''],
  ['GET /forgotten/1', ''],
  // Who answers before the handler, and how.
  ['GET /early/callback', '/early/:how 401'],
  ['GET /early/promise', '/early/:how 403'],
  ['GET /early/throws', '/early/:how 500'],
  ['GET /early/raw', '/early/:how 402'],
  ['GET /early/hijacked', '/early/:how 406'],
  ['GET /early/later', '/early/:how 407'],
  ['GET /early/not', '/early/:how 200'],
  ['GET /early/hangs', '/early/:how 499', { leave: 'before the answer' }],
  ['GET /taken/ends', '/taken/:how 200'],
  ['GET /taken/hangs', '/taken/:how 499', { leave: 'before the answer' }],
  ['GET /taken/writes', '/taken/:how 499', { leave: 'in the answer' }],
  ['GET /taken/destroys', '/taken/:how 499', { leave: 'before the answer' }],
  // A body that does not come.
  ['POST /json', '/json 499', broken('/json', 'application/json')],
  ['POST /json', '/json 499', broken('/json', 'text/slow')],
  ['POST /json', '/json 499', broken('/json', 'text/stream')],
  ['POST /json', '/json 200', { headers: { 'content-type': 'text/slow' }, body: 'abc' }],
  ['POST /json', '/json 422', { headers: { 'content-type': 'text/slow' }, body: 'refused' }],
  ['POST /nowhere', '<unmatched> 499', broken('/nowhere', 'application/json')],
]

const inOldest = {
  // It exposes the HEAD of routes for GET alone.
  '1: HEAD /silent/1 ': [{ route: '<unmatched>', code: 404 }],
  // And keeps nothing of a URL that it rewrites.
  '33: GET /forgotten/1 ': [{ route: '/rewrites/:to', code: 200 }],
}

const says = async (): Promise<string> => 'ok'
const throws = async (): Promise<never> => {
  throw new Error('thrown')
}

/** What Fastify 5.12 has below `routerOptions`, and every other version beside its own options. */
function optionsOf(fastify: FastifyModule): FastifyServerOptions {
  const tenant = {
    name: 'tenant',
    storage() {
      const handlers = new Map<string, never>()
      return {
        get: (name: string) => handlers.get(name) ?? null,
        set: (name: string, handler: never) => void handlers.set(name, handler),
      }
    },
    validate: () => true,
    deriveConstraint: (request: { headers: Record<string, string> }) => request.headers['x-tenant'],
  }
  const router = { ignoreTrailingSlash: true, caseSensitive: false, constraints: { tenant } }
  const hasRouterOptions = Number(fastify().version.split('.')[0]) >= 5 && fastify().version !== '5.0.0'
  const rewriteUrl = ({ url }: { url?: string }): string =>
    (url as string).replace('/rewritten-page', '/metrics').replace(/^\/(rewritten|forgotten)\//, '/rewrites/')
  return { rewriteUrl, ...(hasRouterOptions ? { routerOptions: router } : router) } as FastifyServerOptions
}

function declareRoutes(app: FastifyInstance, options: PrometheusOptions): void {
  app.register(prometheus, { ...options, ignore: '/forgotten/*' })
  // Fastify 4 has it from the start.
  ;(app as { addHttpMethod?(method: string): void }).addHttpMethod?.('MKCOL')
  const skip = { config: { metrics: { skip: true } } }
  app.route({ method: ['GET', 'MKCOL'] as never, url: '/silent/:s', ...skip, handler: says })
  app.put('/silent/:s', says)
  app.route({ method: 'MKCOL' as never, url: '/loud/:l', handler: says })
  app.post('/silent-body', skip, says)
  app.get('/silent-throws', skip, throws)

  app.register(
    async (city) => {
      city.register(
        async (street) => {
          street.setErrorHandler(async (error, _request, reply) => {
            if ((error as Error).message === 'twice') throw error
            return reply.code(418).send('no')
          })
          street.setNotFoundHandler(async (_request, reply) => reply.code(410).send('gone'))
          street.get('/:street', async (request) => {
            const { street: name } = request.params as { street: string }
            // eslint-disable-next-line no-throw-literal
            if (name === 'string') throw 'a string'
            if (name !== 'via') throw new Error(name)
            return name
          })
        },
        { prefix: '/street' },
      )
      city.register(
        async (park) => {
          park.setErrorHandler((_error, _request, reply) => void setTimeout(() => reply.code(409).send('no'), 2))
          park.get('/throws', throws)
          park.get('/hidden', (_request, reply) => void reply.callNotFound())
        },
        { prefix: '/park' },
      )
    },
    { prefix: '/city/:city' },
  )
  app.register(async (strict) => strict.setNotFoundHandler(throws), { prefix: '/strict' })

  app.get('/mixed/case/:m/', says)
  for (const [tenant, code] of [
    ['a', 200],
    ['b', 201],
  ] as const) {
    app.get('/tenant/:t', { constraints: { tenant } }, async (_request, reply) => reply.code(code).send())
  }
  app.get('/host/:h', { constraints: { host: 'shop.test' } }, says)
  app.get('/host/:h', { constraints: { host: /\.shop\.example$/ } }, async (_request, reply) => reply.code(202).send())
  app.get('/version/:v', { constraints: { version: '1.2.0' } }, says)
  app.get('/rewrites/:to', says)

  app.register(async (early) => {
    early.addHook('onRequest', (request, reply, done) => {
      const { how } = request.params as { how: string }
      if (how === 'callback') void reply.code(401).send()
      else if (how === 'raw') {
        reply.raw.statusCode = 402
        reply.raw.end()
      } else if (how === 'hijacked') {
        reply.hijack()
        reply.raw.writeHead(406).end()
      } else if (how === 'later') setTimeout(() => void reply.code(407).send(), 5)
      else if (how !== 'hangs') done()
    })
    early.addHook('onRequest', async (request, reply) => {
      const { how } = request.params as { how: string }
      if (how === 'throws') throw new Error(how)
      if (how === 'promise') return reply.code(403).send()
    })
    early.get('/early/:how', says)
  })
  app.get('/taken/:how', (request, reply) => {
    const { how } = request.params as { how: string }
    reply.hijack()
    if (how === 'ends') reply.raw.end('raw')
    if (how === 'writes') reply.raw.write('raw')
    if (how === 'destroys') setTimeout(() => reply.raw.destroy(), 30)
  })

  app.addContentTypeParser('text/slow', { parseAs: 'string' }, (_request, body, done) => {
    setTimeout(() => {
      if (body === 'refused') done(Object.assign(new Error('refused'), { statusCode: 422 }))
      else done(null, body)
    }, 5)
  })
  app.addContentTypeParser('text/stream', async (_request: unknown, payload: AsyncIterable<Buffer>) => {
    let length = 0
    for await (const chunk of payload) length += chunk.length
    return length
  })
  app.post('/json', says)
}

async function start(fastify: FastifyModule): Promise<TableApp> {
  const registry = new Registry()
  const app = fastify(optionsOf(fastify))
  declareRoutes(app, { registry })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { port: (app.server.address() as AddressInfo).port, registry, close: () => app.close() }
}

for (const [name, fastify] of versions) {
  runRequestTable({
    name: `${name}, asked in an outsider's way,`,
    start: () => start(fastify),
    differs: name === 'Fastify 4.9.0' ? inOldest : {},
    rows: rows.map(([request, counted, send], index): RequestRow => {
      const [method, path] = request.split(' ') as [string, string]
      const [route, code] = counted.split(' ') as [string, string]
      const labels = { route, code: Number(code), ...(method === 'MKCOL' && { method: '_OTHER' }) }
      return {
        name: `${index}: ${request} ${counted}`,
        send: { method, path, ...send },
        counted: counted === '' ? [] : [labels],
      }
    }),
  })
}

const open: FastifyInstance[] = []
afterEach(async () => {
  for (const app of open.splice(0)) await app.close()
})

describe.each(versions)('%s', (_name, fastify) => {
  it('gives the HEAD of a route the labels and the buckets of its GET', async () => {
    const registry = new Registry()
    const app = fastify({ exposeHeadRoutes: true } as FastifyServerOptions)
    open.push(app as never)
    await app.register(prometheus, { registry, labels: { team: () => 'all' } })
    app.get('/own/:o', { config: { metrics: { labels: { team: 'own' }, buckets: [7] } } }, says)
    app.head('/head/:h', { config: { metrics: { labels: { team: 'head' } } } }, async () => '')
    app.get('/head/:h', says)
    for (const method of ['GET', 'HEAD'] as const) {
      for (const url of ['/own/1', '/head/1']) expect((await app.inject({ method, url })).statusCode).toBe(200)
    }
    const lines = (await registry.metrics()).split('\n')
    expect(lines.filter((line) => line.startsWith('http_requests_total')).toSorted()).toEqual([
      'http_requests_total{method="GET",route="/head/:h",code="200",team="all"} 1',
      'http_requests_total{method="GET",route="/own/:o",code="200",team="own"} 1',
      'http_requests_total{method="HEAD",route="/head/:h",code="200",team="head"} 1',
      'http_requests_total{method="HEAD",route="/own/:o",code="200",team="own"} 1',
    ])
    expect(lines.filter((line) => /_bucket.*"\/own\/:o".*le="7"/.test(line))).toHaveLength(2)
  })

  it('tells nobody of a malformed URL that is injected, whether it listens or not, so that nothing can count it', async () => {
    const registry = new Registry()
    const app = fastify()
    open.push(app as never)
    await app.register(prometheus, { registry })
    const called: string[] = []
    const hooks = 'onRequest preParsing preValidation preHandler preSerialization onSend onResponse onError onTimeout'
    for (const hook of hooks.split(' ')) {
      app.addHook(hook as 'onRequest', (...args) => {
        called.push(hook)
        ;(args.at(-1) as () => void)()
      })
    }
    app.server.prependListener('request', () => called.push('the server'))
    app.get('/hello/:h', says)
    expect((await app.inject('/hello/%zz')).statusCode).toBe(400)
    await app.listen({ port: 0, host: '127.0.0.1' })
    expect((await app.inject('/hello/%zz')).statusCode).toBe(400)
    expect([called, await countsOf(registry)]).toEqual([[], new Map()])
    const { port } = app.server.address() as AddressInfo
    await fetch(`http://127.0.0.1:${port}/hello/%zz`).then((answer) => answer.text())
    expect([called, [...(await countsOf(registry))]]).toEqual([['the server'], [['GET <unmatched> 400', 1]]])
  })
})

import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { Registry } from '@narthex/core'
import { prometheus } from '@narthex/fastify'
import type { FastifyInstance } from 'fastify'
import { runRequestTable, type TableApp } from '../../../test/http-requests/run.ts'
import type { RequestRow, Send } from '../../../test/http-requests/table.ts'
import { describe, expect, it } from 'vitest'
import { type FastifyModule, versions } from './app.ts'

/** What only Fastify can do, or spells in its own way: the request, and the route and the code that are counted. */
type Row = readonly [request: string, route: string, code: number, send?: Pick<Send, 'headers' | 'body'>]

const JSON_TYPE = { 'content-type': 'application/json' }
const stop = (where: string) => ({ headers: { 'x-stop': where } })

const rows: Row[] = [
  ['GET /root/1/a/2/b/3/leaf', '/root/:rid/a/:aid/b/:bid/:leaf', 200],
  ['GET /root/a/a/a/b/b/b', '/root/:rid/a/:aid/b/:bid/:leaf', 200],
  ['GET /root/1/a/2/b/3', '/root/:rid/a/:aid/b/:bid', 200],
  ['GET /root/1/a/2/b/3/', '/root/:rid/a/:aid/b/:bid', 200],
  ['GET /root/1/a/2/b/3/files/x/y', '/root/:rid/a/:aid/b/:bid/files/*', 200],
  ['GET /root/1/a/2', '<unmatched>', 404],
  ['GET /root/1/a/2/b/3/x', '/root/:rid/a/:aid/b/:bid/:leaf', 401, stop('onRequest')],
  ['GET /root/1/a/2/b/3/x', '/root/:rid/a/:aid/b/:bid/:leaf', 402, stop('preParsing')],
  ['GET /root/1/a/2/b/3/x', '/root/:rid/a/:aid/b/:bid/:leaf', 403, stop('preValidation')],
  ['GET /root/1/a/2/b/3/x', '/root/:rid/a/:aid/b/:bid/:leaf', 405, stop('preHandler')],
  ['GET /root/1/a/2/b/3/x', '/root/:rid/a/:aid/b/:bid/:leaf', 500, stop('preSerialization')],
  ['GET /root/1/a/2/b/3/x', '/root/:rid/a/:aid/b/:bid/:leaf', 500, stop('onSend')],
  ['GET /root/1/a/2/b/3/x', '/root/:rid/a/:aid/b/:bid/:leaf', 200, stop('onResponse')],
  ['GET /shop/nothing', '<unmatched>', 404],
  ['GET /shop/nothing', '<unmatched>', 401, stop('shop')],
  ['GET /soft/nothing', '<unmatched>', 200],
  ['GET /soft/passes/1', '<unmatched>', 200],
  ['GET /versioned/1', '/versioned/:v', 201, { headers: { 'accept-version': '1.0.0' } }],
  ['GET /versioned/1', '/versioned/:v', 202, { headers: { 'accept-version': '2.x' } }],
  ['GET /versioned/1', '<unmatched>', 404, { headers: { 'accept-version': '3.0.0' } }],
  ['GET /hosted/1', '/hosted/:h', 200, { headers: { host: 'a.example.com' } }],
  ['GET /hosted/1', '<unmatched>', 404],
  ['HEAD /hosted/1', '/hosted/:h', 200, { headers: { host: 'a.example.com' } }],
  ['HEAD /headless/1', '<unmatched>', 404],
  ['HEAD /own-head/1', '/own-head/:h', 204],
  ['PATCH /everything/3', '/everything/:any', 200],
  ['OPTIONS /everything/3', '/everything/:any', 200],
  ['GET /at/10h20m', '/at/:hour(^\\d{2})h:minute(^\\d{2})m', 200],
  ['GET /at/xxh20m', '<unmatched>', 404],
  ['GET /near/1.5-2.5', '/near/:lat-:lng', 200],
  ['GET /optional', '/optional/:o?', 200],
  ['GET /optional/3', '/optional/:o?', 200],
  ['GET /dots/a.png', '/dots/:name.png', 200],
  ['GET /colon:verb', '/colon::verb', 200],
  ['GET /hijacked/1', '/hijacked/:h', 202],
  ['GET /hijacked-late/1', '/hijacked-late/:h', 203],
  ['GET /redirects', '/redirects', 302],
  ['GET /rewritten/5', '/target/:t', 200],
  ['GET /scoped/1/throws', '/scoped/:s/throws', 409],
  ['GET /scoped/1/again', '/scoped/:s/again', 500],
  ['GET /valid/x', '/valid/:n', 400],
  ['GET /valid/1', '/valid/:n', 200],
  ['GET /unserializable', '/unserializable', 500],
  ['GET /broken-stream', '/broken-stream', 500],
  ['POST /body', '/body', 415, { headers: { 'content-type': 'text/x-odd' }, body: 'x' }],
  ['POST /body', '/body', 400, { headers: JSON_TYPE }],
  ['POST /body', '/body', 413, { headers: JSON_TYPE, body: `"${'x'.repeat(200)}"` }],
  ['POST /body', '/body', 400, { headers: JSON_TYPE, body: '{"__proto__":1}' }],
  ['POST /body', '/body', 200, { headers: JSON_TYPE, body: '{}' }],
  // Fastify reads bodies first.
  ['POST /nothing', '<unmatched>', 400, { headers: JSON_TYPE, body: '{' }],
  ['GET /late/1', '/late/:l', 503],
  ['GET /', '/', 200],
  ['HEAD /', '/', 200],
]

const says = async (): Promise<string> => 'ok'

function declareRoutes(app: FastifyInstance, registry: Registry): void {
  app.register(prometheus, { registry })
  const register = (prefix: string, declare: (child: FastifyInstance) => void): unknown =>
    app.register(async (child) => declare(child), { prefix })

  register('/root/:rid', (root) => {
    root.register(
      async (branch) => {
        branch.register(async (leaves) => declareLeaves(leaves), { prefix: '/b/:bid' })
      },
      { prefix: '/a/:aid' },
    )
  })
  register('/shop', (shop) => {
    shop.setNotFoundHandler(
      {
        preHandler: (request, reply, done) => {
          if (request.headers['x-stop'] === 'shop') void reply.code(401).send()
          else done()
        },
      },
      (_request, reply) => void reply.code(404).send('no such thing'),
    )
  })
  register('/soft', (soft) => {
    soft.setNotFoundHandler((_request, reply) => void reply.send('the application'))
    soft.get('/passes/:p', (_request, reply) => void reply.callNotFound())
  })
  register('/scoped/:s', (scoped) => {
    scoped.setErrorHandler((error, _request, reply) => {
      void ((error as Error).message === 'again' ? reply.send(error) : reply.code(409).send())
    })
    for (const message of ['throws', 'again']) {
      scoped.get(`/${message}`, async () => {
        throw new Error(message)
      })
    }
  })

  for (const [version, code] of [
    ['1.0.0', 201],
    ['2.1.0', 202],
  ] as const) {
    app.get('/versioned/:v', { constraints: { version } }, async (_request, reply) => reply.code(code).send())
  }
  app.get('/hosted/:h', { constraints: { host: 'a.example.com' } }, says)
  app.get('/headless/:h', { exposeHeadRoute: false }, says)
  app.head('/own-head/:h', async (_request, reply) => reply.code(204).send())
  app.get('/own-head/:h', says)
  app.all('/everything/:any', says)
  app.get('/at/:hour(^\\d{2})h:minute(^\\d{2})m', says)
  app.get('/near/:lat-:lng', says)
  app.get('/optional/:o?', says)
  app.get('/dots/:name.png', says)
  app.get('/colon::verb', says)
  app.get('/hijacked/:h', (_request, reply) => {
    reply.hijack()
    reply.raw.writeHead(202).end('raw')
  })
  app.get('/hijacked-late/:h', async (_request, reply) => {
    reply.hijack()
    setTimeout(() => reply.raw.writeHead(203).end('raw'), 5)
  })
  app.get('/redirects', (_request, reply) => void reply.redirect('/'))
  app.get('/target/:t', says)
  const params = { type: 'object', properties: { n: { type: 'integer' } } }
  app.get('/valid/:n', { schema: { params } }, says)
  app.get('/unserializable', async () => {
    const loop: { self?: object } = {}
    return (loop.self = loop)
  })
  app.get('/broken-stream', async (_request, reply) =>
    reply.send(
      new Readable({
        read() {
          this.destroy(new Error('broken'))
        },
      }),
    ),
  )
  app.post('/body', { bodyLimit: 100 }, says)
  // Fastify answers in the handler's place, where it knows of this.
  const late = { handlerTimeout: 10, handler: () => new Promise((resolve) => setTimeout(resolve, 100, 'late')) }
  app.route({ method: 'GET', url: '/late/:l', ...late })
  app.get('/', says)
}

function declareLeaves(leaves: FastifyInstance): void {
  const codes = { onRequest: 401, preParsing: 402, preValidation: 403, preHandler: 405 }
  for (const [name, code] of Object.entries(codes)) {
    leaves.addHook(name as 'onRequest', async (request, reply) => {
      if (request.headers['x-stop'] === name) return reply.code(code).send()
    })
  }
  const fails = (name: string, headers: object): void => {
    if ((headers as { 'x-stop'?: string })['x-stop'] === name) throw new Error(name)
  }
  for (const name of ['preSerialization', 'onSend'] as const) {
    leaves.addHook(name as 'onSend', async ({ headers }, _reply, payload) => {
      fails(name, headers)
      return payload
    })
  }
  leaves.addHook('onResponse', async ({ headers }) => fails('onResponse', headers))
  leaves.get('/', async () => ({}))
  leaves.get('/:leaf', async () => ({}))
  leaves.get('/files/*', async () => ({}))
}

async function start(fastify: FastifyModule): Promise<TableApp> {
  const registry = new Registry()
  const app = fastify({ rewriteUrl: (request) => (request.url as string).replace('/rewritten/', '/target/') })
  declareRoutes(app, registry)
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { port: (app.server.address() as AddressInfo).port, registry, close: () => app.close() }
}

for (const [name, fastify] of versions) {
  runRequestTable({
    name: `${name}, with routes of its own kinds,`,
    start: () => start(fastify),
    differs: name === 'Fastify 5.12' ? {} : { 'GET /late/1 503': [{ route: '/late/:l', code: 200 }] },
    rows: rows.map(([request, route, code, send]): RequestRow => {
      const [method, path] = request.split(' ') as [string, string]
      return { name: `${request} ${code}`, send: { method, path, ...send }, counted: [{ route, code }] }
    }),
  })
}

describe.each(versions)('%s', (_name, fastify) => {
  it('gives routes of every kind their own buckets and labels, whatever the method', async () => {
    const registry = new Registry()
    const options = { ignoreTrailingSlash: true, caseSensitive: false }
    const app = fastify({ ...options, rewriteUrl: ({ url }) => (url as string).replace('/old/', '/New/') })
    // Fastify 4 has it from the start.
    ;(app as { addHttpMethod?(method: string): void }).addHttpMethod?.('MKCOL')
    const declare = (to: FastifyInstance, url: string, methods: string | string[] = 'GET', more: object = {}): void => {
      const metrics = { buckets: [7], labels: { team: 'own' } }
      to.route({ method: methods as 'GET', url, ...more, config: { metrics }, handler: says })
    }
    declare(app, '/Early/:e', ['GET', 'MKCOL'])
    await app.register(prometheus, { registry, labels: { team: () => 'all' } })
    declare(app, '/folder', ['MKCOL', 'PUT'])
    declare(app, '/Case/:Id/')
    declare(app, '/New/:n')
    declare(app, '/near/:lat-:lng')
    declare(app, '/files/*')
    declare(app, '/number/:n(^\\d+$)')
    for (const version of ['1.0.0', '2.0.0']) declare(app, '/versioned', 'GET', { constraints: { version } })
    for (const prefixTrailingSlash of ['both', 'slash', 'no-slash']) {
      const prefix = `/${prefixTrailingSlash}`
      app.register(async (child) => declare(child, '/', 'GET', { prefixTrailingSlash }), { prefix })
    }
    const requests = `GET /early/1, MKCOL /early/1, MKCOL /folder, PUT /folder, GET /cAsE/1, HEAD /case/1/, GET /old/1,
      GET /near/1-2, GET /files/a/b, GET /number/12, GET /versioned, GET /both, GET /both/, GET /slash/, GET /no-slash`
    for (const request of requests.split(/,\s+/)) {
      const [method, url] = request.split(' ') as ['GET', string]
      const headers = url === '/versioned' ? { 'accept-version': '2.0.0' } : {}
      const { statusCode } = await app.inject({ method, url, headers })
      expect(`${request} ${statusCode}`).toBe(`${request} 200`)
    }

    const lines = (await registry.metrics()).split('\n')
    const bounds = lines.filter((line) => line.startsWith('http_request_duration_seconds_bucket'))
    expect(new Set(bounds.map((line) => /le="([^"]*)"/.exec(line)?.[1]))).toEqual(new Set(['7', '+Inf']))
    const counts = lines.filter((line) => line.startsWith('http_requests_total{'))
    expect(counts).toHaveLength(14)
    for (const line of counts) expect(line).toContain('team="own"')
    await app.close()
  })
})

import { createServer, type AddressInfo, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from '@narthex/core'
import { prometheus, type PrometheusOptions } from '@narthex/fastify'
import fastify5, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import fastify4 from 'fastify-4'
import fastify4Oldest from 'fastify-4-oldest'
import fastify5Oldest from 'fastify-5-oldest'
import type { TableApp } from '../../../test/http-requests/run.ts'

/** Any version of Fastify, as its module exports it. */
export type FastifyModule = typeof fastify5

/** Both ends of each major version. */
export const versions: readonly (readonly [name: string, fastify: FastifyModule])[] = [
  ['Fastify 5.12', fastify5],
  ['Fastify 5.0.0', fastify5Oldest as unknown as FastifyModule],
  ['Fastify 4.29.1', fastify4 as unknown as FastifyModule],
  ['Fastify 4.9.0', fastify4Oldest as unknown as FastifyModule],
]

const says = async (): Promise<string> => 'ok'

const fails = (error: unknown, _request: FastifyRequest, reply: FastifyReply): void => {
  const { statusCode, status } = error as { statusCode?: number; status?: number }
  void reply.code(statusCode ?? status ?? 500).send('failed')
}

/** Declares the routes of the table of requests; half of them are there before the plugin. */
export function declareTable(app: FastifyInstance, options: PrometheusOptions): void {
  app.setErrorHandler(fails)
  app.get('/plain', says)
  app.get('/conditional', async (request, reply) => {
    void reply.header('ETag', '"1"')
    return request.headers['if-none-match'] === '"1"' ? reply.code(304).send() : 'ok'
  })
  app.get('/users/:id', says)
  app.post('/users/:id', { config: {} }, async (_request, reply) => reply.code(201).send())
  app.addContentTypeParser(
    'application/vnd.api+json',
    { parseAs: 'string' },
    app.getDefaultJsonParser('error', 'error'),
  )
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume().on('end', () => done(null, undefined))
  })
  app.register(
    async (api) => {
      api.register(
        async (tenant) => {
          tenant.get('/', says)
          tenant.get('/orders/:id', says)
          tenant.get('/boom', async () => {
            throw new Error('boom')
          })
        },
        { prefix: '/t/:tenant' },
      )
    },
    { prefix: '/api' },
  )

  app.register(prometheus, options)

  app.addHook('onRequest', (request, reply, done) => {
    if (request.headers['x-forbidden'] === undefined) done()
    else void reply.code(403).send()
  })
  app.get('/shops/:shop/items/:item/', says)
  app.get('/shops/:shop/items/:item', says)
  const status = async (instance: FastifyInstance): Promise<void> => void instance.get('/status', says)
  app.register(status, { prefix: '/v1' })
  app.register(status, { prefix: '/v2/' })
  for (const path of ['/de/hello', '/fr/hello', '/colour', '/color/:name', '/files/*']) app.get(path, says)
  app.get('/reports/:number(^\\d+$)', says)
  app.register(async (admin) => void admin.get('/users/:id', says), { prefix: '/admin' })
  app.get('/static/*', async (request, reply) => (request.url === '/static/hello.txt' ? 'hello' : reply.callNotFound()))
  app.register(
    async (guarded) => {
      guarded.addHook('onRequest', async (_request, reply) => reply.code(401).send())
      guarded.get('/*', says)
    },
    { prefix: '/guarded' },
  )
  app.get('/throws', () => {
    throw new Error('thrown')
  })
  app.get('/rejects', () => Promise.reject(new Error('rejected')))
  app.get('/status-error', async () => {
    throw Object.assign(new Error('teapot'), { statusCode: 418 })
  })
  app.post('/json', { bodyLimit: 1000 }, says)
  app.get('/passes', (_request, reply) => void reply.callNotFound())
  app.get('/passes-after', (_request, reply) => void reply.send('ok'))
  app.get<{ Params: { key: string } }>(
    '/hooked/:key',
    {
      preHandler: async ({ params }, reply) => {
        if (params.key === 'missing') return reply.code(404).send()
        if (params.key === 'broken') throw new Error('broken')
      },
    },
    says,
  )
  app.get('/hang', () => {})
  app.post('/upload', () => {})
  app.get('/drip', (_request, reply) => void reply.send(Readable.from(drip())))
  app.get('/large', (_request, reply) => void reply.send(Buffer.alloc(2 ** 25)))
  app.get('/timeout', (_request, reply) => {
    reply.raw.setTimeout(10, () => void reply.code(503).send())
  })
  app.get('/stream', (_request, reply) => void reply.send(Readable.from(parts())))
  app.get('/events', (_request, reply) => void reply.type('text/event-stream').send('data: 1\n\n'))
  app.get('/endless-events', (_request, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, { 'Content-Type': 'text/event-stream' })
    reply.raw.write('data: 1\n\n')
  })
}

async function* drip(): AsyncGenerator<string> {
  yield 'drip'
  await new Promise(() => {})
}

async function* parts(): AsyncGenerator<string> {
  for (const part of ['a', 'b', 'c']) {
    yield part
    await sleep(2)
  }
}

/** Listens with two applications of the table behind one port: one for HTTP/1, one for HTTP/2 in plain text. */
export async function startTableApp(
  fastify: FastifyModule,
  options: PrometheusOptions & { readonly registry: Registry } = { registry: new Registry() },
): Promise<TableApp> {
  const { registry } = options
  const one = fastify()
  const two = fastify({ http2: true }) as unknown as FastifyInstance
  for (const app of [one, two]) {
    declareTable(app, options)
    await app.ready()
    app.server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'))
  }
  const sockets = new Set<Socket>()
  const door = createServer((socket) => {
    sockets.add(socket.once('close', () => sockets.delete(socket)))
    socket.once('readable', () => {
      const start = socket.read() as Buffer | null
      if (start === null) return
      socket.unshift(start)
      const app = start.toString('latin1', 0, 3) === 'PRI' ? two : one
      app.server.emit('connection', socket)
    })
  })
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve))
  return {
    port: (door.address() as AddressInfo).port,
    registry,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => door.close(resolve))
      await Promise.all([one.close(), two.close()])
    },
  }
}

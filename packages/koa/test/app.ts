import { createServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, createServer as createSocketServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from '@narthex/core'
import { prometheus, type PrometheusOptions } from '@narthex/koa'
import type RouterClass from '@koa/router'
import type Koa from 'koa'
import type { Context, Middleware } from 'koa'
import bodyParser from 'koa-bodyparser'
import mount from 'koa-mount'
import type { TableApp } from '../../../test/http-requests/run.ts'

/** Any version of Koa and of @koa/router, as their modules export them. */
export type KoaClass = typeof Koa
export type RouterModule = typeof RouterClass

const says = (context: Context): void => void (context.body = 'ok')

/** The application of the table of requests. */
export function tableApp(KoaOf: KoaClass, Router: RouterModule, options: PrometheusOptions, wildcard: string): Koa {
  const app = new KoaOf()
  app.silent = true
  app.use(prometheus(options))
  app.use(async (context, next) => {
    try {
      await next()
    } catch (error) {
      context.status = (error as { status?: number }).status ?? 500
      context.body = 'failed'
    }
  })
  const readsJson = bodyParser()
  app.use((context, next) => (context.is('application/vnd.api+json') ? readsJson(context, next) : next()))
  app.use((context, next) => (context.get('x-forbidden') === '' ? next() : void (context.status = 403)))

  const router = new Router()
  router.get('/plain', says)
  router.get('/conditional', (context) => {
    context.set('ETag', '"1"')
    context.body = 'ok'
    if (context.fresh) context.status = 304
  })
  router.get('/users/:id', says)
  router.post('/users/:id', (context) => void (context.status = 201))
  router.get('/shops/:shop/items/:item', says)
  const tenant = new Router()
  tenant.get('/', says)
  tenant.get('/orders/:id', says)
  tenant.get('/boom', () => {
    throw new Error('boom')
  })
  const api = new Router()
  api.use(async (_context, next) => {
    await sleep(1)
    await next()
  })
  api.use('/t/:tenant', tenant.routes())
  router.use('/api', api.routes())
  const status = new Router()
  status.get('/status', says)
  router.use('/v1', status.routes())
  router.use('/v2', status.routes())
  const hello = new Router()
  hello.get('/hello', says)
  router.use(['/de', '/fr'], hello.routes())
  router.get(['/colour', '/color/:name'], says)
  router.get(/^\/reports\/\d+$/, says)
  router.get(wildcard, says)
  router.get('/throws', () => {
    throw new Error('thrown')
  })
  router.get('/rejects', () => Promise.reject(new Error('rejected')))
  router.get('/status-error', (context) => context.throw(418))
  router.post('/json', bodyParser({ jsonLimit: '1000b' }) as never, says)
  router.get('/passes', (_context, next) => next())
  router.get('/passes-after', (context, next) => {
    context.body = 'ok'
    return next()
  })
  const hooked = new Router({ prefix: '/hooked' })
  hooked.param('key', async (key, context, next) => {
    await sleep(1)
    if (key === 'broken') throw new Error('broken')
    if (key === 'missing') context.status = 404
    else await next()
  })
  hooked.get('/:key', says)
  router.get('/hang', () => new Promise(() => {}))
  router.post('/upload', (context) => {
    context.req.resume()
    return new Promise(() => {})
  })
  router.get('/drip', (context) => void (context.body = endless('drip')))
  router.get('/large', (context) => void (context.body = Buffer.alloc(2 ** 25)))
  router.get('/timeout', async (context) => {
    await new Promise((resolve) => void context.res.setTimeout(10, () => resolve(undefined)))
    context.status = 503
  })
  router.get('/stream', (context) => void (context.body = Readable.from(parts())))
  router.get('/events', (context) => {
    context.type = 'text/event-stream'
    context.body = 'data: 1\n\n'
  })
  router.get('/endless-events', (context) => {
    context.type = 'text/event-stream'
    context.body = endless('data: 1\n\n')
  })
  // Hands on what has an answer, as some applications do for their pages of errors.
  const last = new Router()
  last.all(wildcard.replace('/files', ''), (_context, next) => next())

  const admin = new Router()
  admin.get('/users/:id', says)
  app.use(mount('/admin', admin.routes() as Middleware))
  app.use(mount('/static', (context, next) => (context.path === '/hello.txt' ? says(context) : next())))
  app.use(mount('/guarded', (context) => void (context.status = 401)))
  app.use(hooked.routes() as Middleware)
  app.use(router.routes() as Middleware)
  app.use(router.allowedMethods() as Middleware)
  app.use((context, next) => (context.body === undefined ? next() : last.routes()(context as never, next)))
  return app
}

function endless(first: string): Readable {
  const stream = new Readable({ read() {} })
  stream.push(first)
  return stream
}

async function* parts(): AsyncGenerator<string, void, void> {
  for (const part of ['a', 'b', 'c']) {
    yield part
    await sleep(2)
  }
}

/** Listens with an application of the table. */
export function startTableApp(KoaOf: KoaClass, Router: RouterModule, wildcard: string): Promise<TableApp> {
  const registry = new Registry()
  return listen(tableApp(KoaOf, Router, { registry }, wildcard), registry)
}

/** Speaks HTTP/1 and HTTP/2 on one port, by how a connection begins. */
export async function listen(app: Koa, registry: Registry): Promise<TableApp> {
  const http1 = createServer(app.callback())
  http1.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'))
  const http2 = createHttp2Server(app.callback() as never)
  const sockets = new Set<Socket>()
  const server = createSocketServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('readable', () => {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) return
      socket.unshift(chunk)
      const isHttp2 = chunk.toString('latin1', 0, 14) === 'PRI * HTTP/2.0'
      ;(isHttp2 ? http2 : http1).emit('connection', socket)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    registry,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Registry } from '@narthex/core'
import { prometheus, type PrometheusOptions } from '@narthex/express'
import type { ErrorRequestHandler, Express, RequestHandler } from 'express'
import type express from 'express'
import type { TableApp } from '../../../test/http-requests/run.ts'

/** Any version of Express, as its module exports it. */
export type ExpressModule = typeof express

const fails: ErrorRequestHandler = (error, _request, response, next) => {
  if (response.headersSent) next(error)
  else response.status((error as { status?: number }).status ?? 500).send('failed')
}

const says: RequestHandler = (_request, response) => void response.send('ok')

/** The application of the table of requests; half of its routes were there before the middleware. */
export function tableApp(express: ExpressModule, options: PrometheusOptions, wildcard: string): Express {
  const isOld = wildcard === '/files/*'
  // Made before anything is instrumented.
  const tenant = express.Router({ mergeParams: true })
  tenant.get('/', says)
  tenant.get('/orders/:id', says)
  tenant.get('/boom', () => {
    throw new Error('boom')
  })
  const status = express.Router().get('/status', says)

  const app = express()
  app.use(prometheus(options))
  app.use((request, response, next) => (request.headers['x-forbidden'] ? void response.sendStatus(403) : next()))
  app.use(express.json({ type: 'application/vnd.api+json' }))
  app.get('/plain', says)
  app.get('/conditional', (_request, response) => void response.set('ETag', '"1"').send('ok'))
  app
    .route('/users/:id')
    .get(says)
    .post((_request, response) => void response.sendStatus(201))
  app.get('/shops/:shop/items/:item/', says)
  const api = express.Router()
  api.use((_request, _response, next) => setImmediate(next))
  api.use('/t/:tenant', (_request, _response, next) => next(), tenant)
  app.use('/api/', api)
  app.use('/v1', status)
  app.use('/v2', status)
  app.use(['/de', '/fr'], express.Router().get('/hello', says))
  app.get(['/colour', '/color/:name'], says)
  app.get(/^\/reports\/\d+$/, says)
  app.get(wildcard, says)
  const admin = express()
  admin.get('/users/:id', says)
  app.use('/admin', admin)
  app.use('/static', express.static(fileURLToPath(new URL('static', import.meta.url))))
  app.use('/guarded', (_request, response) => void response.sendStatus(401))
  app.get('/throws', () => {
    throw new Error('thrown')
  })
  const rejects = (): Promise<never> => Promise.reject(new Error('rejected'))
  // Express 4 leaves a rejection to the handler.
  app.get(
    '/rejects',
    isOld
      ? (_request, _response, next) => void rejects().then(undefined, (error) => setImmediate(next, error))
      : rejects,
  )
  app.get('/status-error', (_request, _response, next) => next(Object.assign(new Error('teapot'), { status: 418 })))
  app.post('/json', express.json({ limit: 1000 }), says)
  app.get('/passes', (_request, _response, next) => next())
  app.get('/passes-after', (_request, response, next) => {
    response.send('ok')
    next()
  })
  const hooked = express.Router()
  hooked.param('key', (_request, response, next, key) => {
    if (key === 'missing') response.sendStatus(404)
    else setImmediate(next, (key === 'broken' ? new Error('broken') : undefined) as never)
  })
  hooked.get('/:key', says)
  app.use('/hooked', hooked)
  app.get('/hang', () => {})
  app.post('/upload', (request) => void request.resume())
  app.get('/drip', (_request, response) => void response.write('drip'))
  app.get('/large', (_request, response) => void response.end(Buffer.alloc(2 ** 25)))
  app.get('/timeout', (_request, response) => void response.setTimeout(10, () => void response.sendStatus(503)))
  app.get('/stream', (_request, response) => {
    void (async () => {
      for (const part of ['a', 'b', 'c']) {
        response.write(part)
        await sleep(2)
      }
      response.end()
    })()
  })
  app.get('/events', (_request, response) => void response.type('text/event-stream').send('data: 1\n\n'))
  app.get('/endless-events', (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.write('data: 1\n\n')
  })
  app.use((_request, _response, next) => next())
  app.use(fails)
  return app
}

/** Listens with an application of the table. */
export async function startTableApp(express: ExpressModule, wildcard: string): Promise<TableApp> {
  const registry = new Registry()
  return listen(tableApp(express, { registry }, wildcard), registry)
}

export async function listen(app: Express, registry: Registry): Promise<TableApp> {
  const server = createServer(app)
  server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    registry,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

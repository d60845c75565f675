import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Registry } from '@narthex/core'
import { prometheus } from '@narthex/express'
import type { Express, Request, RequestHandler, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { countsOf } from '../../../test/http-requests/run.ts'
import { type ExpressModule, listen as listenAt } from './app.ts'
import { versions } from './supported.ts'

/** Once it has seen a request, a middleware at the front is left out by its router, and records all the same. */
describe.each(versions)('the middleware that records in %s', (_name, express) => {
  const { Router } = express as ExpressModule
  const answer: RequestHandler = (request, response) => void response.send(request.path)

  it('is given first requests and pages, and no others that come straight to it', async () => {
    const registry = new Registry()
    const app = (express as ExpressModule)()
    const middleware = prometheus({ registry })
    const given: string[] = []
    app.use(middleware)
    const [layer] = stackOf(app).slice(-1) as [{ handle: RequestHandler }]
    app.get('/books/:id', answer)
    const { url, close } = await listen(app)
    // By the first one a copy of Express that was not known is found.
    for (const id of [1, 2]) await (await fetch(`${url}/books/${id}`)).text()
    layer.handle = (request, response, next) => {
      given.push(request.path)
      return middleware(request, response, next)
    }
    for (const path of ['/books/3', '/none', '/metrics', '/books/4']) await (await fetch(url + path)).text()
    await close()
    expect(given).toEqual(['/metrics'])
    expect([...(await countsOf(registry))]).toEqual([
      ['GET /books/:id 200', 4],
      ['GET <unmatched> 404', 1],
    ])
  })

  it.each([
    ['in front of all', true],
    ['behind another', false],
  ])('records each of two requests of which one goes on within the other, %s', async (_place, isFirst) => {
    const registry = new Registry()
    const app = (express as ExpressModule)()
    const held: (() => void)[] = []
    const hold: RequestHandler = (request, _response, next) => {
      if (request.query['held'] !== undefined) return void held.push(next)
      held.splice(0).forEach((goOn) => goOn())
      next()
    }
    if (isFirst) app.use(prometheus({ registry }), hold)
    else app.use(hold, prometheus({ registry }))
    const router = Router()
    router.get('/inner/:id', answer)
    app.use('/outer', hold, router)
    app.get('/books/:id', answer)
    const { url, close } = await listen(app)
    for (let round = 0; round < 3; round++) {
      const first = fetch(`${url}/books/1?held`)
      await expect.poll(() => held.length).toBe(1)
      const bodies = await Promise.all(
        [first, fetch(`${url}/outer/inner/${round}`)].map(async (each) => (await each).text()),
      )
      expect(bodies).toEqual(['/books/1', `/inner/${round}`])
    }
    await close()
    expect([...(await countsOf(registry))].toSorted()).toEqual([
      ['GET /books/:id 200', 3],
      ['GET /outer/inner/:id 200', 3],
    ])
  })

  it('does not take a request for one that has found nothing in another application', async () => {
    const registry = new Registry()
    const app = (express as ExpressModule)()
    const held: (() => void)[] = []
    app.use((_request, _response, next) => void held.push(next))
    app.use(prometheus({ registry }))
    app.get('/books/:id', answer)
    const [recorded, empty] = [await listen(app), await listen((express as ExpressModule)())]
    for (let round = 0; round < 3; round++) {
      const answered = fetch(`${recorded.url}/books/1`)
      await expect.poll(() => held.length).toBe(1)
      await (await fetch(`${empty.url}/none`)).text()
      held.pop()?.()
      await (await answered).text()
    }
    await recorded.close()
    await empty.close()
    expect([...(await countsOf(registry))]).toEqual([['GET /books/:id 200', 3]])
  })

  it.each([
    ['in front of all', true],
    ['behind another', false],
  ])('records a request as what it was made by then, %s', async (_place, isFirst) => {
    const registry = new Registry()
    const remake: RequestHandler = (request, _response, next) => {
      Object.assign(request, { url: request.url === '/metrics' ? '/books/2' : '/metrics', method: 'GET' })
      next()
    }
    const before = (express as ExpressModule)()
    const app = (express as ExpressModule)()
    if (!isFirst) app.use(remake)
    app.use(prometheus({ registry }))
    app.get('/books/:id', answer)
    before.use((_request, _response, next) => next())
    const server = createServer((request, response) => {
      before(request as Request, response as Response, () => {
        const handle = (): void => app(request as Request, response as Response)
        if (isFirst) remake(request as Request, response as Response, handle)
        else handle()
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const bodies: string[] = []
    for (const path of ['/metrics', '/metrics', '/any']) {
      bodies.push(await (await fetch(url + path, { method: 'POST' })).text())
    }
    server.close()
    expect(bodies).toEqual(['/books/2', '/books/2', expect.stringContaining('# TYPE http_requests_total counter')])
    expect([...(await countsOf(registry))]).toEqual([['GET /books/:id 200', 2]])
  })

  it('leaves a request to each of two registries, and one of another application to that', async () => {
    const registries = [new Registry(), new Registry(), new Registry()] as const
    const [first, second, other] = registries
    const app = (express as ExpressModule)()
    app.use(prometheus({ registry: first }))
    app.use(prometheus({ registry: second, path: '/second' }))
    app.get('/books/:id', answer)
    const inner = (express as ExpressModule)()
    inner.use(prometheus({ registry: other }))
    inner.get('/:id', answer)
    app.use('/inner', inner)
    const { url, close } = await listen(app)
    for (let round = 0; round < 3; round++) {
      for (const path of ['/books/1', '/inner/1', '/second', '/inner/metrics']) await (await fetch(url + path)).text()
    }
    await close()
    const books = ['GET /books/:id 200', 3] as const
    const ofInner = [
      ['GET /inner/:id 200', 3],
      ['GET /inner/metrics 200', 3],
    ] as const
    const sorted = await Promise.all(registries.map(async (each) => [...(await countsOf(each))].toSorted()))
    expect(sorted).toEqual([[books, ...ofInner, ['GET /second 200', 3]], [books, ...ofInner], [ofInner[0]]])
  })

  it('records below its mount alone', async () => {
    const registry = new Registry()
    const app = (express as ExpressModule)()
    app.use('/api', prometheus({ registry }))
    app.get(['/api/books/:id', '/books/:id'], answer)
    const { url, close } = await listen(app)
    for (let round = 0; round < 3; round++) {
      for (const path of ['/books/1', '/api/books/1']) await (await fetch(url + path)).text()
    }
    const page = await (await fetch(`${url}/api/metrics`)).text()
    await close()
    expect(page).toContain('# TYPE http_requests_total counter')
    expect([...(await countsOf(registry))]).toEqual([['GET /api/books/:id 200', 3]])
  })

  it('asks `ignore` once for each request, and counts what it throws', async () => {
    const registry = new Registry()
    const app = (express as ExpressModule)()
    const asked: string[] = []
    const ignore = ({ path }: { readonly path: string }): boolean => {
      asked.push(path)
      if (path === '/throws') throw new Error('asked for')
      return path === '/left'
    }
    app.use(prometheus({ registry, ignore }))
    app.get('/:any', answer)
    const { url, close } = await listen(app)
    for (const path of ['/first', '/left', '/throws', '/last']) await (await fetch(url + path)).text()
    await close()
    expect(asked).toEqual(['/first', '/left', '/throws', '/last'])
    expect([...(await countsOf(registry))]).toEqual([['GET /:any 200', 3]])
    expect(registry.getSampleValue('narthex_hook_errors_total', { hook: 'ignore' })).toBe(1)
  })
})

async function listen(app: Express): Promise<{ url: string; close(): Promise<void> }> {
  const { port, close } = await listenAt(app, new Registry())
  return { url: `http://127.0.0.1:${port}`, close }
}

/** Express 4 throws where `router` is read. */
function stackOf(app: unknown): readonly unknown[] {
  const { _router: old } = app as { _router?: { stack: unknown[] } }
  return old?.stack ?? (app as { router: { stack: unknown[] } }).router.stack
}

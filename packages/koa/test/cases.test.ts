import Router15 from '@koa/router'
import { Registry } from '@narthex/core'
import { prometheus } from '@narthex/koa'
import findMyWay from 'find-my-way'
import Koa3 from 'koa'
import Koa2Oldest from 'koa-2-oldest'
import compose from 'koa-compose'
import mount from 'koa-mount'
import Router12 from 'koa-router-12'
import Router13 from 'koa-router-13'
import Router14 from 'koa-router-14'
import TreeRouter from 'koa-tree-router'
import type Koa from 'koa'
import type { Context, Middleware, Next } from 'koa'
import { describe, expect, it } from 'vitest'
import { runRequestTable } from '../../../test/http-requests/run.ts'
import type { RequestRow, Send } from '../../../test/http-requests/table.ts'
import { type KoaClass, listen, type RouterModule } from './app.ts'
import { serve } from './serve.ts'

/** The request, and the route and the code that are counted. */
type Row = readonly [request: string, counted: string, send?: Partial<Send>]

const stop = { headers: { 'x-stop': '1' } }

const rows: Row[] = [
  // Prefixes with parameters, and prefixes of prefixes.
  ['GET /t/acme', '/t/:tenant 200'],
  ['GET /t/acme/orders/5', '/t/:tenant/orders/:order 200'],
  ['GET /t/t/orders/t', '/t/:tenant/orders/:order 200'],
  ['GET /t/acme/lines/5/parts/6', '/t/:tenant/lines/:line/parts/:part 200'],
  ['GET /t/acme/lines/5/nothing', '<unmatched> 404'],
  ['DELETE /t/acme/orders/5', '<unmatched> 405'],
  // Arrays of paths and of middleware.
  ['GET /left/deep/1', '/left/deep/:d 200'],
  ['GET /right/deep/1', '/right/deep/:d 200'],
  ['GET /left/deep/1', '/left/* 401', stop],
  ['GET /right/deep/1', '/right/* 401', stop],
  ['GET /lists/1', '/lists/:l 200'],
  ['GET /catalogues/1', '/catalogues/:c 200'],
  ['GET /middle/deep/1', '<unmatched> 404'],
  // Every method, names and redirects.
  ['GET /any/1', '/any/:a 200'],
  ['PUT /any/1', '/any/:a 200'],
  ['OPTIONS /any/1', '/any/:a 200'],
  ['HEAD /named/1', '/named/:n 200'],
  ['GET /named/1', '/named/:n 200'],
  ['GET /to-named', '/to-named 302'],
  ['GET /old/path', '/old/path 308'],
  // Methods that a route has not, and those that a router has not.
  ['POST /named/1', '<unmatched> 405'],
  ['OPTIONS /named/1', '/* 200'],
  ['LINK /named/1', '<unmatched> 501'],
  ['POST /thrown/1', '<unmatched> 405'],
  ['LINK /thrown/1', '<unmatched> 501'],
  ['POST /answered/1', '<unmatched> 405'],
  // Mounts in routers, and routers in mounts in routers.
  ['GET /outside/inside/files/1', '/outside/inside/files/:f 200'],
  ['GET /outside/inside/answers', '/outside/inside/* 200'],
  ['GET /outside/inside/nothing', '<unmatched> 404'],
  ['GET /outside/inside/throws', '/outside/inside/throws 500'],
  ['GET /outside/after/1', '/outside/after/:x 200'],
  // Middleware that is put together.
  ['GET /composed/1', '/composed/:c 200'],
  ['GET /composed/1', '/* 401', stop],
  ['GET /composed/deep/1', '/composed/deep/:d 200'],
  ['GET /composed/throws', '/composed/throws 503'],
  ['GET /composed-handlers/1', '/composed-handlers/:c 200'],
  ['GET /composed-handlers/1', '/composed-handlers/:c 401', stop],
  // Who passes on.
  ['GET /passed/1', '/passed/:second 200'],
  ['GET /hooked/none', '/hooked/:h 404'],
  ['GET /hooked/fails', '/hooked/:h 500'],
  ['GET /hooked/1', '/hooked/:h 200'],
]

const says = (context: Context): void => void (context.body = 'ok')
const stops = (context: Context, next: Next): unknown =>
  context.get('x-stop') === '' ? next() : void (context.status = 401)
const passes = (_context: Context, next: Next): Promise<unknown> => next()
const throws = (): never => {
  throw new Error('thrown')
}

function casesApp(KoaOf: KoaClass, Router: RouterModule, everything: string, registry: Registry): Koa {
  const app = new KoaOf()
  app.silent = true
  app.on('error', () => {})
  app.use(prometheus({ registry }))
  const routesOf = (router: { routes(): unknown }): Middleware => router.routes() as Middleware
  const withMethods = (router: { routes(): unknown; allowedMethods(options?: object): unknown }, options = {}): void =>
    void app.use(routesOf(router)).use(router.allowedMethods(options) as Middleware)

  const lines = new Router({ prefix: '/lines/:line' })
  lines.get('/parts/:part', says)
  const tenants = new Router({ prefix: '/t/:tenant' })
  tenants.get('/', says)
  tenants.get('/orders/:order', says)
  tenants.use(lines.routes())
  withMethods(tenants)

  const deep = new Router()
  deep.get('/deep/:d', says)
  const arrays = new Router()
  arrays.use(['/left', '/right'], stops as never, deep.routes())
  arrays.get(['/lists/:l', '/catalogues/:c'], passes as never, says)
  app.use(routesOf(arrays))

  const names = new Router()
  names.all('/any/:a', says)
  names.get('name', '/named/:n', says)
  names.get('/to-named', (context) => context.redirect(names.url('name', { n: '1' }) as string))
  names.get('home', '/home', says)
  names.redirect('/old/path', 'home', 308)
  withMethods(names)
  const thrown = new Router()
  thrown.get('/thrown/:t', says)
  withMethods(thrown, { throw: true })
  const answered = new Router()
  answered.get('/answered/:a', says)
  app.use((context, next) =>
    next().catch((error: Error) => {
      if (error.message !== 'mine') throw error
      context.status = 405
      context.body = 'answered'
    }),
  )
  withMethods(answered, { throw: true, methodNotAllowed: () => new Error('mine') })

  const inner = new KoaOf()
  inner.silent = true
  const files = new Router()
  files.get('/files/:f', says)
  files.get('/throws', throws)
  inner.use(routesOf(files))
  inner.use((context, next) => (context.path === '/answers' ? says(context) : next()))
  const outside = new Router()
  // Middleware of a router is given what one of its routes matches.
  outside.all(`/outside/inside${everything}`, mount('/outside/inside', inner as never) as never)
  outside.get('/outside/after/:x', says)
  app.use(routesOf(outside))

  const composed = new Router({ prefix: '/composed' })
  composed.get('/throws', throws)
  composed.get('/:c', says)
  const composedDeep = new Router({ prefix: '/composed/deep' })
  composedDeep.get('/:d', says)
  const rescues: Middleware = (context, next) => next().catch(() => void (context.status = 503))
  const onlyComposed =
    (inside: Middleware): Middleware =>
    (context, next) =>
      context.path.startsWith('/composed/') ? inside(context, next) : next()
  app.use(
    onlyComposed(
      compose([stops as Middleware, rescues, compose([routesOf(composed), routesOf(composedDeep)])]) as Middleware,
    ),
  )
  const handlers = new Router()
  handlers.get('/composed-handlers/:c', compose([passes as Middleware, stops as Middleware]) as never, says)
  handlers.get('/passed/:first', passes as never)
  handlers.get('/passed/:second', says)
  handlers.param('h', (value, context, next) => {
    if (value === 'none') context.status = 404
    else if (value === 'fails') throw new Error('hook')
    else return next()
  })
  handlers.get('/hooked/:h', says)
  app.use(routesOf(handlers))
  return app
}

const versions: [name: string, koa: KoaClass, router: RouterModule, everything: string][] = [
  ['Koa 3.3 with @koa/router 15', Koa3, Router15, '/*rest'],
  ['Koa 3.3 with @koa/router 14', Koa3, Router14, '/*rest'],
  ['Koa 2.13.0 with @koa/router 13', Koa2Oldest, Router13, '/(.*)'],
  ['Koa 2.13.0 with @koa/router 12', Koa2Oldest, Router12, '/(.*)'],
]

for (const [name, koa, router, everything] of versions) {
  runRequestTable({
    name: `${name}, asked in an outsider's way,`,
    start: () => {
      const registry = new Registry()
      return listen(casesApp(koa, router, everything, registry), registry)
    },
    rows: rows.map(([request, counted, send], index): RequestRow => {
      const [method, path] = request.split(' ') as [string, string]
      const [route, code] = counted.split(' ') as [string, string]
      const labels = { route, code: Number(code), ...(method === 'LINK' && { method: '_OTHER' }) }
      return { name: `${index}: ${request} ${counted}`, send: { method, path, ...send }, counted: [labels] }
    }),
  })
}

describe.each([
  ['Koa 3.3', Koa3],
  ['Koa 2.13.0', Koa2Oldest],
])('with %s the option `route`', (_name, koa) => {
  it('names the routes of find-my-way by what its store has', async () => {
    const router = findMyWay()
    for (const path of ['/users/:id', '/files/*']) router.get(path, says as never, { path })
    router.get('/fails/:id', throws as never, { path: '/fails/:id' })
    const build = (app: Koa): void => {
      app.on('error', () => {})
      app.use((context, next) => {
        const found = router.find(context.method as 'GET', context.path)
        if (found === null) return next()
        context.state['route'] = (found.store as { path: string }).path
        return (found.handler as unknown as Middleware)(context, next)
      })
    }
    const { get, counted } = await serve(build, { route: ({ state }) => state['route'] as string }, koa)
    for (const path of ['/users/1', '/users/2', '/files/a/b', '/fails/1', '/nothing']) await get(path)
    expect(await counted()).toEqual([
      'GET /fails/:id 500 1',
      'GET /files/* 200 1',
      'GET /users/:id 200 2',
      'GET <unmatched> 404 1',
    ])
  })

  it('names the routes of koa-tree-router by what their first handler notes', async () => {
    const router = new TreeRouter()
    const named = (path: string) => (context: Context, next: Next) => {
      context.state['route'] = path
      return next()
    }
    for (const path of ['/users/:id', '/files/*rest']) router.get(path, named(path) as never, says as never)
    const build = (app: Koa): void => {
      app.use((context, next) => (context.get('x-stop') === '' ? next() : void (context.status = 403)))
      app.use(router.routes() as unknown as Middleware)
    }
    const { get, counted } = await serve(build, { route: ({ state }) => state['route'] as string }, koa)
    for (const path of ['/users/1', '/files/a/b', '/nothing']) await get(path)
    await get('/users/1', { headers: { 'x-stop': '1' } })
    expect(await counted()).toEqual([
      'GET /* 403 1',
      'GET /files/*rest 200 1',
      'GET /users/:id 200 1',
      'GET <unmatched> 404 1',
    ])
  })
})

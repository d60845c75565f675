import Router15 from '@koa/router'
import type Koa from 'koa'
import Koa3 from 'koa'
import Koa2Oldest from 'koa-2-oldest'
import mount from 'koa-mount'
import Router12 from 'koa-router-12'
import Router13 from 'koa-router-13'
import Router14 from 'koa-router-14'
import type { Middleware } from 'koa'
import { describe, expect, it } from 'vitest'
import { type KoaClass, type RouterModule } from './app.ts'
import { serve } from './serve.ts'

const versions: [name: string, koa: KoaClass, router: RouterModule, everything: string][] = [
  ['@koa/router 15', Koa3, Router15, '/*rest'],
  ['@koa/router 14', Koa3, Router14, '/*rest'],
  ['@koa/router 13', Koa2Oldest, Router13, '/(.*)'],
  ['@koa/router 12', Koa2Oldest, Router12, '/(.*)'],
]

for (const [name, koa, Router, everything] of versions) {
  const served = (build: (app: Koa) => void) => serve(build, {}, koa)

  describe(`With ${name} the route`, () => {
    it('is that of the handler that answered, whoever comes after it', async () => {
      const routes = new Router()
      routes.get('/users/:id', async (context, next) => {
        context.body = 'user'
        await next()
      })
      routes.all(everything, (_context, next) => next())
      const { get, counted } = await served((app) => app.use(routes.routes() as Middleware))
      await get('/users/7')
      expect(await counted()).toEqual(['GET /users/:id 200 1'])
    })

    it('is that of the last of several handlers that answered', async () => {
      const routes = new Router()
      routes.all(everything, async (context, next) => {
        context.body = 'nothing yet'
        await next()
      })
      routes.get('/users/:id', (context) => void (context.body = 'user'))
      const { get, counted } = await served((app) => app.use(routes.routes() as Middleware))
      await get('/users/7')
      expect(await counted()).toEqual(['GET /users/:id 200 1'])
    })

    it('is the catch-all where that has answered', async () => {
      const routes = new Router()
      routes.get('/users/:id', (_context, next) => next())
      routes.all(everything, (context) => void (context.body = 'caught'))
      const { get, counted } = await served((app) => app.use(routes.routes() as Middleware))
      await get('/users/7')
      expect(await counted()).toEqual([`GET ${everything} 200 1`])
    })

    it('is kept by a handler that finds nothing', async () => {
      const routes = new Router()
      routes.get('/users/:id', () => {})
      const { get, counted } = await served((app) => app.use(routes.routes() as Middleware))
      expect((await get('/users/7')).status).toBe(404)
      expect(await counted()).toEqual(['GET /users/:id 404 1'])
    })

    it('of a router with a prefix begins with the prefix, parameters included', async () => {
      const routes = new Router({ prefix: '/t/:tenant' })
      routes.get('/', (context) => void (context.body = 'tenant'))
      routes.get('/orders/:id', (context) => void (context.body = 'order'))
      const { get, counted } = await served((app) => app.use(routes.routes() as Middleware))
      await get('/t/acme')
      await get('/t/acme/orders/5')
      expect(await counted()).toEqual(['GET /t/:tenant 200 1', 'GET /t/:tenant/orders/:id 200 1'])
    })

    it('has no slash at its end', async () => {
      const routes = new Router()
      routes.get('/users/:id/', (context) => void (context.body = 'user'))
      routes.get('/', (context) => void (context.body = 'root'))
      const { get, counted } = await served((app) => app.use(routes.routes() as Middleware))
      await get('/users/7/')
      await get('/')
      expect(await counted()).toEqual(['GET / 200 1', 'GET /users/:id 200 1'])
    })

    it('of middleware of a router is what it is mounted at', async () => {
      const inner = new Router()
      inner.use((context) => void (context.status = 401))
      inner.get('/orders', (context) => void (context.body = 'orders'))
      const routes = new Router()
      routes.use('/secret', (context) => void (context.status = 403))
      routes.get('/secret/:id', (context) => void (context.body = 'secret'))
      routes.use('/api', inner.routes())
      const { get, counted } = await served((app) => app.use(routes.routes() as Middleware))
      await get('/secret/7')
      await get('/api/orders')
      expect(await counted()).toEqual(['GET /api/* 401 1', 'GET /secret/* 403 1'])
    })

    it('is that of a handler that throws, behind middleware of its router', async () => {
      const routes = new Router()
      routes.use((_context, next) => next())
      routes.get('/boom/:id', () => {
        throw new Error('boom')
      })
      const { get, counted } = await served((app) => app.use(routes.routes() as Middleware))
      await get('/boom/7')
      expect(await counted()).toEqual(['GET /boom/:id 500 1'])
    })

    it('begins with the mounts around its router', async () => {
      const routes = new Router()
      routes.get('/users/:id', (context) => void (context.body = 'user'))
      const { get, counted } = await served((app) => {
        app.use(mount('/other', (_context, next) => next()))
        app.use(mount('/shop', mount('/admin', routes.routes() as Middleware)))
        app.use(routes.routes() as Middleware)
      })
      await get('/shop/admin/users/7')
      await get('/other/users/7')
      await get('/users/7')
      await get('/shop/admin/nothing')
      expect(await counted()).toEqual([
        'GET /shop/admin/users/:id 200 1',
        'GET /users/:id 200 1',
        'GET <unmatched> 404 2',
      ])
    })
  })
}

// @koa/router 14 does not call such middleware.
for (const [name, koa, Router] of versions.filter(([, , Router]) => Router !== Router14)) {
  it(`With ${name} the route of middleware below a prefix with parameters has them`, async () => {
    const routes = new Router({ prefix: '/t/:tenant' })
    routes.use((context) => void (context.status = 401))
    routes.get('/orders', (context) => void (context.body = 'orders'))
    const { get, counted } = await serve((app) => app.use(routes.routes() as Middleware), {}, koa)
    await get('/t/acme/orders')
    expect(await counted()).toEqual(['GET /t/:tenant/* 401 1'])
  })
}

describe('The route', () => {
  it('forgets a mount that has passed the request on', async () => {
    const routes = new Router15()
    routes.get('/shop/:item', (context) => void (context.body = 'item'))
    const { get, counted } = await serve((app) => {
      app.use(mount('/shop', (_context, next) => next()))
      app.use(routes.routes())
    })
    await get('/shop/7')
    expect(await counted()).toEqual(['GET /shop/:item 200 1'])
  })

  it('of an application that writes to the response itself is that of its handler', async () => {
    const routes = new Router15()
    routes.get('/raw/:id', (context) => {
      context.respond = false
      context.res.writeHead(200).end('raw')
    })
    routes.get('/hijacked/:id', async (context, next) => {
      context.respond = false
      context.res.writeHead(200)
      await next()
      context.res.end('raw')
    })
    routes.all('/*rest', (_context, next) => next())
    const { get, counted } = await serve((app) => app.use(routes.routes()))
    await get('/raw/7')
    await get('/hijacked/7')
    expect(await counted()).toEqual(['GET /hijacked/:id 200 1', 'GET /raw/:id 200 1'])
  })

  it('of a request that a router had before the middleware is known too', async () => {
    const routes = new Router15()
    routes.get('/users/:id', (_context, next) => next())
    const { get, counted } = await serve(() => {})
    const late = await serve((app) => {
      const [own] = app.middleware.splice(0)
      app.use(routes.routes()).use(own as Middleware)
      app.use((context) => void (context.body = 'late'))
    })
    await late.get('/users/7')
    await late.get('/users/8')
    expect(await late.counted()).toEqual(['GET /users/:id 200 2'])
    await get('/users/7')
    expect(await counted()).toEqual(['GET <unmatched> 404 1'])
  })

  it('of middleware without a mount is `/*`, and nothing where it found nothing', async () => {
    const { get, counted } = await serve((app) =>
      app.use((context) => {
        if (context.path === '/hello') context.body = 'hello'
        else context.throw(404, 'not here')
      }),
    )
    await get('/hello')
    await get('/missing')
    expect(await counted()).toEqual(['GET /* 200 1', 'GET <unmatched> 404 1'])
  })

  it('is what an application reads from its context', async () => {
    const seen: unknown[] = []
    const routes = new Router15()
    routes.get('/users/:id', (context) => void (context.body = 'user'))
    const { get } = await serve((app) => {
      app.use(async (context, next) => {
        seen.push(context['_matchedRoute'], context['mountPath'])
        await next()
        seen.push(context['_matchedRoute'], context['mountPath'])
      })
      app.use(mount('/shop', routes.routes() as Middleware))
    })
    await get('/shop/users/7')
    expect(seen).toEqual([undefined, undefined, '/users/:id', '/shop'])
  })

  it('leaves a property alone that an application has given to its contexts', async () => {
    const seen: unknown[] = []
    const { get, counted } = await serve((app) => {
      app.context['mountPath'] = '/shop'
      app.use((context) => void (context.body = String(seen.push(context['mountPath']))))
    })
    await get('/any')
    await get('/any')
    expect(seen).toEqual(['/shop', '/shop'])
    expect(await counted()).toEqual(['GET /* 200 2'])
  })
})

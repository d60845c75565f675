// Koa with its router, and middleware that measures it.
import Router from '@koa/router'
import Koa from 'koa'

const middlewares = {
  bare: async () => [],
  narthex: async () => {
    const { prometheus } = await import('@narthex/koa')
    return [prometheus()]
  },
  // Not in the table.
  nothing: async () => [(_context, next) => next()],
  'two clock reads': async () => {
    const { begin } = await import('./least.mjs')
    return [
      (context, next) => {
        begin(context.req)
        return next()
      },
    ]
  },
  'prom-client by hand': async () => {
    const { begin } = await import('./by-hand.mjs')
    return [
      async (context, next) => {
        const end = begin()
        try {
          await next()
        } finally {
          end({ method: context.method, route: context._matchedRoute ?? '<unmatched>', code: context.status })
        }
      },
    ]
  },
}

export async function serve(variant, createServer) {
  const app = new Koa()
  for (const middleware of await middlewares[variant]()) app.use(middleware)
  const users = new Router()
  users.get('/orders/:order', (context) => void (context.body = context.params))
  const router = new Router()
  router.get('/', (context) => void (context.body = 'hello'))
  router.get('/users/:user', (context) => void (context.body = context.params))
  router.use('/users/:user', users.routes())
  app.use(router.routes())
  return createServer(app.callback())
}

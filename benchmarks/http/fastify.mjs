// Fastify, and plugins that measure it.
import Fastify from 'fastify'

const plugins = {
  bare: async () => {},
  narthex: async (app) => {
    const { prometheus } = await import('@narthex/fastify')
    await app.register(prometheus)
  },
  // Not in the table.
  nothing: async (app) => void app.addHook('onRequest', (_request, _reply, done) => done()),
  'two clock reads': async (app) => {
    const { begin } = await import('./least.mjs')
    app.addHook('onRequest', (request, _reply, done) => {
      begin(request.raw)
      done()
    })
  },
  // Of what matched nothing too, as the others; without the summary that it keeps by default, which costs more.
  'fastify-metrics': async (app) => {
    const { default: metrics } = await import('fastify-metrics')
    const routeMetrics = { registeredRoutesOnly: false, enabled: { histogram: true, summary: false } }
    await app.register(metrics.default ?? metrics, { defaultMetrics: { enabled: false }, routeMetrics })
  },
  '@promster/fastify': async (app) => {
    const { default: promster } = await import('@promster/fastify')
    const normalizePath = (_path, { req }) => req.routeOptions.url ?? '<unmatched>'
    await app.register(promster.plugin, { normalizePath })
  },
}

export async function serve(variant, createServer) {
  const app = Fastify({ serverFactory: (listener) => createServer(listener) })
  await plugins[variant](app)
  app.get('/', async () => 'hello')
  app.get('/users/:user', async (request) => request.params)
  await app.register(
    async (users) => {
      users.get('/orders/:order', async (request) => request.params)
    },
    { prefix: '/users/:user' },
  )
  await app.ready()
  return app.server
}

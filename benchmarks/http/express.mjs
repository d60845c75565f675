// Express, and middleware that measures it.
import express from 'express'

const middlewares = {
  bare: async () => [],
  narthex: async () => {
    const { prometheus } = await import('@narthex/express')
    return [prometheus()]
  },
  // Not in the table.
  nothing: async () => [(_request, _response, next) => next()],
  'two clock reads': async () => {
    const { begin } = await import('./least.mjs')
    return [
      (request, _response, next) => {
        begin(request)
        next()
      },
    ]
  },
  // Both peers with the three labels of the others, and with the route for a path as their documents advise: their
  // default takes every URL for a series of its own (promster) or guesses ids in it, which costs more.
  'express-prom-bundle': async () => {
    const { default: bundle } = await import('express-prom-bundle')
    return [bundle({ includeMethod: true, includePath: true, includeUp: false, normalizePath: routeOf })]
  },
  '@promster/express': async () => {
    const { default: promster } = await import('@promster/express')
    return [promster.createMiddleware({ options: { normalizePath: (_path, { req }) => routeOf(req) } })]
  },
}

export async function serve(variant, createServer) {
  const app = express()
  for (const middleware of await middlewares[variant]()) app.use(middleware)
  const users = express.Router({ mergeParams: true })
  users.get('/orders/:order', (request, response) => response.json(request.params))
  app.get('/', (_request, response) => response.send('hello'))
  app.get('/users/:user', (request, response) => response.json(request.params))
  app.use('/users/:user', users)
  return createServer(app)
}

function routeOf(request) {
  return request.route === undefined ? '<unmatched>' : request.baseUrl + request.route.path
}

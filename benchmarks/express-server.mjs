// An Express application, bare or instrumented: `node express-server.mjs <variant>`. Started by express.mjs, which asks
// over IPC for the CPU time used and the requests answered so far.
import http from 'node:http'
import express from 'express'

const variants = {
  bare: async () => [],
  narthex: async () => {
    const { prometheus } = await import('@narthex/express')
    return [prometheus()]
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

const app = express()
for (const middleware of await variants[process.argv[2]]()) app.use(middleware)
const users = express.Router({ mergeParams: true })
users.get('/orders/:order', (request, response) =>
  response.json({ user: request.params.user, order: request.params.order }),
)
app.get('/', (_request, response) => response.send('hello'))
app.get('/users/:user', (request, response) => response.json({ user: request.params.user }))
app.use('/users/:user', users)

let answered = 0
const server = http.createServer((request, response) => {
  answered += 1
  app(request, response)
})
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send({ answered, microseconds: user + system })
})

function routeOf(request) {
  return request.route === undefined ? '<unmatched>' : request.baseUrl + request.route.path
}

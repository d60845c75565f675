import type { ErrorRequestHandler, Express, RequestHandler } from 'express'
import { Registry } from '@narthex/core'
import { prometheus } from '@narthex/express'
import { runRequestTable } from '../../../test/http-requests/run.ts'
import type { RequestRow } from '../../../test/http-requests/table.ts'
import { type ExpressModule, listen } from './app.ts'
import { versions } from './supported.ts'

/** What only Express can do, or spells in its own way: the request, and the route and the code that are counted. */
type Row = readonly [request: string, route: string, code: number, headers?: RequestRow['send']['headers']]

const STAR = '/root/:rid/a/:aid/b/:bid/all/*'

const rowsOf = (isOld: boolean): Row[] => [
  ['GET /root/1/a/2/b/3/leaf', '/root/:rid/a/:aid/b/:bid/:leaf', 200],
  ['GET /root/a/a/a/b/b/b', '/root/:rid/a/:aid/b/:bid/:leaf', 200],
  ['DELETE /root/1/a/2/b/3/all/x/y', isOld ? STAR : `${STAR}rest`, 200],
  ['POST /root/1/a/2/b/3/x', '/root/:rid/a/:aid/b/:bid/*', 401, { 'x-stop': '1' }],
  ['GET /root/1/a/2', '<unmatched>', 404],
  ['GET /root/%zz/a/2/b/3/x', '<unmatched>', 400],
  ['PUT /book/3', '/book/:id', 200],
  ['OPTIONS /book/3', '/*', 200],
  ['DELETE /book/3', '<unmatched>', 404],
  ['PATCH /everything/3', '/everything/:any', 200],
  ['GET /arr/5', '/arr/:x', 200],
  ['GET /arrx/5', '/^\\/arrx\\/(\\d+)$/', 200],
  ['GET /deeper/3', '/deeper/:y', 200],
  ['GET /optional', isOld ? '/optional/:o?' : '/optional{/:o}', 200],
  ['GET /optional/3', isOld ? '/optional/:o?' : '/optional{/:o}', 200],
  ['GET /wild/a/b/end', isOld ? '/wild/*/end' : '/wild/*any/end', 200],
  ['GET /user/1', '/user/:uid', 200],
  ['GET /user/no', '/user/:uid', 403],
  ['GET /user/fails', '/user/:uid', 500],
  ['GET /user/next', '/:first/:second', 200],
  ['GET /fails/1/throws', '/fails/:z/throws', 500],
  ['GET /fails/1/own', '/fails/:z/own', 502],
  ['GET /answers/1/throws', '/answers/:z/throws', 503],
  ['GET /sub/1/x/2', '/sub/:s/x/:y', 200],
  ['GET /sub/1/throws', '/sub/:s/throws', 500],
  ['GET /sub/1/nothing', '/sub/:s/*', 404],
  ['GET /outer/inner/2/leaf/3', '/outer/inner/:i/leaf/:l', 200],
  ['GET /outer/inner/2/nothing', '<unmatched>', 404],
  ['GET /rx12/z', '/^\\/rx\\d+//z', 200],
  ['GET /passes-route', '/passes-route', 200],
  ['GET /passes-router/x', '/passes-router/:later', 200],
  ['GET /redirects', '/redirects', 302],
  ['GET /rewritten/5', '/target/:t', 200],
  ['GET /forwarded/5', '/target/:t', 200],
  ['GET /guarded/1/x', '/guarded/:k/*', 401, { 'x-stop': '1' }],
  ['GET /guarded/1/x', '/guarded/:k/x', 200],
  ['GET /no-file', '/no-file', 404],
  ['GET /', '/', 200],
  ['HEAD /', '/', 200],
]

const says: RequestHandler = (_request, response) => void response.send('ok')
const throws: RequestHandler = () => {
  throw new Error('thrown')
}
const stops: RequestHandler = (request, response, next) =>
  request.headers['x-stop'] === undefined ? next() : void response.sendStatus(401)

function routesApp(module: ExpressModule, isOld: boolean, registry: Registry): Express {
  const app = module()
  app.use(prometheus({ registry }))
  const leaves = module.Router({ mergeParams: true })
  leaves.use(stops)
  leaves.all(isOld ? '/all/*' : '/all/*rest', says)
  leaves.get('/:leaf', says)
  const branches = module.Router({ mergeParams: true }).use('/b/:bid', leaves)
  app.use('/root/:rid', module.Router({ mergeParams: true }).use('/a/:aid', branches))
  const passesOn: RequestHandler = (_request, _response, next) => next()
  app.route('/book/:id').all(passesOn).put(says)
  app.all('/everything/:any', says)
  app.get(['/arr/:x', /^\/arrx\/(\d+)$/, ['/deep', '/deeper/:y']] as string[], says)
  app.get(isOld ? '/optional/:o?' : '/optional{/:o}', says)
  app.get(isOld ? '/wild/*/end' : '/wild/*any/end', says)
  app.param('uid', (_request, response, next, value) => {
    if (value === 'no') response.sendStatus(403)
    else if (value === 'next') next('route')
    else next((value === 'fails' ? new Error('failed') : undefined) as never)
  })
  app.get('/user/:uid', says)

  const failing = module.Router()
  failing.get('/throws', throws)
  failing.get('/own', (_request, _response, next) => next(new Error('own')))
  const own: ErrorRequestHandler = (error, _request, response, next) =>
    (error as Error).message === 'own' ? void response.sendStatus(502) : next(error)
  failing.use(own)
  const answers: ErrorRequestHandler = (_error, _request, response, _next) => void response.sendStatus(503)
  app.use('/fails/:z', failing)
  app.use('/answers/:z', failing, answers)

  const sub = module()
  sub.get('/x/:y', says)
  sub.get('/throws', throws)
  sub.use((_request, response) => void response.sendStatus(404))
  app.use('/sub/:s', sub)
  app.use('/outer', module().use('/inner/:i', module().get('/leaf/:l', says)))
  app.use(/^\/rx\d+/, module.Router().get('/z', says))

  app.get('/passes-route', (_request, _response, next) => next('route'), throws)
  app.get('/passes-route', says)
  app.use(
    '/passes-router',
    module.Router().use((_request, _response, next) => next('router'), throws),
  )
  app.get('/passes-router/:later', says)
  app.get('/redirects', (_request, response) => response.redirect('/'))
  app.use((request, _response, next) => {
    request.url = request.url.replace('/rewritten/', '/target/')
    next()
  })
  app.get('/target/:t', says)
  app.get('/forwarded/:f', (request, response) => {
    request.url = '/target/5'
    ;(app as unknown as { handle: RequestHandler }).handle(request, response, () => {})
  })
  app.use('/guarded/:k', stops)
  app.get('/guarded/:k/x', says)
  app.get('/no-file', (_request, response) => response.sendFile('/no/such/file'))
  app.get('/:first/:second', (request, response, next) =>
    (request.params['first'] === 'user' ? says : passesOn)(request, response, next),
  )
  app.get('/', says)
  const fails: ErrorRequestHandler = (error, _request, response, _next) =>
    void response.sendStatus((error as { status?: number }).status ?? 500)
  app.use(fails)
  return app
}

for (const [name, module, isOld] of versions) {
  runRequestTable({
    name: `${name}, with routes of its own kinds,`,
    start: () => {
      const registry = new Registry()
      return listen(routesApp(module as ExpressModule, isOld, registry), registry)
    },
    rows: rowsOf(isOld).map(([request, route, code, headers]): RequestRow => {
      const [method, path] = request.split(' ') as [string, string]
      return {
        name: `${request} ${code}`,
        send: { method, path, ...(headers && { headers }) },
        counted: [{ route, code }],
      }
    }),
  })
}

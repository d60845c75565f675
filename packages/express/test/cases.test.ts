import { fileURLToPath } from 'node:url'
import { Registry } from '@narthex/core'
import { prometheus } from '@narthex/express'
import type { ErrorRequestHandler, Express, RequestHandler } from 'express'
import { runRequestTable } from '../../../test/http-requests/run.ts'
import type { RequestRow, Send } from '../../../test/http-requests/table.ts'
import { type ExpressModule, listen } from './app.ts'
import { versions } from './supported.ts'

/** The request, and the route and the code that are counted. */
type Row = readonly [request: string, counted: string, send?: Partial<Send>]

const FILE = fileURLToPath(new URL('static/hello.txt', import.meta.url))
const since = { 'if-modified-since': new Date(4e12).toUTCString() }

const rows: Row[] = [
  // Several routers and middlewares in one mount, in arrays within arrays.
  ['GET /many/first/1', '/many/first/:f 200'],
  ['GET /many/second/1', '/many/second/:s 200'],
  ['GET /many/third/1', '/many/third/:t 200'],
  ['GET /many/nothing', '<unmatched> 404'],
  ['GET /many/second/1', '/many/* 401', { headers: { 'x-stop': '1' } }],
  ['GET /one/first/1', '/one/first/:f 200'],
  ['GET /:odd/first/1', '/:mount/first/:f 200'],
  ['GET /handlers/1', '/handlers/:h 200'],
  ['GET /handlers/1', '/handlers/:h 401', { headers: { 'x-stop': '1' } }],
  // Hooks for parameters.
  ['GET /user/ada/posts/1', '/user/:name/posts/:post 200'],
  // The hook of a mount answers for the router that it stands in.
  ['GET /user/none/posts/1', '/user/* 404'],
  ['GET /user/ada/posts/none', '/user/:name/posts/:post 410'],
  ['GET /user/ada/posts/fails', '/user/:name/posts/:post 500'],
  ['GET /user/ada/posts/other', '/user/:name/posts/other 200'],
  // Every method of a route.
  ['GET /document/1', '/document/:d 200'],
  ['HEAD /document/1', '/document/:d 200'],
  ['PATCH /document/1', '/document/:d 405'],
  ['PROPFIND /document/1', '/document/:d 405'],
  ['OPTIONS /document/1', '/document/:d 405'],
  ['GET /document/1', '/document/:d 403', { headers: { 'x-stop': '1' } }],
  // Parameters of mounts, merged and not.
  ['GET /merged/1/inner/2/leaf/3', '/merged/:a/inner/:b/leaf/:c 200'],
  ['GET /apart/1/inner/2/leaf/3', '/apart/:a/inner/:b/leaf/:c 200'],
  ['GET /merged/1/inner/1/leaf/1', '/merged/:a/inner/:b/leaf/:c 200'],
  ['HEAD /merged/1/inner/2/leaf/3', '/merged/:a/inner/:b/leaf/:c 200'],
  // Mounts at expressions.
  ['GET /number-12/x', '/^\\/number-(\\d+)//x 200'],
  ['GET /number-12/y/1', '/^\\/number-(\\d+)//y/:y 200'],
  ['GET /number-12/z', '/^\\/number-(\\d+)//* 409'],
  ['GET /number-x/x', '<unmatched> 404'],
  // Files.
  ['GET /sent', '/sent 200'],
  ['GET /sent', '/sent 304', { headers: since }],
  ['GET /sent', '/sent 206', { headers: { range: 'bytes=0-1' } }],
  ['GET /sent', '/sent 416', { headers: { range: 'bytes=999-' } }],
  ['HEAD /sent', '/sent 200'],
  ['GET /sent/missing', '/sent/missing 404'],
  ['GET /sent/caught', '/sent/caught 204'],
  ['GET /downloaded', '/downloaded 200'],
  ['GET /files/hello.txt', '/files/* 200'],
  ['GET /files/hello.txt', '/files/* 304', { headers: since }],
  ['GET /files/hello.txt', '/files/* 206', { headers: { range: 'bytes=1-2' } }],
  ['GET /files/hello.txt', '/files/* 416', { headers: { range: 'bytes=999-' } }],
  ['HEAD /files/hello.txt', '/files/* 200'],
  ['GET /files', '/files/* 301'],
  ['GET /files/..%2fhello.txt', '<unmatched> 404'],
  ['GET /files/other.txt', '<unmatched> 404'],
  ['POST /files/hello.txt', '<unmatched> 404'],
  ['GET /shelf/7/hello.txt', '/shelf/:s/* 200'],
  ['GET /strict-files/other.txt', '/strict-files/* 404'],
  // Who passes on.
  ['GET /next/route', '/next/:which 200'],
  ['GET /next/router', '/next/:after 202'],
  ['GET /next/handler', '/next/:which 203'],
  ['GET /next/error', '/next/:which 500'],
  ['GET /next/nothing', '/next/:after 202'],
  ['GET /last/router', '<unmatched> 404'],
  // Errors, and who answers them.
  ['GET /fails/rejects', '/fails/:how 500'],
  ['GET /fails/later', '/fails/:how 500'],
  ['GET /fails/teapot', '/fails/:how 418'],
  ['GET /fails/falsy', '/fails/:how 500'],
  ['GET /fails/middleware', '/fails/middleware/* 500'],
  ['GET /fails/sent', '/fails/:how 499', { leave: 'in the answer' }],
  ['POST /parsed', '/parsed 400', { headers: { 'content-type': 'application/json' }, body: '{' }],
  ['GET /caught/in/router', '/caught/:c/router 502'],
  ['GET /caught/in/nothing', '<unmatched> 404'],
  ['GET /rescued/1', '/rescued/* 200'],
  // Applications in applications.
  ['GET /app/1/users/2', '/app/:a/users/:u 200'],
  ['HEAD /app/1/users/2', '/app/:a/users/:u 200'],
  ['GET /app/1/fails', '/app/:a/fails 500'],
  ['GET /app/1/own', '/app/:a/own 503'],
  ['GET /app/1/nothing', '<unmatched> 404'],
  ['GET /app/1/deep/er/3', '/app/:a/deep/er/:d 200'],
  ['GET /app/1/static/hello.txt', '/app/:a/static/* 200'],
]

const says: RequestHandler = (_request, response) => void response.send('ok')
const passes: RequestHandler = (_request, _response, next) => next()
const answers =
  (code: number): RequestHandler =>
  (_request, response) =>
    void response.status(code).send('ok')
const stops =
  (code: number): RequestHandler =>
  (request, response, next) =>
    request.headers['x-stop'] === undefined ? next() : void response.sendStatus(code)
const fails =
  (message: string, status?: number): RequestHandler =>
  () => {
    throw Object.assign(new Error(message), { status })
  }

/** Express 5 waits for it itself. */
function later(isOld: boolean, handler: () => Promise<unknown>): RequestHandler {
  return (_request, _response, next) =>
    isOld ? void handler().then(undefined, (error) => setImmediate(next, error)) : (handler() as never)
}

function casesApp(module: ExpressModule, isOld: boolean, registry: Registry): Express {
  const app = module()
  const router = (options?: object) => module.Router(options)
  app.use(prometheus({ registry }))

  const first = router().get('/first/:f', says)
  const second = router().get('/second/:s', says)
  const third = router().get('/third/:t', says)
  app.use('/many', [stops(401), [first, passes]] as RequestHandler[], [second] as RequestHandler[], third)
  app.use(['/one', '/two'], [passes, first] as RequestHandler[])
  app.get('/handlers/:h', [passes, [stops(401)]] as RequestHandler[], says)

  const posts = router({ mergeParams: true })
  posts.param('post', (_request, response, next, post) => {
    if (post === 'none') response.sendStatus(410)
    else if (post === 'other') next('route')
    else setTimeout(next, 1, ...(post === 'fails' ? [new Error('no post')] : []))
  })
  posts.get('/posts/:post', says)
  posts.get('/posts/other', says)
  const users = router()
  users.param('name', (_request, response, next, name) => (name === 'none' ? void response.sendStatus(404) : next()))
  users.use('/:name', posts)
  app.use('/user', users)

  app.route('/document/:d').all(stops(403)).get(says).all(answers(405))

  for (const mergeParams of [true, false]) {
    const leaf = router({ mergeParams }).get('/leaf/:c', says)
    const inner = router({ mergeParams }).use('/inner/:b', leaf)
    app.use(mergeParams ? '/merged/:a' : '/apart/:a', passes, inner)
  }
  const numbers = router().get('/x', says).get('/y/:y', says)
  app.use(/^\/number-(\d+)/, numbers, answers(409))

  app.get('/sent', (_request, response) => response.sendFile(FILE))
  app.get('/sent/missing', (_request, response) => response.sendFile(`${FILE}.missing`))
  app.get('/sent/caught', (_request, response) => {
    response.sendFile(`${FILE}.missing`, () => void response.sendStatus(204))
  })
  app.get('/downloaded', (_request, response) => response.download(FILE))
  const folder = fileURLToPath(new URL('static', import.meta.url))
  app.use('/files', module.static(folder))
  app.use('/shelf/:s', module.static(folder))
  app.use('/strict-files', module.static(folder, { fallthrough: false }))

  const next = router()
  next.get(
    '/:which',
    (request, _response, go) => {
      const { which } = request.params
      if (which === 'nothing' || which === 'router') go('router')
      else if (which === 'error') go(new Error('passed on'))
      else go(which === 'route' ? 'route' : undefined)
    },
    answers(203),
  )
  next.get('/:which', says)
  app.use('/next', next)
  app.get('/next/:after', answers(202))
  app.get('/last/router', (_request, _response, go) => go('router'), says)

  app.use('/fails/middleware', fails('middleware'))
  app.get('/fails/:how', (request, response, go) => {
    const { how } = request.params
    if (how === 'rejects') return later(isOld, () => Promise.reject(new Error(how)))(request, response, go)
    if (how === 'later') setTimeout(go, 1, new Error(how))
    if (how === 'teapot') fails(how, 418)(request, response, go)
    if (how === 'falsy')
      return later(isOld, () => Promise.reject(isOld ? new Error('falsy') : undefined))(request, response, go)
    if (how === 'sent') {
      response.write('begun')
      setTimeout(go, 5, new Error(how))
    }
  })
  app.post('/parsed', module.json(), says)
  const caught = router()
  caught.get('/router', fails('caught'))
  const catches: ErrorRequestHandler = (_error, _request, response, _next) => void response.sendStatus(502)
  app.use('/caught/:c', caught, catches)
  app.use('/rescued', fails('rescued'))
  const rescues: ErrorRequestHandler = (error, _request, _response, go) =>
    go((error as Error).message === 'rescued' ? undefined : error)
  app.use(rescues)
  app.use('/rescued', says)

  const inner = module()
  inner.get('/users/:u', says)
  inner.get('/fails', fails('inner'))
  inner.get('/own', fails('own'))
  const own: ErrorRequestHandler = (error, _request, response, go) =>
    (error as Error).message === 'own' ? void response.sendStatus(503) : go(error)
  inner.use(own)
  inner.use('/static', module.static(folder))
  const deep = module()
  deep.use('/er', router().get('/:d', says))
  inner.use('/deep', deep)
  app.use('/app/:a', inner)
  app.use('/:mount', first)

  const last: ErrorRequestHandler = (error, _request, response, go) => {
    if (response.headersSent) go(error)
    else response.status((error as { status?: number } | undefined)?.status ?? 500).send('failed')
  }
  app.use(last)
  return app
}

for (const [name, module, isOld] of versions) {
  runRequestTable({
    name: `${name}, asked in an outsider's way,`,
    start: () => {
      const registry = new Registry()
      return listen(casesApp(module as ExpressModule, isOld, registry), registry)
    },
    rows: rows.map(([request, counted, send], index): RequestRow => {
      const [method, path] = request.split(' ') as [string, string]
      const [route, code] = counted.split(' ') as [string, string]
      const labels = { route, code: Number(code), ...(method === 'PROPFIND' && { method: '_OTHER' }) }
      return { name: `${index}: ${request} ${counted}`, send: { method, path, ...send }, counted: [labels] }
    }),
  })
}

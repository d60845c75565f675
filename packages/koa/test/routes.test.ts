import { Readable } from 'node:stream'
import Router15 from '@koa/router'
import { Registry } from '@narthex/core'
import { prometheus } from '@narthex/koa'
import Koa3 from 'koa'
import Koa2Oldest from 'koa-2-oldest'
import mount from 'koa-mount'
import Router12 from 'koa-router-12'
import Router13 from 'koa-router-13'
import Router14 from 'koa-router-14'
import type Koa from 'koa'
import type { Context, Middleware, Next } from 'koa'
import { runRequestTable } from '../../../test/http-requests/run.ts'
import type { RequestRow } from '../../../test/http-requests/table.ts'
import { type KoaClass, listen, type RouterModule } from './app.ts'

/** What only Koa can do, or spells in its own way: the request, and the route and the code that are counted. */
type Row = readonly [request: string, route: string, code: number, headers?: RequestRow['send']['headers']]

const LEAF = '/root/:rid/a/:aid/b/:bid/:leaf'

const rowsOf = (isOld: boolean): Row[] => [
  ['GET /root/1/a/2/b/3/leaf', LEAF, 200],
  ['GET /root/a/a/a/b/b/b', LEAF, 200],
  ['POST /root/1/a/2/b/3/all', '/root/:rid/a/:aid/b/:bid/all', 200],
  ['GET /root/1/a/2/b/3/leaf', '/root/:rid/a/:aid/b/:bid/*', 401, { 'x-stop': '1' }],
  ['GET /root/1/a/2', '<unmatched>', 404],
  ['GET /late/prefixed/5', '/late/prefixed/:p', 200],
  ['GET /two/first/1', '/two/first/:f', 200],
  ['GET /two/second/1', '/two/second/:s', 200],
  ['DELETE /two/second/1', '<unmatched>', 405],
  ['OPTIONS /two/second/1', '/*', 200],
  ['GET /strict/1', '/strict/:id', 200],
  ['DELETE /strict/1', '<unmatched>', 405],
  ['GET /arr/5', '/arr/:x', 200],
  ['GET /array', '/array', 200],
  ['GET /arrx/5', '/^\\/arrx\\/(\\d+)$/', 200],
  ['PUT /arrx/5', '/^\\/arrx\\/(\\d+)$/', 200],
  ['GET /optional', isOld ? '/optional/:o?' : '/optional{/:o}', 200],
  ['GET /optional/3', isOld ? '/optional/:o?' : '/optional{/:o}', 200],
  ['GET /wild/a/b/end', isOld ? '/wild/(.*)/end' : '/wild/*any/end', 200],
  ['PATCH /everything/3', '/everything/:any', 200],
  ['PROPFIND /registered/3', '/registered/:r', 200],
  ['GET /old', '/old', 301],
  ['GET /redirects', '/redirects', 302],
  ['GET /chain/1', '/chain/:c', 200],
  ['GET /chain/1', '/chain/:c', 403, { 'x-stop': '1' }],
  ['GET /throws/plain', '/throws/:how', 500],
  ['GET /throws/status', '/throws/:how', 409],
  ['GET /throws/assert', '/throws/:how', 422],
  ['GET /throws/after', '/throws/:how', 500],
  ['GET /throws/string', '/throws/:how', 500],
  ['GET /throws/not-found', '/throws/:how', 404],
  ['HEAD /throws/status', '/throws/:how', 409],
  ['GET /empty', '/empty', 204],
  ['GET /nothing-found/1', '/nothing-found/:n', 404],
  ['GET /json', '/json', 200],
  ['HEAD /json', '/json', 200],
  ['GET /piped', '/piped', 200],
  ['HEAD /piped', '/piped', 200],
  // Koa has set that status, and nobody another one.
  ['GET /own/5', '/own/:o', 404],
  ['GET /own-late/5', '/own-late/:o', 202],
  ['GET /app/users/5', '/app/users/:id', 200],
  ['GET /app/throws', '/app/throws', 500],
  ['GET /app/nothing', '<unmatched>', 404],
  ['GET /app/deep/er/6', '/app/deep/er/:e', 200],
  ['GET /app/answers', '/app/*', 200],
  ['GET /rewritten/5', '/target/:t', 200],
  ['GET /called/5', '/called/:c', 200],
  ['GET /hosted/5', '/hosted/:h', 200, { host: 'a.example.com' }],
  ['GET /hosted/5', '<unmatched>', 404],
  ['GET /caught/5', '/caught/:c', 502],
  // Middleware at the path of a route is called as that is.
  ['GET /parameter/5', '/parameter/:p', 401, { 'x-stop': '1' }],
  ['GET /parameter/5', '/parameter/:p', 200],
  ['GET /specific/5', '/specific/:s', 200],
  ['GET /pages/5', '/pages/:page', 404],
  ['GET /', '/', 200],
  ['HEAD /', '/', 200],
]

/** @koa/router 14 passes such middleware by. */
const NOT_CALLED = {
  'GET /root/1/a/2/b/3/leaf 401': [{ route: LEAF, code: 200 }],
  'GET /parameter/5 401': [{ route: '/parameter/:p', code: 200 }],
}

const says = (context: Context): void => void (context.body = 'ok')
const stops = (context: Context, next: Next): unknown =>
  context.get('x-stop') === '' ? next() : void (context.status = 401)

function routesApp(KoaOf: KoaClass, Router: RouterModule, isOld: boolean, registry: Registry): Koa {
  const app = new KoaOf()
  app.silent = true
  app.on('error', () => {})
  app.use(prometheus({ registry }))
  const use = (router: { routes(): unknown }): Koa => app.use(router.routes() as Middleware)
  app.use((context, next) => {
    context.path = context.path.replace('/rewritten/', '/target/')
    return next()
  })

  const leaves = new Router()
  leaves.use(stops as never)
  leaves.all('/all', says)
  leaves.get('/:leaf', says)
  const branches = new Router({ prefix: '/a/:aid' })
  branches.use('/b/:bid', leaves.routes())
  const root = new Router({ prefix: '/root/:rid' })
  use(root.use(branches.routes()))

  const late = new Router()
  late.get('/:p', says)
  use(late.prefix('/late/prefixed'))

  for (const [name, key] of [
    ['first', ':f'],
    ['second', ':s'],
  ]) {
    const router = new Router({ prefix: `/two/${name}` })
    router.get(`/${key}`, says)
    use(router).use(router.allowedMethods() as Middleware)
  }
  const strict = new Router({ prefix: '/strict' })
  strict.get('/:id', says)
  use(strict).use(strict.allowedMethods({ throw: true }) as Middleware)

  const router = new Router()
  router.get(['/arr/:x', '/array'], says)
  router.get(/^\/arrx\/(\d+)$/, says)
  router.put(/^\/arrx\/(\d+)$/, says)
  router.get(isOld ? '/optional/:o?' : '/optional{/:o}', says)
  router.get(isOld ? '/wild/(.*)/end' : '/wild/*any/end', says)
  router.all('/everything/:any', says)
  router.register('/registered/:r', ['PROPFIND', 'GET'], [says as never])
  router.redirect('/old', '/json', 301)
  router.get('/redirects', (context) => context.redirect('/json'))
  router.get(
    '/chain/:c',
    (context, next) => (context.get('x-stop') === '' ? next() : void (context.status = 403)),
    says,
  )
  router.get('/throws/:how', (context) => throwHow(context, context['params'].how as string))
  router.get('/empty', (context) => void (context.body = null))
  router.get('/nothing-found/:n', () => {})
  router.get('json', '/json', (context) => void (context.body = { a: 1 }))
  router.get('/piped', (context) => void (context.body = Readable.from(['a', 'b'])))
  router.get('/own/:o', (context) => {
    context.respond = false
    context.res.end('raw')
  })
  router.get('/own-late/:o', (context) => {
    context.respond = false
    setTimeout(() => context.res.writeHead(202).end('raw'), 5)
  })
  router.get('/target/:t', says)
  router.get('/', says)
  app.use((context, next) => (router.routes() as unknown as Middleware)(context as never, next))

  const inner = new KoaOf()
  inner.silent = true
  const users = new Router()
  users.get('/users/:id', says)
  users.get('/throws', () => {
    throw new Error('thrown')
  })
  const deep = new Router({ prefix: '/er' })
  deep.get('/:e', says)
  inner.use(users.routes() as Middleware)
  inner.use(mount('/deep', deep.routes() as Middleware))
  inner.use((context, next) => (context.path === '/answers' ? says(context) : next()))
  app.use(mount('/app', inner as never))

  const hosted = new Router({ host: 'a.example.com' })
  hosted.get('/hosted/:h', says)
  use(hosted)
  const caught = new Router()
  caught.use('/caught', (context, next) => next().catch(() => void (context.status = 502)))
  caught.get('/caught/:c', () => {
    throw new Error('thrown')
  })
  caught.use('/parameter/:p', stops as never)
  caught.get('/parameter/:p', says)
  use(caught)
  const exclusive = new Router({ exclusive: true })
  exclusive.get('/:any/:more', says)
  exclusive.get('/specific/:s', says)
  app.use((context, next) =>
    context.path.startsWith('/specific/')
      ? (exclusive.routes() as unknown as Middleware)(context as never, next)
      : next(),
  )
  const pages = new Router()
  pages.get('/pages/:page', (context) => {
    context.status = 404
    context.body = 'no such page'
  })
  use(pages)

  const called = new Router()
  called.get('/called/:c', says)
  const dispatch = called.routes() as Middleware
  app.use(async (context, next) => {
    await dispatch(context as never, async () => {})
    if (context.body === undefined) await next()
  })
  app.use((context) => {
    if (context.status === 404 && context.body === undefined && context['_matchedRoute'] === undefined) {
      context.status = 404
      context.body = 'nothing here'
    }
  })
  return app
}

function throwHow(context: Context, how: string): void {
  if (how === 'status') context.throw(409, 'conflict')
  if (how === 'assert') context.assert(false, 422)
  if (how === 'not-found') context.throw(404)
  if (how === 'after') context.body = 'answered'
  // eslint-disable-next-line no-throw-literal
  if (how === 'string') throw 'a string'
  throw new Error('thrown')
}

const versions: [name: string, koa: KoaClass, router: RouterModule, isOld: boolean][] = [
  ['Koa 3.3 with @koa/router 15', Koa3, Router15, false],
  ['Koa 3.3 with @koa/router 14', Koa3, Router14, false],
  ['Koa 2.13.0 with @koa/router 13', Koa2Oldest, Router13, true],
  ['Koa 2.13.0 with @koa/router 12', Koa2Oldest, Router12, true],
]

for (const [name, koa, router, isOld] of versions) {
  runRequestTable({
    name: `${name}, with routes of its own kinds,`,
    start: () => {
      const registry = new Registry()
      return listen(routesApp(koa, router, isOld, registry), registry)
    },
    differs: router === Router14 ? NOT_CALLED : {},
    rows: rowsOf(isOld).map(([request, route, code, headers]): RequestRow => {
      const [method, path] = request.split(' ') as [string, string]
      return {
        name: `${request} ${code}`,
        send: { method, path, ...(headers && { headers }) },
        counted: [{ route, code, ...(method === 'PROPFIND' && { method: '_OTHER' }) }],
      }
    }),
  })
}

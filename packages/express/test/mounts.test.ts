import type { AddressInfo } from 'node:net'
import { createServer } from 'node:http'
import { Registry } from '@narthex/core'
import { prometheus } from '@narthex/express'
import express from 'express'
import express4 from 'express-4'
import express4Oldest from 'express-4-oldest'
import { describe, expect, it } from 'vitest'
import { countsOf } from '../../../test/http-requests/run.ts'
import type { ExpressModule } from './app.ts'

type Path = string | RegExp | (string | RegExp)[]
type Row = [mount: Path, request: string, template: string]

/** A route at `/x` of a router at the mount. */
const everywhere: Row[] = [
  ['/', '/x', '/x'],
  ['/a', '/a/x', '/a/x'],
  ['/a/', '/A/x', '/a/x'],
  ['/a.b', '/a.b/x', '/a.b/x'],
  ['/:one', '/1/x', '/:one/x'],
  ['/:one/two/:three', '/1/two/3/x', '/:one/two/:three/x'],
  ['/v:version', '/v12/x', '/v:version/x'],
  ['/:from-:to', '/a-b/x', '/:from-:to/x'],
  [['/de', '/fr/:region'], '/fr/1/x', '/fr/:region/x'],
  [['/de', '/fr/:region'], '/de/x', '/de/x'],
  [/^\/r\d+/, '/r7/x', '/^\\/r\\d+//x'],
]

const inExpress4: Row[] = [
  ['/:one?/two', '/two/x', '/:one?/two/x'],
  ['/:id(\\d+)', '/7/x', '/:id(\\d+)/x'],
  ['/:id([a-z]{2,3})', '/abc/x', '/:id([a-z]{2,3})/x'],
  ['/files/*', '/files/a/b', '/files/*'],
  ['/:path*/end', '/a/b/end/x', '/:path*/end/x'],
  ['*', '/x', '*'],
  ['/(\\d+)/c', '/7/c/x', '/(\\d+)/c/x'],
  ['/a/:b.:c', '/a/1.2/x', '/a/:b.:c/x'],
  [['/s/:id(\\d+)', '/t/:name'], '/t/a/x', '/t/:name/x'],
  [['/s/:id(\\d+)', '/t/:name'], '/s/1/x', '/s/:id(\\d+)/x'],
  [['/de/:city', /^\/f([rs]|u)|^\/g/, '/a/:name'], '/de/1/x', '/de/:city/x'],
  [['/de/:city', /^\/f([rs]|u)|^\/g/, '/a/:name'], '/fu/x', '/^\\/f([rs]|u)|^\\/g//x'],
  [['/de/:city', /^\/f([rs]|u)|^\/g/, '/a/:name'], '/a/1/x', '/a/:name/x'],
  [[/^\/f[rs]/, '/de/:city'], '/de/1/x', '/de/:city/x'],
  [/(?:^\/f[rs]|^\/g)/, '/g/x', '/(?:^\\/f[rs]|^\\/g)//x'],
]

const inExpress5: Row[] = [
  ['/a{/:b}', '/a/1/x', '/a{/:b}/x'],
  [['/de', /^\/f[rs]/], '/fs/x', '/^\\/f[rs]//x'],
  ['/files/*path', '/files/a/b', '/files/*path'],
]

describe.each([
  ['Express 5', express, inExpress5],
  ['Express 4.22', express4, inExpress4],
  ['Express 4.17', express4Oldest, inExpress4],
])('a mount of %s', (_name, module, own) => {
  it.each([...everywhere, ...own] as Row[])('at %s answers %s as %s', async (mount, path, template) => {
    const module_ = module as unknown as ExpressModule
    const registry = new Registry()
    const app = module_()
    app.use(prometheus({ registry }))
    const router = module_.Router()
    // What a greedy mount has taken leaves the root to the router.
    router.get('/x', (_request, response) => void response.end()).get('/', (_request, response) => void response.end())
    app.use(mount, router)
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { status } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeIdleConnections()
    })
    expect([status, ...(await countsOf(registry)).keys()]).toEqual([200, `GET ${template} 200`])
  })
})

describe('a middleware below a mount', () => {
  it('knows its mount for requests that were held back while others came', async () => {
    const registry = new Registry()
    const app = express()
    app.use((_request, _response, next) => void setTimeout(next, 20))
    const api = express.Router()
    api.use((_request, _response, next) => void setTimeout(next, 20))
    api.use(prometheus({ registry }))
    api.get('/users/:id', (_request, response) => void setTimeout(() => response.end(), 20))
    app.use('/api/:tenant', api)
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await Promise.all(Array.from({ length: 10 }, (_, index) => fetch(`${url}/api/t${index}/users/${index}`)))
    server.close()
    server.closeAllConnections()
    expect([...(await countsOf(registry))]).toEqual([['GET /api/:tenant/users/:id 200', 10]])
  })

  it.each([
    ['Express 5', express],
    ['Express 4.22', express4],
    ['Express 4.17', express4Oldest],
  ])('of %s knows what it is mounted at', async (_name, module) => {
    const module_ = module as unknown as ExpressModule
    const registry = new Registry()
    const app = module_()
    const api = module_.Router()
    api.use(prometheus({ registry }))
    api.get('/users/:id', (_request, response) => void response.end())
    app.use('/api/:tenant', api)
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await fetch(`${url}/api/acme/users/7`)
    expect((await fetch(`${url}/api/acme/metrics`)).status).toBe(200)
    server.close()
    server.closeAllConnections()
    expect([...(await countsOf(registry)).keys()]).toEqual(['GET /api/:tenant/users/:id 200'])
  })
})

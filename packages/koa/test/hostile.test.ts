import Router15 from '@koa/router'
import Koa3 from 'koa'
import Koa2Oldest from 'koa-2-oldest'
import Router12 from 'koa-router-12'
import { runHostileClients } from '../../../test/http-requests/hostile.ts'
import { type KoaClass, listen, type RouterModule, tableApp } from './app.ts'

const versions: [name: string, koa: KoaClass, router: RouterModule, wildcard: string][] = [
  ['Koa 3.3', Koa3, Router15, '/files/*path'],
  ['Koa 2.13.0', Koa2Oldest, Router12, '/files/(.*)'],
]

for (const [name, koa, router, wildcard] of versions) {
  runHostileClients({
    name,
    start: (options) => listen(tableApp(koa, router, options, wildcard), options.registry),
    routes: [wildcard],
    http2: true,
  })
}

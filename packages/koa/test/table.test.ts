import Router15 from '@koa/router'
import Koa3 from 'koa'
import Koa2 from 'koa-2'
import Koa2Oldest from 'koa-2-oldest'
import Router12 from 'koa-router-12'
import Router13 from 'koa-router-13'
import Router14 from 'koa-router-14'
import { runRequestTable, type TableSubject } from '../../../test/http-requests/run.ts'
import { type KoaClass, type RouterModule, startTableApp } from './app.ts'

const versions: [name: string, koa: KoaClass, router: RouterModule, wildcard: string][] = [
  ['Koa 3.3 with @koa/router 15', Koa3, Router15, '/files/*path'],
  ['Koa 3.3 with @koa/router 14', Koa3, Router14, '/files/*path'],
  ['Koa 2.16.3 with @koa/router 15', Koa2, Router15, '/files/*path'],
  ['Koa 2.16.3 with @koa/router 13', Koa2, Router13, '/files/(.*)'],
  ['Koa 2.13.0 with @koa/router 12', Koa2Oldest, Router12, '/files/(.*)'],
]

for (const [name, koa, router, wildcard] of versions) {
  runRequestTable({
    name,
    start: () => startTableApp(koa, router, wildcard),
    // Koa 2 leaves it without an answer.
    cannot: koa === Koa3 ? [] : ['HEAD of HTTP/2'],
    differs: {
      'a wildcard': [{ route: wildcard, code: 200 }],
      // What `allowedMethods` of @koa/router answers.
      'a method that the route has not': [{ route: '<unmatched>', code: 405 }],
      QUERY: [{ route: '<unmatched>', code: 501 }],
      'a method that OpenTelemetry does not list': [{ route: '<unmatched>', code: 501, method: '_OTHER' }],
      'an invented method of HTTP/2': [{ route: '<unmatched>', code: 501, method: '_OTHER' }],
      // @koa/router leaves parameters as they are that it cannot decode.
      'a malformed parameter': [{ route: '/users/:id', code: 200 }],
      // Nothing tells this from a handler that has found nothing: in Koa either ends without an answer.
      'a handler that passes on to nobody': [{ route: '/passes', code: 404 }],
    },
  } satisfies TableSubject)
}

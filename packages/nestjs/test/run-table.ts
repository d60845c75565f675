import { runRequestTable, type TableSubject } from '../../../test/http-requests/run.ts'
import { type NestVersion, useNest } from './nest-version.ts'

const unmatched = [{ route: '<unmatched>', code: 404 }]

/** Runs the table of requests against a version of Nest, on both platforms. */
export function runTable(version: NestVersion): void {
  const wildcard = version === 10 ? '/files/*' : '/files/*path'
  // Fastify's own spelling, in every version.
  const wildcards = { express: wildcard, fastify: '/files/*' }

  runRequestTable({
    name: `Nest ${version} on Express`,
    start: () => start('express'),
    cannot: ['http2', 'HEAD of HTTP/2', 'sub-application', 'parameter hooks'],
    differs: {
      'a wildcard': [{ route: wildcard, code: 200 }],
      // Guards answer within the route that has matched.
      'a guard of a mount': [{ route: '/guarded/secret', code: 401 }],
      'a guard of everything': [{ route: '/users/:id', code: 403 }],
      // Nest's own middleware answers before Express would.
      OPTIONS: unmatched,
      // Nest reads bodies in middleware, before there is a route.
      'a body that cannot be read': [{ route: '/*', code: 400 }],
      'a body that is too large': [{ route: '/*', code: 413 }],
      'a body that the client breaks off': [{ route: '/*', code: 499, method: 'POST' }],
      'a body whose chunks are malformed': [{ route: '/*', code: 499, method: 'POST' }],
    },
  } satisfies TableSubject)

  runRequestTable({
    name: `Nest ${version} on Fastify`,
    start: () => start('fastify'),
    cannot: ['http2', 'HEAD of HTTP/2', 'sub-application', 'parameter hooks'],
    differs: {
      // Fastify tells them apart unless it is told otherwise.
      'a trailing slash': unmatched,
      'a route in capitals': unmatched,
      'the root of a router with a slash': unmatched,
      'a RegExp': [{ route: '/reports/:number(^\\d+$)', code: 200 }],
      'a guard of a mount': [{ route: '/guarded/secret', code: 401 }],
      'a guard of everything': [{ route: '/users/:id', code: 403 }],
      OPTIONS: unmatched,
      'a parameter of 150 characters': [{ route: '<unmatched>', code: version === 10 ? 404 : 414 }],
      // Fastify reads bodies within the route.
      'a body that the application cannot read in front of its routes': [{ route: '/json', code: 400 }],
      // Known since Fastify 5.10, and refused without a type of content.
      ...(version !== 10 && { QUERY: [{ route: '<unmatched>', code: 400 }] }),
    },
  } satisfies TableSubject)

  async function start(platform: 'express' | 'fastify') {
    await useNest(version)
    const { startTableApp } = await import('./table-app.ts')
    return startTableApp(platform, wildcards[platform])
  }
}

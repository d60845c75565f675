import { runRequestTable, type TableSubject } from '../../../test/http-requests/run.ts'
import { startTableApp, versions } from './app.ts'

const unmatched = [{ route: '<unmatched>', code: 404 }]

for (const [name, fastify] of versions) {
  runRequestTable({
    name,
    start: () => startTableApp(fastify),
    differs: {
      // Fastify tells them apart unless it is told otherwise.
      'a trailing slash': unmatched,
      'a route in capitals': unmatched,
      'a RegExp': [{ route: '/reports/:number(^\\d+$)', code: 200 }],
      // A hook answers within the route that has matched.
      'a guard of everything': [{ route: '/users/:id', code: 403 }],
      OPTIONS: unmatched,
      // New there, and refused without a type of content.
      ...(name === 'Fastify 5.12' && { QUERY: [{ route: '<unmatched>', code: 400 }] }),
    },
  } satisfies TableSubject)
}

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
      // Bodies are read within the route, whatever their type.
      'a body that the application cannot read in front of its routes': [{ route: '/json', code: 400 }],
      'a parameter of 150 characters': [{ route: '<unmatched>', code: name === 'Fastify 5.12' ? 414 : 404 }],
      // New there, and refused without a type of content.
      ...(name === 'Fastify 5.12' && { QUERY: [{ route: '<unmatched>', code: 400 }] }),
    },
  } satisfies TableSubject)
}

import { runHostileClients } from '../../../test/http-requests/hostile.ts'
import { startTableApp } from './table-app.ts'

runHostileClients({
  name: 'Nest 12 on Express',
  start: (options) => startTableApp('express', '/files/*path', options),
  routes: ['/files/*path', '/guarded/secret'],
  http2: false,
})

runHostileClients({
  name: 'Nest 12 on Fastify',
  start: (options) => startTableApp('fastify', '/files/*', options),
  routes: ['/files/*', '/guarded/secret', '/reports/:number(^\\d+$)'],
  http2: false,
})

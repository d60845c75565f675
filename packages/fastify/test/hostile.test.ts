import { runHostileClients } from '../../../test/http-requests/hostile.ts'
import { startTableApp, versions } from './app.ts'

for (const [name, fastify] of [versions[0], versions[3]] as [(typeof versions)[0], (typeof versions)[0]]) {
  runHostileClients({
    name,
    start: (options) => startTableApp(fastify, options),
    routes: ['/files/*', '/reports/:number(^\\d+$)'],
    // Its router takes `constructor` for a method that it knows, and throws out of the server.
    http2: name !== 'Fastify 4.9.0',
  })
}

// An application of a framework, bare or instrumented: `node --expose-gc http-server.mjs <framework> <variant>`. Started
// by http.mjs and instructions.mjs, which ask over IPC for the CPU time used and the requests answered, and for a
// collection.
import { EventEmitter, once } from 'node:events'
import http from 'node:http'

// Node's constructors of requests and responses are compiled for the classes of emitters that were made by then. With a
// pool, a logger or its `stdin` a service has more than the four for which that is any good; whether a bare server has
// five depends on what was imported, and made 2 % of Koa's instructions.
for (let each = 0; each < 5; each++) {
  const Emitter = class extends EventEmitter {}
  for (let made = 0; made < 20; made++) new Emitter().emit('made')
}

const [, , framework, variant] = process.argv
const { serve } = await import(`./http/${framework}.mjs`)
let answered = 0
const server = await serve(variant, (listener) =>
  http.createServer((request, response) => {
    answered += 1
    listener(request, response)
  }),
)
await once(server.listen(0, '127.0.0.1'), 'listening')
process.on('message', (question) => {
  if (question === 'collect') return globalThis.gc()
  const { user, system } = process.cpuUsage()
  process.send({ answered, microseconds: user + system })
})
process.send({ port: server.address().port })

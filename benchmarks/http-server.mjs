// An application of a framework, bare or instrumented: `node --expose-gc http-server.mjs <framework> <variant>`. Started
// by http.mjs and instructions.mjs, which ask over IPC for the CPU time used and the requests answered, and for a
// collection.
import { executionAsyncResource } from 'node:async_hooks'
import { EventEmitter, once } from 'node:events'
import http from 'node:http'

// Node's constructors of requests and responses are compiled for the classes of emitters that were made by then. With a
// pool, a logger or its `stdin` a service has more than the four for which that is any good; whether a bare server has
// five depends on what was imported, and made 2 % of Koa's instructions.
for (let each = 0; each < 5; each++) {
  const Emitter = class extends EventEmitter {}
  for (let made = 0; made < 20; made++) new Emitter().emit('made')
}

// What `process.nextTick` makes has a class that a collection takes for lost when it finds none of them: each costs 1 µs more
// from then on. Whether it is lost turns on next to nothing: a NestJS on Fastify lost it unless it had imported anything at
// all before its application was made, and was dearer bare than with any adapter, by 2.4 µs of 18. None is lost while one
// is kept, which a service under load has at almost any time.
const ticks = []
const keepTick = () => ticks.push(executionAsyncResource())
process.nextTick(keepTick)
process.nextTick(keepTick, ticks)

const [, , framework, variant] = process.argv
const { serve } = await import(`./http/${framework}.mjs`)
let answered = 0
const server = await serve(variant, (listener) =>
  http.createServer((request, response) => {
    answered += 1
    listener(request, response)
  }),
)
// Longer than the load is halted for: what a server has of connections would be made anew in those that wait the longest.
server.keepAliveTimeout = 3_600_000
await once(server.listen(0, '127.0.0.1'), 'listening')
process.on('message', (question) => {
  if (question === 'collect') return globalThis.gc()
  const { user, system } = process.cpuUsage()
  process.send({ answered, microseconds: user + system })
})
process.send({ port: server.address().port })

// Applications of a framework, bare and instrumented, each a server of this process: `node http-server.mjs <framework>
// <variant>...`. Started by http.mjs, which asks over IPC for the CPU time used and the requests that one has answered,
// and tells whose turn begins.
import { once } from 'node:events'
import http from 'node:http'
import client from 'prom-client'
import { Prototypes } from './http/prototypes.mjs'

const [, , framework, ...variants] = process.argv
const { serve, prototypes: ofFramework = [] } = await import(`./http/${framework}.mjs`)
const prototypes = new Prototypes(ofFramework, variants)
const answered = variants.map(() => 0)
const ports = []
for (const [index, variant] of variants.entries()) {
  prototypes.enter(index)
  // Peers have their metrics in the same registry, and go on counting in those that are no longer there.
  client.register.clear()
  const server = await serve(variant, (listener) =>
    http.createServer((request, response) => {
      answered[index] += 1
      listener(request, response)
    }),
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  ports.push(server.address().port)
}
process.on('message', ({ enter, usageOf }) => {
  if (enter !== undefined) return prototypes.enter(enter)
  const { user, system } = process.cpuUsage()
  process.send({ answered: answered[usageOf], microseconds: user + system })
})
process.send({ ports })

// An application of a framework, bare or instrumented: `node http-server.mjs <framework> <variant>`. Started by
// http.mjs, which asks over IPC for the CPU time used and the requests answered so far.
import http from 'node:http'

const [, , framework, variant] = process.argv
const { serve } = await import(`./http/${framework}.mjs`)
let answered = 0
const server = await serve(variant, (listener) =>
  http.createServer((request, response) => {
    answered += 1
    listener(request, response)
  }),
)
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send({ answered, microseconds: user + system })
})

// Several applications behind one server, which gives each some hundred requests in turn: `node alternate-server.mjs
// <framework> <variant>...`. Started by alternate.mjs, which asks over IPC for the CPU time of each turn.
import http from 'node:http'

// As many as a tenth of what an engine allocates between two collections: most turns have none.
const REQUESTS = 400

const [, , framework, ...variants] = process.argv
const { serve } = await import(`./http/${framework}.mjs`)
const listeners = []
for (const variant of variants) {
  await serve(variant, (listener) => {
    listeners.push(listener)
    return http.createServer(listener)
  })
}
let turns = listeners.map(() => [])
let turn = 0
let left = REQUESTS
let before = 0

const server = http.createServer((request, response) => {
  left -= 1
  if (left === 0) {
    const { user, system } = process.cpuUsage()
    turns[turn].push((user + system - before) / REQUESTS)
    before = user + system
    left = REQUESTS
    turn = (turn + 1) % listeners.length
  }
  listeners[turn](request, response)
})
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
process.on('message', (message) => {
  if (message === 'begin') turns = listeners.map(() => [])
  else process.send(turns)
})

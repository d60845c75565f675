// The least that a latency costs: the clock at a request's first sight and at its end, of which Node tells. Nothing is
// counted. What is added beyond this is a recorder's own.
import { subscribe } from 'node:diagnostics_channel'

const START = Symbol('start')
let seconds = 0.5

subscribe('http.server.response.finish', ({ socket }) => {
  const start = socket[START]
  if (start !== undefined) seconds = (performance.now() - start) / 1000
})

/** On the connection: a property more of Express' responses costs several microseconds. */
export function begin(request) {
  Reflect.get(request, 'socket')[START] = performance.now()
}

/** Of the request that ended last. */
export function lastSeconds() {
  return seconds
}

// The least that a latency costs: the clock at a request's first sight and at its end, of which Node tells. Nothing is
// counted. What is added beyond this is a recorder's own.
import { subscribe } from 'node:diagnostics_channel'

const START = Symbol('start')
let seconds = 0.5

subscribe('http.server.response.finish', ({ response }) => {
  const start = response[START]
  if (start !== undefined) seconds = (performance.now() - start) / 1000
})

export function begin(response) {
  response[START] = performance.now()
}

/** Of the request that ended last. */
export function lastSeconds() {
  return seconds
}

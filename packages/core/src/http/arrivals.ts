import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { requestSeconds } from './clock.ts'

/** `listener` is what one is put around, as with those of `once`. */
type AnyListener = RequestListener & { listener?: RequestListener }

/** Is told of a request, and when it reached its server: the `start` of `HttpMetrics.follow`. */
export type ArrivalListener = (request: IncomingMessage, response: ServerResponse, start: number) => void

/**
 * Tells of requests that reach a server and that its framework has not shown to any hook by the time that it has been
 * given them: some will never come to one, others later.
 *
 * Where a server has one listener, as those of frameworks mostly have, this one is put around it. Of several Node makes a
 * copy for each request; and whoever comes first has to look for much that a hook knows. Together they were 600 of the
 * 3,600 instructions that a request of Fastify's had (`instructions` in benchmarks).
 */
export class Arrivals {
  readonly #onUntaken: ArrivalListener
  /** That of the request that the framework is just given, until it is taken. */
  #response: ServerResponse | undefined = undefined
  #start = 0

  constructor(onUntaken: ArrivalListener) {
    this.#onUntaken = onUntaken
  }

  /** When the request of a response has reached its server, where that is known; it is the caller's from now on. */
  take(response: ServerResponse): number | undefined {
    if (response !== this.#response) return undefined
    this.#response = undefined
    return this.#start
  }

  /** Listens to a server, before all others; gives what ends that. */
  listenTo(server: Server): () => void {
    const own = onlyListener(server)
    return own === undefined || own.listener !== undefined ? this.#addTo(server) : this.#putAround(own, server)
  }

  #addTo(server: Server): () => void {
    const listener: RequestListener = (request, response) => this.#onUntaken(request, response, requestSeconds())
    server.prependListener('request', listener)
    return () => server.off('request', listener)
  }

  #putAround(own: RequestListener, server: Server): () => void {
    let isOver = false
    const both: AnyListener = (request, response) => {
      if (isOver) return own.call(server, request, response)
      // An application may have its server listen to a request from within another.
      const [outer, outerStart] = [this.#response, this.#start]
      const start = requestSeconds()
      this.#response = response
      this.#start = start
      try {
        // A Promise, if it is one, is for who gives the server its requests.
        return own.call(server, request, response)
      } finally {
        const isTaken = this.#response !== response
        this.#response = outer
        this.#start = outerStart
        if (!isTaken) this.#onUntaken(request, response, start)
      }
    }
    // By this name Node finds it for whoever looks for the own one, or takes it away.
    both.listener = own
    replace(server, own, both)
    return () => {
      isOver = true
      // Among others it keeps its place.
      if (onlyListener(server) === both) replace(server, both, own)
    }
  }
}

function onlyListener(server: Server): AnyListener | undefined {
  const [only, ...others] = server.rawListeners('request')
  return others.length === 0 ? (only as AnyListener | undefined) : undefined
}

function replace(server: Server, before: RequestListener, after: RequestListener): void {
  server.off('request', before)
  server.on('request', after)
}

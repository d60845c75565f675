import type { IncomingMessage, ServerResponse } from 'node:http'
import { monotonicSeconds } from '../clock.ts'

/** How a framework tells what only it knows of a request. One object for all requests: nothing is made for each. */
export interface FrameworkView<Request> {
  /** The template of the route that answered, mounts included; `undefined` where nothing matched. */
  route(request: Request, response: ServerResponse): string | undefined
  /** The path parameters that the route found. */
  params?(request: Request): { readonly [name: string]: unknown } | undefined
  /** Whether the route asks not to be recorded. */
  skips?(request: Request): boolean
}

/** Who is told of the beginning and the end of an exchange. */
export interface ExchangeListener<Request> {
  headersSent(exchange: Exchange<Request>, contentType: string): void
  settled(exchange: Exchange<Request>, response: ServerResponse): void
}

/** Which framework's request it holds is its listener's affair. */
type AnyExchange = Exchange<unknown>

const EXCHANGES = Symbol.for('@narthex/core/http/exchanges/v1')

/** Responses that wait for their turn on a connection. */
const QUEUE = Symbol.for('@narthex/core/http/queue/v1')

type Connection = NonNullable<IncomingMessage['socket']> & { [QUEUE]?: Set<ServerResponse>; readonly server?: object }

/** On the prototypes of responses: whether their `writeHead` tells of headers. */
const TELLS = Symbol.for('@narthex/core/http/tells/v1')

type Followed = ServerResponse & { [EXCHANGES]?: AnyExchange; readonly [TELLS]?: true }
type WriteHead = (this: Followed, status?: unknown, reason?: unknown, headers?: unknown) => ServerResponse

/**
 * A request and its response, from the first sight of the one to the end of the other. Exactly one end is reported,
 * whatever mix of `finish` and `close` the response emits: an HTTP/2 stream that is cancelled emits both, a client that
 * leaves early only `close`, and a pipelined response whose turn never comes emits nothing at all. The listeners are
 * shared functions: an exchange is the only thing allocated.
 */
export class Exchange<Request> {
  readonly owner: object
  readonly listener: ExchangeListener<Request>
  readonly raw: IncomingMessage
  readonly method: string
  /** On the monotonic clock, in seconds. */
  readonly start: number = monotonicSeconds()
  request: Request
  view: FrameworkView<Request> | undefined
  /** Held from beginning to end: a gauge that was reset in between is not taken below zero. */
  inFlight: { inc(): void; dec(): void } | undefined = undefined
  /** When the headers were sent; only kept where somebody asks. */
  headersAt = 0
  isStream = false
  requestBytes = 0
  responseBytes = 0
  #settled = false
  #isQueued = false
  readonly #next: AnyExchange | undefined

  /**
   * Begins to follow. `owner` tells exchanges of different registries apart: a response has one of each.
   */
  constructor(
    owner: object,
    listener: ExchangeListener<Request>,
    view: FrameworkView<Request> | undefined,
    request: Request,
    raw: IncomingMessage,
    response: ServerResponse,
    method: string,
  ) {
    this.owner = owner
    this.listener = listener
    this.view = view
    this.request = request
    this.raw = raw
    this.method = method
    const followed = response as Followed
    this.#next = followed[EXCHANGES]
    followed[EXCHANGES] = this as unknown as AnyExchange
    if (this.#next !== undefined) return
    if (followed[TELLS] !== true) tellOfHeaders(followed)
    followed.on('close', onEnd)
    // Servers of Node always end with `close`. Whoever plays one, as tests and serverless runtimes do, may not.
    if ((raw.socket as Partial<Connection> | null)?.server === undefined) followed.on('finish', onEnd)
    if (response.socket === null) this.#queue(response)
  }

  /** Behind another response on its connection: it has no socket yet, and would not notice that one close. */
  #queue(response: ServerResponse): void {
    const connection = this.raw.socket as Connection | null
    if (typeof connection?.once !== 'function') return
    if (connection[QUEUE] === undefined) {
      connection[QUEUE] = new Set()
      connection.once('close', onConnectionEnd)
    }
    connection[QUEUE].add(response)
    this.#isQueued = true
  }

  /** The exchange of `owner` that follows a response already. */
  static of(response: ServerResponse, owner: object): AnyExchange | undefined {
    let exchange = (response as Followed)[EXCHANGES]
    while (exchange !== undefined && exchange.owner !== owner) exchange = exchange.#next
    return exchange
  }

  static settle(response: ServerResponse): void {
    for (let exchange = (response as Followed)[EXCHANGES]; exchange !== undefined; exchange = exchange.#next) {
      if (exchange.#settled) continue
      exchange.#settled = true
      if (exchange.#isQueued) (exchange.raw.socket as Connection)[QUEUE]?.delete(response)
      exchange.listener.settled(exchange, response)
    }
  }

  static headersSent(response: ServerResponse, contentType: string): void {
    for (let exchange = (response as Followed)[EXCHANGES]; exchange !== undefined; exchange = exchange.#next) {
      exchange.listener.headersSent(exchange, contentType)
    }
  }
}

function onEnd(this: ServerResponse): void {
  Exchange.settle(this)
}

function onConnectionEnd(this: Connection): void {
  for (const response of this[QUEUE] ?? []) Exchange.settle(response)
}

/**
 * Has every way of sending headers tell of them: all go through `writeHead`. Wraps it once, where the response inherits it
 * from; an own one for each response would cost more than all else that is done for a request.
 */
function tellOfHeaders(response: Followed): void {
  let owner = response as { writeHead: WriteHead }
  do owner = Object.getPrototypeOf(owner) as typeof owner
  while (!Object.hasOwn(owner, 'writeHead'))
  const original = owner.writeHead
  owner.writeHead = function writeHead(status, reason, headers) {
    if (this[EXCHANGES] === undefined || this.headersSent) return original.call(this, status, reason, headers)
    const result = original.call(this, status, reason, headers)
    Exchange.headersSent(this, contentTypeOf(this, headers ?? reason))
    return result
  }
  Object.defineProperty(owner, TELLS, { value: true })
}

/** Headers given to `writeHead` itself need not be in `getHeader` afterwards. */
function contentTypeOf(response: ServerResponse, given: unknown): string {
  const set = response.getHeader('content-type')
  if (set !== undefined || typeof given !== 'object' || given === null) return String(set ?? '')
  const entries = Array.isArray(given) ? pairsOf(given as unknown[]) : Object.entries(given)
  for (const [name, value] of entries) if (String(name).toLowerCase() === 'content-type') return String(value)
  return ''
}

function pairsOf(list: readonly unknown[]): [unknown, unknown][] {
  if (Array.isArray(list[0])) return list as [unknown, unknown][]
  const pairs: [unknown, unknown][] = []
  for (let index = 0; index + 1 < list.length; index += 2) pairs.push([list[index], list[index + 1]])
  return pairs
}

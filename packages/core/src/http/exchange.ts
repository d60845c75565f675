import { subscribe } from 'node:diagnostics_channel'
import { type IncomingMessage, ServerResponse } from 'node:http'
import { monotonicSeconds } from '../clock.ts'
import { contentTypeOf } from './content-type.ts'

/** How a framework tells what only it knows of a request. One object for all requests: nothing is made for each. */
export interface FrameworkView<Request> {
  /** The template of the route that answered, mounts included; `undefined` where nothing matched. */
  route(request: Request, response: ServerResponse): string | undefined
  /** The answer has begun: whoever has the request now has answered it. */
  headersSent?(request: Request): void
  /** All that is asked has been asked. */
  settled?(request: Request): void
  /** The path parameters that the route found. */
  params?(request: Request): { readonly [name: string]: unknown } | undefined
  /** Whether the route asks not to be recorded. */
  skips?(request: Request): boolean
}

/** Who is told of the beginning and the end of an exchange. */
export interface ExchangeListener<Request> {
  headersSent(exchange: Exchange<Request>, contentType: string): void
  /** `isComplete` tells an answer that was given to its end from one that the client did not wait for. */
  settled(exchange: Exchange<Request>, response: ServerResponse, isComplete: boolean): void
}

/** Which framework's request it holds is its listener's affair. */
type AnyExchange = Exchange<unknown>

/** Shared by all copies of the package: a response is wrapped and counted once, whichever copy is asked. */
const KEY = Symbol.for('@narthex/core/http/exchanges/v1')

interface Shared {
  /** Objects whose own `writeHead` tells of headers. */
  readonly telling: WeakSet<object>
  isListening: boolean
  /** Whether Node has been heard to tell of finished responses. */
  isTold: boolean
}

const shared: Shared = ((globalThis as { [KEY]?: Shared })[KEY] ??= {
  telling: new WeakSet(),
  isListening: false,
  isTold: false,
})

/**
 * A response with the exchange that has followed it first. A Map by response would cost the collector 3 µs a request: it
 * keeps what was in the tables that it has outgrown (`express` in benchmarks). A list at the connection would be written
 * to for each request.
 */
interface Followed {
  [KEY]?: AnyExchange
}

/** A connection of HTTP/1. */
interface Connection {
  readonly server?: object
  readonly destroyed?: boolean
  /** The response whose turn it is. Node's own affair: where it is missing, all exchanges are kept below. */
  readonly _httpMessage?: (ServerResponse & Followed) | null
  once?(event: 'close', listener: (this: Connection) => void): void
  /** Open exchanges whose response it does not have: it is not their turn, or an application has detached them. */
  [KEY]?: Set<AnyExchange>
}

/**
 * A request and its response, from the first sight of the one to the end of the other: exactly one end is reported.
 * Normally Node's diagnostics channel tells of it, and otherwise the end of the connection, which also ends pipelined
 * exchanges whose turn never came, while their responses emit nothing. So no listener is added for a request, except
 * with HTTP/2 and with whoever plays a server: there the first of `finish` and `close` counts.
 */
export class Exchange<Request> {
  readonly owner: object
  readonly listener: ExchangeListener<Request>
  readonly raw: IncomingMessage
  readonly response: ServerResponse
  readonly method: string
  /** On the monotonic clock, in seconds. */
  readonly start: number = monotonicSeconds()
  request: Request
  view: FrameworkView<Request> | undefined
  /** Held from beginning to end: a gauge that was reset in between is not taken below zero. */
  inFlight: { inc(): void; dec(): void } | undefined = undefined
  /** `http` or `https`, where somebody asks: at the end, HTTP/2 has no connection to tell from. */
  scheme = ''
  /** As it was sent; zero before that. */
  status = 0
  /** When the headers were sent; only kept where somebody asks. */
  headersAt = 0
  isStream = false
  requestBytes = 0
  responseBytes = 0
  /** Whether its end has been told of. */
  isSettled = false
  /** Once it is settled, whether the answer was given to its end. */
  isComplete = false
  /** The exchange of another owner that follows the same response. */
  next: AnyExchange | undefined = undefined
  /** Where it is kept while its response is not the one that the connection has. */
  waiting: Set<AnyExchange> | undefined = undefined

  /**
   * Begins to follow. `owner` tells exchanges of different registries apart: a response has one of each. `first` is what
   * {@link Exchange.first} gives, for whoever has asked already.
   */
  constructor(
    owner: object,
    listener: ExchangeListener<Request>,
    view: FrameworkView<Request> | undefined,
    request: Request,
    raw: IncomingMessage,
    response: ServerResponse,
    method: string,
    first: AnyExchange | undefined = Exchange.first(response),
  ) {
    this.owner = owner
    this.listener = listener
    this.view = view
    this.request = request
    this.raw = raw
    this.response = response
    this.method = method
    if (first === undefined) {
      ;(response as Followed)[KEY] = this as unknown as AnyExchange
      this.#begin()
      return
    }
    this.next = first.next
    first.next = this as unknown as AnyExchange
    if (first.isSettled) this.#settleLate(first.isComplete)
  }

  #begin(): void {
    const { raw, response } = this
    const connection = raw.socket as Connection | null
    const hasTurn = connection?._httpMessage === response && connection.destroyed === false
    // A response that has ended was told of before, if at all.
    if (!hasTurn && isOver(raw, response)) return this.#settleLate(response.writableEnded)
    let waiting = connection?.[KEY]
    if (waiting === undefined) {
      if (!shared.isListening) listen()
      tellOfHeaders(response)
      if (typeof connection?.server !== 'object' || raw.httpVersionMajor !== 1) {
        response.on('finish', onEnd)
        response.on('close', onEnd)
        return
      }
      waiting = connection[KEY] = new Set()
      connection.once?.('close', onConnectionEnd)
    }
    if (!shared.isTold) response.on('finish', onEnd)
    if (!hasTurn) wait(this as unknown as AnyExchange, waiting)
  }

  /** Nobody tells of the end again, and one that was told of is not counted here. */
  #settleLate(isComplete: boolean): void {
    const { response } = this
    this.isSettled = true
    this.isComplete = isComplete
    if (!isComplete) this.listener.settled(this, response, response.writableEnded)
  }

  /** The exchange of `owner` that follows a response already. */
  static of(response: ServerResponse, owner: object): AnyExchange | undefined {
    return Exchange.first(response)?.of(owner)
  }

  /** The exchange that has followed a response first. */
  static first(response: ServerResponse): AnyExchange | undefined {
    return (response as Followed)[KEY]
  }

  /** The exchange of `owner` among those that follow the same response, of which this is the first. */
  of(owner: object): AnyExchange | undefined {
    let exchange: AnyExchange | undefined = this as unknown as AnyExchange
    while (exchange !== undefined && exchange.owner !== owner) exchange = exchange.next
    return exchange
  }
}

/** Whether the end was there first, as where a client leaves while a guard thinks: nobody tells of it again. */
function isOver(raw: IncomingMessage, response: ServerResponse): boolean {
  if (raw.httpVersionMajor !== 1) return (response as { stream?: { destroyed?: boolean } }).stream?.destroyed === true
  return response.closed || raw.socket?.destroyed === true
}

function settle(first: AnyExchange, isComplete: boolean): void {
  const { response } = first
  first.waiting?.delete(first)
  for (let exchange: AnyExchange | undefined = first; exchange !== undefined; exchange = exchange.next) {
    if (exchange.isSettled) continue
    exchange.isSettled = true
    exchange.isComplete = isComplete
    exchange.listener.settled(exchange, response, isComplete)
  }
}

/** An HTTP/2 stream that is cancelled emits `finish` too. */
function onEnd(this: ServerResponse): void {
  const first = Exchange.first(this)
  if (first !== undefined) settle(first, this.writableEnded)
}

function onConnectionEnd(this: Connection): void {
  const current = this._httpMessage?.[KEY]
  if (current !== undefined) settleCutOff(current)
  for (const first of this[KEY] as Set<AnyExchange>) settleCutOff(first)
}

/** Frameworks may still answer an upload that was cut off, with a 400 that nobody gets. */
function settleCutOff(first: AnyExchange): void {
  settle(first, first.response.writableEnded && first.raw.complete)
}

function listen(): void {
  shared.isListening = true
  subscribe('http.server.response.finish', (message) => {
    shared.isTold = true
    const first = Exchange.first((message as { response: ServerResponse }).response)
    if (first !== undefined) settle(first, true)
  })
  keepDetached()
}

/** A response whose connection an application takes for itself is not the connection's any more when that closes. */
function keepDetached(): void {
  const original = ServerResponse.prototype.detachSocket
  ServerResponse.prototype.detachSocket = function detachSocket(connection) {
    const first = Exchange.first(this)
    // Node detaches every response, once it has told of its end.
    if (first?.isSettled === false) wait(first, (connection as Connection)[KEY])
    original.call(this, connection)
  }
}

function wait(exchange: AnyExchange, waiting: Set<AnyExchange> | undefined): void {
  waiting?.add(exchange)
  exchange.waiting = waiting
}

type WriteHead = (this: ServerResponse, status?: unknown, reason?: unknown, headers?: unknown) => ServerResponse

/**
 * Has every way of sending headers tell of them: all go through `writeHead`. Wraps it once, where responses inherit it
 * from; where a response has only its own, there.
 */
function tellOfHeaders(response: ServerResponse): void {
  let owner = Object.getPrototypeOf(response) as object | null
  while (owner !== null && !Object.hasOwn(owner, 'writeHead')) owner = Object.getPrototypeOf(owner) as object | null
  if (owner !== null && shared.telling.has(owner)) return
  if (owner !== null) shared.telling.add(owner)
  const target = (owner ?? response) as { writeHead: WriteHead }
  const original = target.writeHead
  target.writeHead = function writeHead(status, reason, headers) {
    const result = original.call(this, status, reason, headers)
    const first = Exchange.first(this)
    if (first === undefined || first.status !== 0) return result
    const contentType = contentTypeOf(this, headers ?? reason)
    for (let exchange: AnyExchange | undefined = first; exchange !== undefined; exchange = exchange.next) {
      exchange.status = typeof status === 'number' ? status : this.statusCode
      exchange.listener.headersSent(exchange, contentType)
    }
    return result
  }
}

import { subscribe } from 'node:diagnostics_channel'
import { type IncomingMessage, ServerResponse } from 'node:http'
import { monotonicSeconds } from '../clock.ts'

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

/**
 * Where exchanges are found by their response. A response that is as Node has made it has its exchange as a property.
 * Express gives every response another prototype, and with it a hidden class of its own, on which a new property costs ten
 * times what an entry here does; for the same reason as little as possible is read from requests and responses.
 */
interface Shared {
  /** Of servers of Node, taken out where they end: a WeakMap would cost 7% of a request, most of it in the collector. */
  readonly open: Map<ServerResponse, AnyExchange>
  /** Of whoever plays a server, and may never tell of an end. */
  readonly others: WeakMap<ServerResponse, AnyExchange>
  hasOthers: boolean
  /** Objects whose own `writeHead` tells of headers. */
  readonly telling: WeakSet<object>
  /** The prototype of the last response, which has such a `writeHead` or inherits it. */
  lastTelling: object | undefined
  isListening: boolean
  /** Whether Node has been heard to tell of finished responses. */
  isTold: boolean
}

const shared: Shared = ((globalThis as { [KEY]?: Shared })[KEY] ??= {
  open: new Map(),
  others: new WeakMap(),
  hasOthers: false,
  telling: new WeakSet(),
  lastTelling: undefined,
  isListening: false,
  isTold: false,
})

/** A connection of HTTP/1, with its exchanges that have not ended. */
interface Connection {
  readonly server?: object
  readonly destroyed?: boolean
  /** The response whose turn it is. Node's own affair: where it is missing, more is looked at. */
  readonly _httpMessage?: unknown
  once?(event: 'close', listener: (this: Connection) => void): void
  [KEY]?: { first: AnyExchange | undefined }
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
  /** As it was sent; zero before that. */
  status = 0
  /** When the headers were sent; only kept where somebody asks. */
  headersAt = 0
  isStream = false
  requestBytes = 0
  responseBytes = 0
  isSettled = false
  /** The exchange of another owner that follows the same response. */
  readonly next: AnyExchange | undefined
  /** The connection of the first of those, and its neighbours there. */
  connection: Connection | undefined = undefined
  before: AnyExchange | undefined = undefined
  after: AnyExchange | undefined = undefined

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
    this.response = response
    this.method = method
    this.next = exchangeOf(response)
    if (this.next !== undefined) {
      keepExchange(response, this as unknown as AnyExchange, shared.open.has(response))
      return
    }
    const connection = raw.socket as Connection | null
    const hasTurn = connection?._httpMessage === response && connection.destroyed === false
    if (!hasTurn && isOver(raw, response)) {
      this.isSettled = true
      // A response that has ended was told of before, if at all, and may be forgotten since.
      if (response.writableEnded && !isAsMade(response)) return
      keepExchange(response, this as unknown as AnyExchange, false)
      listener.settled(this, response, response.writableEnded)
      return
    }
    if (!shared.isListening) listen()
    if (Object.getPrototypeOf(response) !== shared.lastTelling) tellOfHeaders(response)
    keepExchange(response, this as unknown as AnyExchange, this.#awaitEnd(connection, response))
  }

  /** True where the end of the connection would be noticed too. */
  #awaitEnd(connection: Connection | null, response: ServerResponse): boolean {
    let open = connection?.[KEY]
    if (open === undefined) {
      if (typeof connection?.server !== 'object' || this.raw.httpVersionMajor !== 1) {
        response.on('finish', onEnd)
        response.on('close', onEnd)
        return false
      }
      open = connection[KEY] = { first: undefined }
      connection.once?.('close', onConnectionEnd)
    }
    if (!shared.isTold) response.on('finish', onEnd)
    this.connection = connection as Connection
    this.after = open.first
    if (open.first !== undefined) open.first.before = this as unknown as AnyExchange
    open.first = this as unknown as AnyExchange
    return true
  }

  /** The exchange of `owner` that follows a response already. */
  static of(response: ServerResponse, owner: object): AnyExchange | undefined {
    let exchange = exchangeOf(response)
    while (exchange !== undefined && exchange.owner !== owner) exchange = exchange.next
    return exchange
  }
}

type Followed = ServerResponse & { [KEY]?: AnyExchange }

function isAsMade(response: ServerResponse): boolean {
  return Object.getPrototypeOf(response) === ServerResponse.prototype
}

function exchangeOf(response: ServerResponse): AnyExchange | undefined {
  if (isAsMade(response)) return (response as Followed)[KEY]
  const exchange = shared.open.get(response)
  return exchange === undefined && shared.hasOthers ? shared.others.get(response) : exchange
}

function keepExchange(response: ServerResponse, exchange: AnyExchange, isOpen: boolean): void {
  if (isAsMade(response)) (response as Followed)[KEY] = exchange
  else if (isOpen) shared.open.set(response, exchange)
  else {
    shared.hasOthers = true
    shared.others.set(response, exchange)
  }
}

/** Whether the end was there first, as where a client leaves while a guard thinks: nobody tells of it again. */
function isOver(raw: IncomingMessage, response: ServerResponse): boolean {
  if (raw.httpVersionMajor !== 1) return (response as { stream?: { destroyed?: boolean } }).stream?.destroyed === true
  return response.closed || raw.socket?.destroyed === true
}

function settle(response: ServerResponse, isComplete: boolean): void {
  let exchange = exchangeOf(response)
  if (exchange === undefined) return
  // Whoever comes to a response that nobody waited for must see that it was told of.
  if (shared.open.delete(response) && !isComplete) keepExchange(response, exchange, false)
  for (; exchange !== undefined; exchange = exchange.next) {
    if (exchange.isSettled) continue
    exchange.isSettled = true
    leaveConnection(exchange)
    exchange.listener.settled(exchange, response, isComplete)
  }
}

function leaveConnection(exchange: AnyExchange): void {
  const { connection, before, after } = exchange
  const open = connection?.[KEY]
  if (open === undefined) return
  if (before !== undefined) before.after = after
  else open.first = after
  if (after !== undefined) after.before = before
  // One that has grown old would keep its neighbours, and these theirs, until the next full collection.
  exchange.before = undefined
  exchange.after = undefined
}

/** An HTTP/2 stream that is cancelled emits `finish` too. */
function onEnd(this: ServerResponse): void {
  settle(this, this.writableEnded)
}

function onConnectionEnd(this: Connection): void {
  for (let first = this[KEY]?.first; first !== undefined; first = this[KEY]?.first) {
    // Frameworks may still answer an upload that was cut off, with a 400 that nobody gets.
    settle(first.response, first.response.writableEnded && first.raw.complete)
  }
}

function listen(): void {
  shared.isListening = true
  subscribe('http.server.response.finish', (message) => {
    shared.isTold = true
    settle((message as { response: ServerResponse }).response, true)
  })
}

type WriteHead = (this: ServerResponse, status?: unknown, reason?: unknown, headers?: unknown) => ServerResponse

/**
 * Has every way of sending headers tell of them: all go through `writeHead`. Wraps it once, where responses inherit it
 * from; where a response has only its own, there.
 */
function tellOfHeaders(response: ServerResponse): void {
  const prototype = Object.getPrototypeOf(response) as object
  let owner: object | null = prototype
  while (owner !== null && !Object.hasOwn(owner, 'writeHead')) owner = Object.getPrototypeOf(owner) as object | null
  const isTelling = owner !== null && shared.telling.has(owner)
  if (owner !== null) {
    shared.telling.add(owner)
    shared.lastTelling = prototype
  }
  if (isTelling) return
  const target = (owner ?? response) as { writeHead: WriteHead }
  const original = target.writeHead
  target.writeHead = function writeHead(status, reason, headers) {
    const result = original.call(this, status, reason, headers)
    let exchange = exchangeOf(this)
    if (exchange === undefined || exchange.status !== 0) return result
    const contentType = contentTypeOf(this, headers ?? reason)
    for (; exchange !== undefined; exchange = exchange.next) {
      exchange.status = typeof status === 'number' ? status : this.statusCode
      exchange.listener.headersSent(exchange, contentType)
    }
    return result
  }
}

/** Headers given to `writeHead` itself need not be in `getHeader` afterwards. */
function contentTypeOf(response: ServerResponse, given: unknown): string {
  const set = response.getHeader('content-type')
  if (set !== undefined || typeof given !== 'object' || given === null) return String(set ?? '')
  // As Fastify spells it.
  const direct = (given as { 'content-type'?: unknown })['content-type']
  if (direct !== undefined) return String(direct)
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

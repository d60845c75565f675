import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { monotonicSeconds } from '../clock.ts'

/** How a framework tells what only it knows of a request. One object for all requests: nothing is made for each. */
export interface FrameworkView<Request> {
  /** The template of the route that answered, mounts included; `undefined` where nothing matched. */
  route(request: Request, response: ServerResponse): string | undefined
  /** The answer has begun: whoever has the request now has answered it. */
  headersSent?(request: Request): void
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
  /**
   * Not a property of the response: Express gives every response a prototype of its application, which leaves it with a
   * hidden class of its own, and then a property costs ten times what an entry here does.
   */
  readonly exchanges: WeakMap<ServerResponse, AnyExchange>
  /** Prototypes whose `writeHead` tells of headers. */
  readonly telling: WeakSet<object>
  /** Whether Node has been heard to tell of finished responses. */
  isTold: boolean
}

const shared = ((globalThis as { [KEY]?: Shared })[KEY] ??= startSharing())

/** A connection of HTTP/1, with its exchanges that have not ended. */
interface Connection {
  readonly server?: object
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
  areHeadersSent = false
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
    this.next = shared.exchanges.get(response)
    shared.exchanges.set(response, this as unknown as AnyExchange)
    if (this.next !== undefined) return
    if (!shared.telling.has(Object.getPrototypeOf(response) as object)) tellOfHeaders(response)
    this.#awaitEnd(raw.socket as Connection | null, response)
  }

  #awaitEnd(connection: Connection | null, response: ServerResponse): void {
    let open = connection?.[KEY]
    if (open === undefined) {
      if (typeof connection?.server !== 'object' || this.raw.httpVersionMajor !== 1) {
        response.on('finish', onEnd)
        response.on('close', onEnd)
        return
      }
      open = connection[KEY] = { first: undefined }
      connection.once?.('close', onConnectionEnd)
    }
    if (!shared.isTold) response.on('finish', onEnd)
    this.connection = connection as Connection
    this.after = open.first
    if (open.first !== undefined) open.first.before = this as unknown as AnyExchange
    open.first = this as unknown as AnyExchange
  }

  /** The exchange of `owner` that follows a response already. */
  static of(response: ServerResponse, owner: object): AnyExchange | undefined {
    let exchange = shared.exchanges.get(response)
    while (exchange !== undefined && exchange.owner !== owner) exchange = exchange.next
    return exchange
  }
}

function settle(response: ServerResponse, isComplete: boolean): void {
  for (let exchange = shared.exchanges.get(response); exchange !== undefined; exchange = exchange.next) {
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
}

/** An HTTP/2 stream that is cancelled emits `finish` too. */
function onEnd(this: ServerResponse): void {
  settle(this, this.writableEnded)
}

function onConnectionEnd(this: Connection): void {
  const open = this[KEY]
  while (open?.first !== undefined) settle(open.first.response, open.first.response.writableEnded)
}

function startSharing(): Shared {
  const sharing: Shared = { exchanges: new WeakMap(), telling: new WeakSet(), isTold: false }
  subscribe('http.server.response.finish', (message) => {
    sharing.isTold = true
    settle((message as { response: ServerResponse }).response, true)
  })
  return sharing
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
  const inherited = owner !== null && !shared.telling.has(owner)
  if (owner !== null) shared.telling.add(prototype).add(owner)
  if (!inherited && owner !== null) return
  const target = (owner ?? response) as { writeHead: WriteHead }
  const original = target.writeHead
  target.writeHead = function writeHead(status, reason, headers) {
    const result = original.call(this, status, reason, headers)
    let exchange = shared.exchanges.get(this)
    if (exchange === undefined || exchange.areHeadersSent) return result
    const contentType = contentTypeOf(this, headers ?? reason)
    for (; exchange !== undefined; exchange = exchange.next) {
      exchange.areHeadersSent = true
      exchange.listener.headersSent(exchange, contentType)
    }
    return result
  }
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

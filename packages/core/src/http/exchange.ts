import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
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

/**
 * What all exchanges share. They are found by their response at its connection, where a few are open at a time at most:
 * a property of the response costs 0.06 µs, and 1.6 µs with Express, which gives every request and response another
 * prototype and with it a hidden class of its own. What is read from those by name is looked
 * up anew each time (0.15 µs), so that `Reflect.get`, which goes without the engine's caches, is quicker (0.03 µs). A Map
 * by response would cost the collector 3 µs a request: it keeps what was in the tables that the Map has outgrown, once
 * one of them is old. (`express` and `fastify` in benchmarks.)
 */
interface Shared {
  /** Of whoever plays a server, and of HTTP/2: there may be no connection to find them at. */
  readonly others: WeakMap<ServerResponse, AnyExchange>
  hasOthers: boolean
  /** The one that began last, while it is open: most are asked for before the next one begins. */
  latest: AnyExchange | undefined
  /** Objects whose own `writeHead` tells of headers. */
  readonly telling: WeakSet<object>
  isListening: boolean
  /** Whether Node has been heard to tell of finished responses. */
  isTold: boolean
}

const shared: Shared = ((globalThis as { [KEY]?: Shared })[KEY] ??= {
  others: new WeakMap(),
  hasOthers: false,
  latest: undefined,
  telling: new WeakSet(),
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
  [KEY]?: OpenExchanges
}

/** In the order in which they began, which is that in which HTTP/1 answers. */
interface OpenExchanges {
  first: AnyExchange | undefined
  last: AnyExchange | undefined
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
  next: AnyExchange | undefined = undefined
  /** The connection of the first of those, and its neighbours there. */
  connection: Connection | undefined = undefined
  before: AnyExchange | undefined = undefined
  after: AnyExchange | undefined = undefined

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
    first: AnyExchange | null = Exchange.first(response, raw),
  ) {
    this.owner = owner
    this.listener = listener
    this.view = view
    this.request = request
    this.raw = raw
    this.response = response
    this.method = method
    if (first !== null) {
      this.next = first.next
      first.next = this as unknown as AnyExchange
      if (first.isSettled) this.#settleLate()
      return
    }
    const connection = Reflect.get(raw, 'socket') as Connection | null
    const hasTurn = connection?._httpMessage === response && connection.destroyed === false
    if (!hasTurn && isOver(raw, response)) {
      // A response that has ended was told of before, if at all, and is forgotten since.
      if (response.writableEnded) this.isSettled = true
      else this.#settleLate()
      return
    }
    this.#awaitEnd(connection)
  }

  /** Nobody tells of the end again. */
  #settleLate(): void {
    const { response } = this
    this.isSettled = true
    keepOther(response, this as unknown as AnyExchange)
    this.listener.settled(this, response, response.writableEnded)
  }

  #awaitEnd(connection: Connection | null): void {
    const { response } = this
    let open = connection?.[KEY]
    if (open === undefined) {
      if (!shared.isListening) listen()
      tellOfHeaders(response)
      if (typeof connection?.server !== 'object' || this.raw.httpVersionMajor !== 1) {
        response.on('finish', onEnd)
        response.on('close', onEnd)
        keepOther(response, this as unknown as AnyExchange)
        return
      }
      open = connection[KEY] = { first: undefined, last: undefined }
      connection.once?.('close', onConnectionEnd)
    }
    if (!shared.isTold) response.on('finish', onEnd)
    this.connection = connection as Connection
    this.before = open.last
    if (open.last === undefined) open.first = this as unknown as AnyExchange
    else open.last.after = this as unknown as AnyExchange
    open.last = this as unknown as AnyExchange
    shared.latest = this as unknown as AnyExchange
  }

  /** The exchange of `owner` that follows a response already. */
  static of(response: ServerResponse, owner: object): AnyExchange | undefined {
    return Exchange.first(response)?.of(owner)
  }

  /** The exchange that has followed a response first. */
  static first(response: ServerResponse, raw?: IncomingMessage): AnyExchange | null {
    const { latest } = shared
    if (latest !== undefined && latest.response === response) return latest
    return exchangeIn(openWith(raw ?? Reflect.get(response, 'req')), response) ?? null
  }

  /** The exchange of `owner` among those that follow the same response, of which this is the first. */
  of(owner: object): AnyExchange | undefined {
    let exchange: AnyExchange | undefined = this as unknown as AnyExchange
    while (exchange !== undefined && exchange.owner !== owner) exchange = exchange.next
    return exchange
  }
}

function openWith(request: IncomingMessage | undefined): OpenExchanges | undefined {
  if (request === undefined) return undefined
  try {
    return (Reflect.get(request, 'socket') as Connection | null | undefined)?.[KEY]
  } catch {
    // With HTTP/2 it is not there any more.
    return undefined
  }
}

function exchangeIn(open: OpenExchanges | undefined, response: ServerResponse): AnyExchange | undefined {
  let exchange = open?.first
  while (exchange !== undefined && exchange.response !== response) exchange = exchange.after
  return exchange === undefined && shared.hasOthers ? shared.others.get(response) : exchange
}

function keepOther(response: ServerResponse, exchange: AnyExchange): void {
  shared.hasOthers = true
  if (!shared.others.has(response)) shared.others.set(response, exchange)
}

/** Whether the end was there first, as where a client leaves while a guard thinks: nobody tells of it again. */
function isOver(raw: IncomingMessage, response: ServerResponse): boolean {
  if (raw.httpVersionMajor !== 1) return (response as { stream?: { destroyed?: boolean } }).stream?.destroyed === true
  return response.closed || raw.socket?.destroyed === true
}

function settle(first: AnyExchange, isComplete: boolean): void {
  const { response } = first
  if (first === shared.latest) shared.latest = undefined
  // Whoever comes to a response that nobody waited for must see that it was told of.
  if (!isComplete) keepOther(response, first)
  leaveConnection(first)
  for (let exchange: AnyExchange | undefined = first; exchange !== undefined; exchange = exchange.next) {
    if (exchange.isSettled) continue
    exchange.isSettled = true
    exchange.listener.settled(exchange, response, isComplete)
  }
}

function leaveConnection(exchange: AnyExchange): void {
  const { connection, before, after } = exchange
  const open = connection?.[KEY]
  if (open === undefined) return
  exchange.connection = undefined
  if (before === undefined) open.first = after
  else before.after = after
  if (after === undefined) open.last = before
  else after.before = before
  // One that has grown old would keep its neighbours, and these theirs, until the next full collection.
  exchange.before = undefined
  exchange.after = undefined
}

/** An HTTP/2 stream that is cancelled emits `finish` too. */
function onEnd(this: ServerResponse): void {
  const first = Exchange.first(this)
  if (first !== null) settle(first, this.writableEnded)
}

function onConnectionEnd(this: Connection): void {
  for (let first = this[KEY]?.first; first !== undefined; first = this[KEY]?.first) {
    // Frameworks may still answer an upload that was cut off, with a 400 that nobody gets.
    settle(first, first.response.writableEnded && first.raw.complete)
  }
}

function listen(): void {
  shared.isListening = true
  subscribe('http.server.response.finish', (message) => {
    shared.isTold = true
    const { response, socket } = message as { response: ServerResponse; socket: Connection | null | undefined }
    const first = exchangeIn(socket?.[KEY], response)
    if (first !== undefined) settle(first, true)
  })
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
    if (first === null || first.status !== 0) return result
    const contentType = contentTypeOf(this, headers ?? reason)
    for (let exchange: AnyExchange | undefined = first; exchange !== undefined; exchange = exchange.next) {
      exchange.status = typeof status === 'number' ? status : this.statusCode
      exchange.listener.headersSent(exchange, contentType)
    }
    return result
  }
}

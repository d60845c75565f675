import { type IncomingMessage, ServerResponse } from 'node:http'
import { requestSeconds } from './clock.ts'
import { keepClassOf } from './kept-class.ts'
import { type Connection, connectionAt, firstOn, keepAtResponse, KEY, Line } from './line.ts'

/** How a framework tells what only it knows of a request. One object for all requests: nothing is made for each. */
export interface FrameworkView<Request> {
  /** The template of the route that answered, mounts included; `undefined` where nothing matched. */
  route(request: Request, response: ServerResponse): string | undefined
  /** The answer has begun: whoever has the request now has answered it. A view without this costs less. */
  headersSent?(request: Request): void
  /** The content type of an answer, where the framework has that at hand; `reply` is what it was given as such. */
  contentType?(reply: unknown): string | undefined
  /**
   * Whether the framework gives every request and response a hidden class of its own, as Express does: in a loop over such
   * a property more costs 9 µs, to look for one in vain 0.7, to read one by its name 0.3, and to read it by `Reflect.get`
   * 0.1. Of all others what is read by its name costs next to nothing, while `Reflect.get` leaves compiled code: five of
   * them were 0.3 µs of a request of Koa's where caches are cold.
   */
  readonly reshapes?: boolean
  /** Of a view that reshapes: the method of its request, which it has best read before that was reshaped. */
  readonly method?: string | undefined
  /** Of a view that reshapes, likewise: what {@link connectionOf} has given. */
  readonly connection?: Connection | undefined
  /** All that is asked has been asked. */
  settled?(request: Request): void
  /** The path parameters that the route found. */
  params?(request: Request): { readonly [name: string]: unknown } | undefined
}

/** Who is told of the beginning and the end of an exchange. */
export interface ExchangeListener<Request> {
  /** Where somebody asks: called at all where this is there as an exchange begins, or its view asks. */
  headersSent?: ((exchange: Exchange<Request>) => void) | undefined
  /** The first part of an answer that is not given whole, with its headers, has gone out. */
  partSent(exchange: Exchange<Request>, response: ServerResponse): void
  /**
   * `isComplete` tells an answer that was given to its end from one that the client did not wait for; `end` is when that
   * was, on the clock of `start`.
   */
  settled(exchange: Exchange<Request>, response: ServerResponse, isComplete: boolean, end: number): void
}

/**
 * Which framework's request it holds is its listener's affair. Its flags are compared with `true` and `false` wherever
 * that is done with each request: the engine does not know that they are nothing else, and what it makes of `if (flag)`
 * is up to ten instructions, and 70 bytes (`--print-opt-code`).
 */
type AnyExchange = Exchange<unknown>

interface Shared {
  /** Prototypes of responses that tell of parts, and those that tell of headers. */
  readonly tellingOfParts: WeakSet<object>
  readonly tellingOfHeaders: WeakSet<object>
  isListening: boolean
  /** Whether Node has been heard to let go of a response that has ended. */
  isTold: boolean
  /**
   * The first exchange of the response that was seen last, until its end, where a framework reshapes responses: who asks
   * for one does so mostly while the request is still being given from one to the next, and what the connection has of
   * exchanges is 400 instructions away with Express (`instructions` in benchmarks), and elsewhere next to none.
   */
  latest: AnyExchange | undefined
}

const shared: Shared = ((globalThis as { [KEY]?: Shared })[KEY] ??= {
  tellingOfParts: new WeakSet(),
  tellingOfHeaders: new WeakSet(),
  isListening: false,
  isTold: false,
  latest: undefined,
})

/**
 * A request and its response, from the first sight of the one to the end of the other: exactly one end is reported.
 * Normally Node tells of it, as it takes the connection off a response that has ended (a subscription to its diagnostics
 * channel would cost a message with four fields for each), and otherwise the end of the connection, which also ends
 * pipelined exchanges whose turn never came, while their responses emit nothing. So no listener is added for a request,
 * except with HTTP/2 and with whoever plays a server: there the first of `finish` and `close` counts.
 */
export class Exchange<Request> {
  readonly owner: object
  readonly listener: ExchangeListener<Request>
  readonly raw: IncomingMessage
  readonly response: ServerResponse
  readonly method: string
  /** Whether what the request and the response have is read by its name: who saw them first did not reshape them. */
  readonly isPlain: boolean
  /** On the monotonic clock, in seconds. */
  readonly start: number
  request: Request
  /** What the framework has for the response, where its view asks for it. */
  reply: unknown = undefined
  view: FrameworkView<Request> | undefined
  /** Held from beginning to end: a gauge whose series was removed in between is not taken below zero. */
  tally: { end(): void } | undefined = undefined
  /** When the headers were sent, and the status in them; only kept where somebody asks for headers. */
  headersAt = 0
  status = 0
  /** Whether they were told of. */
  hasHeaders = false
  /** Whether a part was told of. */
  hasPart = false
  isStream = false
  /** Whether it is not recorded, and only counts as in flight. */
  isLeftOut = false
  requestBytes = 0
  responseBytes = 0
  /** Whether its end has been told of. */
  isSettled = false
  /** Once it is settled, whether the answer was given to its end. */
  isComplete = false
  /** The exchange of another owner that follows the same response. */
  next: AnyExchange | undefined = undefined
  /** Of its connection, with HTTP/1. */
  line: Line | undefined = undefined

  /**
   * Follows nothing before {@link begin}: so it is small enough to be made where it is asked for. `owner` tells exchanges
   * of different registries apart: a response has one of each. `start` is when the request came: read here, the clock
   * would stand between the making of an object and its fields, each of which had to tell the collector of itself then
   * (100 instructions of a request of Koa's: `instructions` in benchmarks).
   */
  constructor(
    owner: object,
    listener: ExchangeListener<Request>,
    view: FrameworkView<Request> | undefined,
    request: Request,
    raw: IncomingMessage,
    response: ServerResponse,
    method: string,
    isPlain: boolean,
    start: number,
  ) {
    this.owner = owner
    this.listener = listener
    this.view = view
    this.request = request
    this.raw = raw
    this.response = response
    this.method = method
    this.isPlain = isPlain
    this.start = start
  }

  /** Begins to follow. `connection` and `first` are what `connectionOf` and `firstOn` give. */
  begin(connection: Connection | undefined, first: AnyExchange | undefined): void {
    const { listener, response, view } = this
    if (listener.headersSent !== undefined || view?.headersSent !== undefined) tellOfHeaders(response)
    const self = this as unknown as AnyExchange
    if (first === undefined) return beginFirst(self, connection)
    this.next = first.next
    first.next = self
    if (first.isSettled) settleLate(self, first.isComplete)
  }

  /** Told by a view that comes later what the first one could not tell. */
  see(view: FrameworkView<Request>, request: Request, reply: unknown): void {
    this.view = view
    this.request = request
    this.reply = reply
    if (view.headersSent !== undefined) tellOfHeaders(this.response)
  }

  /** The exchange of `owner` that follows a response already. */
  static of(response: ServerResponse, owner: object): AnyExchange | undefined {
    return Exchange.first(response)?.of(owner)
  }

  /** The exchange that has followed a response first. */
  static first(response: ServerResponse): AnyExchange | undefined {
    const { latest } = shared
    return latest?.response === response ? latest : firstOn(connectionAt(response), response)
  }

  /** The exchange of `owner` among those that follow the same response, of which this is the first. */
  of(owner: object): AnyExchange | undefined {
    let exchange: AnyExchange | undefined = this as unknown as AnyExchange
    while (exchange !== undefined && exchange.owner !== owner) exchange = exchange.next
    return exchange
  }
}

keepClassOf(new Exchange({}, {} as never, undefined, {}, {} as never, {} as never, '', true, 0.5))

/** Of the first one of a response. As a private method it would put a property more on each, which tells its class. */
function beginFirst(exchange: AnyExchange, connection: Connection | undefined): void {
  const { response } = exchange
  if (exchange.isPlain === false) shared.latest = exchange
  const line = connection?.[KEY]
  // As it mostly is.
  if (line?.isOpen === true && connection?._httpMessage === response) {
    line.begin(exchange)
    if (shared.isTold === false) response.on('finish', onEnd)
  } else beginAt(exchange, connection, line)
}

/** The first of its connection, or one that has not its turn, or that comes when the connection has ended. */
function beginAt(exchange: AnyExchange, connection: Connection | undefined, known: Line | undefined): void {
  const { raw, response } = exchange
  const hasTurn = connection?._httpMessage === response && connection.destroyed === false
  // A response that has ended was told of before, if at all.
  if (!hasTurn && isOver(raw, response)) {
    keepAtResponse(exchange, known)
    return settleLate(exchange, response.writableEnded)
  }
  let line = known
  if (line === undefined) {
    if (!shared.isListening) listen()
    tellOfParts(response)
    if (typeof connection?.server !== 'object') {
      response.on('finish', onEnd)
      response.on('close', onEnd)
      return keepAtResponse(exchange, undefined)
    }
    line = connection[KEY] = new Line()
    connection.once?.('close', onConnectionEnd)
  }
  if (!shared.isTold) response.on('finish', onEnd)
  if (hasTurn) line.begin(exchange)
  else line.keep(exchange)
}

/** Nobody tells of the end again, and one that was told of is not counted here. */
function settleLate(exchange: AnyExchange, isComplete: boolean): void {
  const { listener, response } = exchange
  exchange.isSettled = true
  exchange.isComplete = isComplete
  shared.latest = undefined
  if (!isComplete) listener.settled(exchange, response, response.writableEnded, requestSeconds())
}

/** Whether the end was there first, as where a client leaves while a guard thinks: nobody tells of it again. */
function isOver(raw: IncomingMessage, response: ServerResponse): boolean {
  if (raw.httpVersionMajor !== 1) return (response as { stream?: { destroyed?: boolean } }).stream?.destroyed === true
  return response.closed || response.writableFinished || raw.socket?.destroyed === true
}

function settle(first: AnyExchange, isComplete: boolean, end: number): void {
  const { response } = first
  if (shared.latest === first) shared.latest = undefined
  if (isComplete === true) first.line?.drop(first)
  for (let exchange: AnyExchange | undefined = first; exchange !== undefined; exchange = exchange.next) {
    if (exchange.isSettled === true) continue
    exchange.isSettled = true
    exchange.isComplete = isComplete
    exchange.listener.settled(exchange, response, isComplete, end)
  }
}

/** An HTTP/2 stream that is cancelled emits `finish` too. */
function onEnd(this: ServerResponse): void {
  const first = Exchange.first(this)
  if (first !== undefined) settle(first, this.writableEnded, requestSeconds())
}

function onConnectionEnd(this: Connection): void {
  const line = this[KEY] as Line
  const { current, others } = line
  line.isOpen = false
  if (current !== undefined) settleCutOff(current)
  for (const first of others) settleCutOff(first)
}

/** Frameworks may still answer an upload that was cut off, with a 400 that nobody gets. */
function settleCutOff(first: AnyExchange): void {
  settle(first, first.response.writableEnded && first.raw.complete, requestSeconds())
}

/** Node takes the connection off every response that has ended; an application may do so with one that has not. */
function listen(): void {
  shared.isListening = true
  const original = ServerResponse.prototype.detachSocket
  ServerResponse.prototype.detachSocket = function detachSocket(connection) {
    const line = (connection as Connection)[KEY]
    if (line !== undefined) detached(this, line)
    original.call(this, connection)
  }
}

/**
 * Apart from the function that Node calls: what is compiled into Node's own that way takes the place of what is Node's.
 * Within it a request of Koa's cost 0.39 µs more than bare, and so 0.32 (`koa` in benchmarks, four rounds by turns).
 */
function detached(response: ServerResponse, line: Line): void {
  const first = line.of(response)
  if (first === undefined) return
  if ((first.isPlain === true ? response.finished : Reflect.get(response, 'finished')) === true) {
    shared.isTold = true
    settle(first, true, requestSeconds())
  } else if (!first.isSettled) {
    // It is not the connection's any more when that closes.
    line.keep(first)
  }
}

type Method = (this: ServerResponse, ...args: unknown[]) => unknown
type Methods = { writeHead: Method; write: Method; flushHeaders: Method }

/** The prototype of the response that was last made to tell of headers: those of an application have the same. */
let lastTelling: object | null | undefined

/**
 * Has answers of a kind tell of headers: all ways of sending them go through `writeHead`. Wrapped once, where responses
 * inherit it from; where a response has only its own, there.
 */
function tellOfHeaders(response: ServerResponse): void {
  const prototype = Object.getPrototypeOf(response) as object | null
  if (prototype === lastTelling) return
  const target = ownerOfMethods(response)
  if (target !== (response as unknown)) lastTelling = prototype
  if (shared.tellingOfHeaders.has(target)) return
  shared.tellingOfHeaders.add(target)
  const { writeHead: original } = target
  target.writeHead = function writeHead(...args) {
    const result = original.apply(this, args)
    const first = Exchange.first(this)
    if (first === undefined || first.hasHeaders) return result
    first.hasHeaders = true
    const status = Math.trunc(Number(args[0]))
    for (let exchange: AnyExchange | undefined = first; exchange !== undefined; exchange = exchange.next) {
      exchange.status = status
      exchange.view?.headersSent?.(exchange.request)
      exchange.listener.headersSent?.(exchange)
    }
    return result
  }
}

/** Has answers of a kind tell of the first part that goes out by itself. With HTTP/1 one that is given whole has none. */
function tellOfParts(response: ServerResponse): void {
  const target = ownerOfMethods(response)
  if (shared.tellingOfParts.has(target)) return
  shared.tellingOfParts.add(target)
  for (const name of ['write', 'flushHeaders'] as const) {
    const own = Object.hasOwn(target, name) ? target[name] : undefined
    const parent = Object.getPrototypeOf(target) as Methods
    target[name] = function (...args) {
      const result = (own ?? parent[name]).apply(this, args)
      const first = Exchange.first(this)
      if (first?.hasPart === false) tellOfPart(first, this)
      return result
    }
  }
}

function tellOfPart(first: AnyExchange, response: ServerResponse): void {
  first.hasPart = true
  for (let exchange: AnyExchange | undefined = first; exchange !== undefined; exchange = exchange.next) {
    if (!exchange.isSettled) exchange.listener.partSent(exchange, response)
  }
}

/** The prototype that the class of a response has put its `writeHead` on. */
function ownerOfMethods(response: ServerResponse): Methods {
  let owner = Object.getPrototypeOf(response) as object | null
  while (owner !== null && !Object.hasOwn(owner, 'writeHead')) owner = Object.getPrototypeOf(owner) as object | null
  return (owner ?? response) as Methods
}

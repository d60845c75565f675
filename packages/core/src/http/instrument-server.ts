import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Http2SecureServer, Http2Server } from 'node:http2'
import type { Server as HttpsServer } from 'node:https'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { MetricError } from '../errors.ts'
import type { Registry } from '../registry.ts'
import { Exchange } from './exchange.ts'
import { onFirstAnswer } from './first-answer.ts'
import type { HttpMetricsOptions } from './http-metrics-options.ts'
import { HttpMetrics } from './request-metrics.ts'

/** Whose requests can be counted without a framework. */
export type InstrumentableServer = Server | HttpsServer | Http2Server | Http2SecureServer

/** A server whose requests are counted. */
export interface InstrumentedServer extends Disposable {
  /** Counts no more requests; those under way are counted when they end. The metrics stay where they are. */
  stop(): void
}

type Emit = (this: unknown, event: string | symbol, ...args: unknown[]) => boolean

/** Where Node tells of every request of HTTP/1 that it could read, also of those that it answers itself. */
const REQUEST_START = 'http.server.request.start'

/** What Node answers to what it cannot read: by the code of the error, otherwise 400. */
const REFUSALS: { readonly [code: string]: number } = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}

/**
 * Counts all that reaches a server, also what no framework sees: requests that are malformed or late, that Node answers
 * itself or that come while the application closes, and upgrades and tunnels, whose connections are streams. What a
 * framework's adapter follows on the same registry is counted once, with the adapter's route; all else has the route
 * `<unmatched>`. Takes the adapter's options: where both are on, these are the ones that count.
 *
 * Adds no listener to the server, since some change how Node answers: it looks at what the server emits, and at a
 * channel of `node:diagnostics_channel`. A request costs what `HttpMetrics` costs, and an entry in a map.
 *
 * Throws `MetricError` for what is no server, and what `HttpMetrics` throws.
 */
export function instrumentServer(
  server: InstrumentableServer,
  options: HttpMetricsOptions<IncomingMessage> = {},
): InstrumentedServer {
  if (typeof server?.emit !== 'function' || typeof server.listen !== 'function') refuseServer(server)
  const metrics = new HttpMetrics<IncomingMessage>(options)
  const { registry } = metrics
  const hasIgnore = options.ignore !== undefined
  const hadOwn = Object.hasOwn(server, 'emit')
  const original = server.emit as Emit
  const target = server as unknown as { emit?: Emit }
  let isStopped = false

  target.emit = emit
  subscribe(REQUEST_START, onStart)
  return { stop, [Symbol.dispose]: stop }

  function emit(this: unknown, event: string | symbol, ...args: unknown[]): boolean {
    if (!isStopped) {
      try {
        look(event, args)
      } catch {
        registry.countLoss('hook_errors', 'record')
      }
    }
    return original.call(this, event, ...args)
  }

  function look(event: string | symbol, args: unknown[]): void {
    switch (event) {
      case 'request':
      case 'checkContinue':
      case 'checkExpectation':
        follow(args[0] as IncomingMessage, args[1] as ServerResponse)
        break
      case 'upgrade':
      case 'connect': {
        const request = args[0] as IncomingMessage
        // With HTTP/2 it has a response, as any other request.
        if (request.httpVersionMajor !== 1) follow(request, args[1] as ServerResponse)
        else followSocket(request, args[1] as Duplex)
        break
      }
      case 'clientError':
        countRefusal(args[0] as NodeJS.ErrnoException, args[1] as Socket)
    }
  }

  function onStart(message: unknown): void {
    const { request, response, server: from } = message as StartMessage
    if (from !== server) return
    try {
      follow(request, response)
    } catch {
      registry.countLoss('hook_errors', 'record')
    }
  }

  function follow(request: IncomingMessage, response: ServerResponse): void {
    if (isLeftOut(request)) return
    metrics.follow(undefined, request, request, response)
  }

  /** Its response stands in for what is written to the socket; `Exchange` notices when that closes. */
  function followSocket(request: IncomingMessage, socket: Duplex): void {
    if (isLeftOut(request) || !isFirstSight(registry, request)) return
    const response = new ServerResponse(request)
    metrics.follow(undefined, request, request, response)
    const taken = request.method === 'CONNECT' ? 200 : 101
    onFirstAnswer(socket, (status = taken) => {
      // Who answers when the client has left says nothing any more.
      if (socket.destroyed || Exchange.of(response, registry)?.isSettled !== false) return
      // The type marks it as a stream, of which this is a part.
      if (status === taken) response.setHeader('Content-Type', 'text/event-stream')
      response.writeHead(status)
      if (status === taken) response.flushHeaders()
      response.end()
    })
  }

  function countRefusal(error: NodeJS.ErrnoException, socket: Socket): void {
    if (!isRefusal(error) || hasRequest(socket) || !isFirstSight(registry, error)) return
    const count = once((status = REFUSALS[error.code as string] ?? 400) => {
      const request = unreadRequest(socket)
      const response = new ServerResponse(request)
      metrics.follow(undefined, request, request, response)
      response.writeHead(status)
      response.end()
      response.emit('close')
    })
    if (!socket.writable) return count(undefined)
    onFirstAnswer(socket, count)
    socket.once('close', () => count(undefined))
  }

  function isLeftOut(request: IncomingMessage): boolean {
    return hasIgnore && metrics.ignores(pathOf(request.url ?? ''), request)
  }

  function stop(): void {
    if (isStopped) return
    isStopped = true
    unsubscribe(REQUEST_START, onStart)
    // One that somebody has wrapped since stays, and passes everything on.
    if (target.emit !== emit) return
    if (hadOwn) target.emit = original
    else delete target.emit
  }
}

interface StartMessage {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly server: unknown
}

/** What a registry has counted already, where a server is instrumented twice. */
const seen = new WeakMap<Registry, WeakSet<object>>()

function isFirstSight(registry: Registry, what: object): boolean {
  let ofRegistry = seen.get(registry)
  if (ofRegistry === undefined) seen.set(registry, (ofRegistry = new WeakSet()))
  if (ofRegistry.has(what)) return false
  ofRegistry.add(what)
  return true
}

/** Others are of the connection, as where a client resets it or TLS fails: there may have been no request at all. */
function isRefusal(error: NodeJS.ErrnoException): boolean {
  const { code } = error
  return typeof code === 'string' && (code.startsWith('HPE_') || code === 'ERR_HTTP_REQUEST_TIMEOUT')
}

/** Whether the error is in the body of a request that is followed. Node's own affair: nothing public tells it. */
function hasRequest(socket: Socket): boolean {
  const { parser } = socket as Socket & { parser?: { incoming?: { complete?: boolean } | null } | null }
  return parser?.incoming?.complete === false
}

/** Stands in for a request that could not be read. On the socket itself `Exchange` would wait for its end. */
function unreadRequest(socket: Socket): IncomingMessage {
  const { encrypted } = socket as Socket & { encrypted?: boolean }
  return new IncomingMessage(Object.assign(new Socket(), { encrypted }))
}

function once(count: (status?: number) => void): (status: number | undefined) => void {
  let isCounted = false
  return (status) => {
    if (isCounted) return
    isCounted = true
    count(status)
  }
}

function pathOf(target: string): string {
  const end = target.search(/[?#]/)
  return end < 0 ? target : target.slice(0, end)
}

function refuseServer(server: unknown): never {
  const rule = 'to be a server of node:http, node:https or node:http2'
  const subject = 'instrumentServer'
  throw new MetricError('ERR_NARTHEX_INVALID_ARGUMENT', { subject, argument: 'server', rule, value: typeof server })
}

import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { ServerOptions as TlsOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { emitWarning } from '../warning.ts'
import { CredentialCheck } from './credentials.ts'
import { metricsHandler, type MetricsHandler } from './handler.ts'
import { landingPage } from './landing-page.ts'
import { type Address, listen } from './listen.ts'
import { OpenAnswers } from './open-answers.ts'
import { checkServerOptions, type MetricsServerOptions, refuseOption, refuseSecret } from './server-options.ts'

/** A server that was started. */
export interface MetricsServer extends AsyncDisposable {
  /** Where the page is: `http://localhost:8000/metrics`, or `unix:/run/app.sock` for a Unix socket. */
  readonly url: string
  /** Stops listening, lets scrapes under way end for up to `closeTimeout`, and resolves when all is closed. */
  close(): Promise<void>
}

const HEALTHY = '/-/healthy'
/** Bytes that the headers of a request may have; more are answered with 431. */
const MAX_HEADER_BYTES = 16 * 1024
/** Milliseconds: longer than scrapes are apart, so that a scraper keeps its connection. */
const KEEP_ALIVE = 90_000

/**
 * Serves a registry's page on a port of its own, as the Python client's `start_http_server` does, with a landing page
 * at `/` and `/-/healthy` for whoever looks after the process. Resolves when it listens; rejects with an `Error` that
 * names the port where that cannot be had, and with `MetricError` for wrong options. The process stays alive until
 * `close`.
 *
 * What clients can take of it is bounded: connections, scrapes at once, bytes of headers, and the time to send a
 * request or to read a page.
 */
export async function startMetricsServer(portOrOptions: number | MetricsServerOptions): Promise<MetricsServer> {
  const options = checkServerOptions(typeof portOrOptions === 'number' ? { port: portOrOptions } : portOrOptions)
  const pages = pagesOf(options)
  const refusal = gate(options)
  const answers = new OpenAnswers()
  const server = await serverOf(options, (request, response) => {
    answers.add(request, response)
    serve(request, response).catch((error: unknown) => failed(response, error))
  })
  const address = addressOf(options)
  await listen(server, address)
  // One that cannot accept a connection, for want of a file descriptor, may say so with an error; it goes on.
  server.on('error', warnOnce())
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => (closed ??= answers.close(server, options.closeTimeout ?? 1_000))
  return { url: urlOf(server, options, pages), close, [Symbol.asyncDispose]: close }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request.url ?? '/')
    const page = pages.get(path)
    if (path === HEALTHY && page === undefined) return answer(request, response, 'text/plain', 'Healthy\n')
    const refused = await refusal(request)
    if (refused !== undefined) return refuse(response, refused)
    if (page !== undefined) return page(request, response)
    if (path === '/') {
      return answer(request, response, 'text/html', landingPage(options.title ?? 'Metrics', [...pages.keys(), HEALTHY]))
    }
    refuse(response, { status: 404, text: `Not found: the metrics are at ${[...pages.keys()].join(', ')}` })
  }
}

/** A page is a listener of its own; what it returns may be a Promise, whatever its type says. */
type Pages = ReadonlyMap<string, (request: IncomingMessage, response: ServerResponse) => void | Promise<void>>

function pagesOf(options: MetricsServerOptions): Pages {
  const { registry, path, paths, compression, maxRequestsInFlight, timeout } = options
  const scrape = { compression, maxRequestsInFlight, timeout }
  const pages = new Map<string, MetricsHandler>()
  const isOnly = paths === undefined || Object.keys(paths).length === 0
  if (isOnly || registry !== undefined || path !== undefined) {
    pages.set(path ?? '/metrics', metricsHandler({ ...scrape, registry }))
  }
  for (const [at, page] of Object.entries(paths ?? {})) {
    if (pages.has(at)) refuseOption('paths', `to leave \`${at}\` to the page of \`registry\``, at)
    pages.set(at, typeof page === 'function' ? page : metricsHandler({ ...scrape, registry: page }))
  }
  return pages
}

interface Refusal {
  readonly status: number
  readonly text: string
  readonly headers?: Readonly<Record<string, string | string[]>>
}

/** Who gets past: one gate before all pages, so that no spelling of a path leads around it. */
function gate({ auth, authorize }: MetricsServerOptions): (request: IncomingMessage) => Promise<Refusal | undefined> {
  const check = auth === undefined ? undefined : new CredentialCheck('startMetricsServer', auth)
  const challenges = check === undefined ? ['Bearer realm="metrics"'] : [...check.challenges]
  const unauthorized = { status: 401, text: 'Unauthorized', headers: { 'WWW-Authenticate': challenges } }
  return async (request) => {
    if (check !== undefined && !check.admits(request.headers.authorization)) return unauthorized
    try {
      if (authorize !== undefined && (await authorize(request)) !== true) return unauthorized
    } catch {
      return { status: 500, text: 'The authorize option of the metrics endpoint has thrown' }
    }
    return undefined
  }
}

function answer(request: IncomingMessage, response: ServerResponse, type: string, body: string): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refuse(response, { status: 405, text: 'Method not allowed', headers: { Allow: 'GET, HEAD' } })
  }
  const length = Buffer.byteLength(body)
  response
    .writeHead(200, { ...textHeaders(type), 'Content-Length': length })
    .end(request.method === 'GET' ? body : undefined)
}

function refuse(response: ServerResponse, { status, text, headers }: Refusal): void {
  response.writeHead(status, { ...textHeaders('text/plain'), ...headers }).end(`${text}\n`)
}

function textHeaders(type: string): Record<string, string> {
  return { 'Content-Type': `${type}; charset=utf-8`, 'X-Content-Type-Options': 'nosniff' }
}

/** A handler of the application's own has thrown. */
function failed(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy(error as Error)
  else refuse(response, { status: 500, text: 'The handler of this path has thrown' })
}

async function serverOf(options: MetricsServerOptions, listener: RequestListener): Promise<Server> {
  const { tls, requestTimeout = 10_000, maxConnections = 2_000 } = options
  const limits = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: requestTimeout,
    requestTimeout,
    keepAliveTimeout: KEEP_ALIVE,
    connectionsCheckingInterval: Math.min(Math.max(requestTimeout / 2, 10), 5_000),
  }
  const server =
    tls === undefined
      ? createServer(limits, listener)
      : await tlsServer({ ...limits, handshakeTimeout: requestTimeout, ...tls }, listener)
  server.maxConnections = maxConnections
  return server
}

async function tlsServer(options: TlsOptions, listener: RequestListener): Promise<Server> {
  const { key, cert, pfx, SNICallback } = options
  // Left out of the message: the value holds the key.
  const rule = 'to hold `key` and `cert`, `pfx` or `SNICallback`'
  if ((key === undefined || cert === undefined) && pfx === undefined && SNICallback === undefined)
    refuseSecret('tls', rule)
  // Few have it, and its agent is one of the emitters that an import should not make.
  const https = await import('node:https')
  try {
    return https.createServer(options, listener)
  } catch (error) {
    return refuseSecret('tls', `to be options that node:tls takes (${(error as Error).message})`)
  }
}

function warnOnce(): (error: Error) => void {
  let warned = false
  return ({ message }) => {
    if (!warned) emitWarning(`The metrics server goes on after an error: ${message}`, 'NARTHEX_SERVER_ERROR')
    warned = true
  }
}

function addressOf({ port = 0, host, socket }: MetricsServerOptions): Address {
  return socket === undefined ? { port, host } : { socket }
}

function urlOf(server: Server, { host, socket, tls }: MetricsServerOptions, pages: Pages): string {
  if (socket !== undefined) return `unix:${socket}`
  const { port } = server.address() as AddressInfo
  const [path = ''] = pages.keys()
  return `${tls === undefined ? 'http' : 'https'}://${urlHost(host)}:${port}${path}`
}

function urlHost(host: string | undefined): string {
  if (host === undefined || host === '::' || host === '0.0.0.0') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

/** The path of a request target, whether a client sent it alone or as an absolute URL (RFC 9112, 3.2.2). */
function pathOf(target: string): string {
  const origin = /^https?:\/\/[^/?#]*/i.exec(target)?.[0] ?? ''
  const path = target.slice(origin.length)
  const end = path.search(/[?#]/)
  return (end < 0 ? path : path.slice(0, end)) || '/'
}

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions as TlsOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { MetricError, refuseUnknownOptions } from '../errors.ts'
import { metricsHandler, type MetricsHandlerOptions } from './handler.ts'
import { SCRAPE_OPTIONS } from './scrape.ts'

export interface MetricsServerOptions extends MetricsHandlerOptions {
  /** TCP port; 0 takes a free one. */
  readonly port: number
  /**
   * Address to listen on.
   * @default all addresses, IPv6 and IPv4
   */
  readonly host?: string
  /**
   * Where the page is.
   * @default '/metrics'
   */
  readonly path?: string
  /** Key and certificate, and whatever else `node:tls` takes: the server then speaks HTTPS. */
  readonly tls?: TlsOptions
}

/** A server that was started. */
export interface MetricsServer extends AsyncDisposable {
  /** Where the page is: `http://localhost:8000/metrics`. */
  readonly url: string
  /** Stops listening, lets scrapes under way end for up to a second, and resolves when all is closed. */
  close(): Promise<void>
}

/**
 * Serves a registry's page on a port of its own, as the Python client's `start_http_server` does. Resolves when it
 * listens; rejects where the port cannot be had, and with `MetricError` for wrong options. The process stays alive until
 * `close`.
 */
export async function startMetricsServer(portOrOptions: number | MetricsServerOptions): Promise<MetricsServer> {
  const options = typeof portOrOptions === 'number' ? { port: portOrOptions } : portOrOptions
  const { port, host, path = '/metrics', tls, ...scrape } = checkOptions(options)
  const serveMetrics = metricsHandler(scrape)
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    if (pathOf(request.url ?? '/') === path) return serveMetrics(request, response)
    response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`Not found: the metrics are at ${path}\n`)
  }
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  await listen(server, port, host)
  const { port: taken } = server.address() as AddressInfo
  const close = (): Promise<void> => closeServer(server)
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${urlHost(host)}:${taken}${path}`,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function checkOptions(options: MetricsServerOptions): MetricsServerOptions {
  const subject = 'startMetricsServer'
  const refuse = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument, rule, value })
  }
  if (typeof options !== 'object' || options === null) refuse('options', 'to be a port or an object', options)
  refuseUnknownOptions(subject, undefined, options, ['port', 'host', 'path', 'tls', ...SCRAPE_OPTIONS])
  const { port, path = '/metrics' } = options
  if (!Number.isInteger(port) || port < 0 || port > 65_535) refuse('port', 'to be an integer from 0 to 65535', port)
  if (typeof path !== 'string' || !path.startsWith('/')) refuse('path', 'to be a path that starts with `/`', path)
  return options
}

/** The path of a request target, whether a client sent it alone or as an absolute URL (RFC 9112, 3.2.2). */
function pathOf(target: string): string {
  const path = /^https?:\/\/[^/?#]*/i.test(target) ? target.replace(/^https?:\/\/[^/?#]*/i, '') : target
  const end = path.search(/[?#]/)
  return end < 0 ? path : path.slice(0, end)
}

function urlHost(host: string | undefined): string {
  if (host === undefined || host === '::' || host === '0.0.0.0') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

function listen(server: Server, port: number, host: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), 1_000)
    server.close(() => {
      clearTimeout(force)
      resolve()
    })
    server.closeIdleConnections()
  })
}

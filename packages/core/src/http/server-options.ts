import type { ServerOptions as TlsOptions } from 'node:https'
import type { Gatherer } from '../collector.ts'
import { MetricError, refuseUnknownOptions } from '../errors.ts'
import type { AcceptedCredentials } from './credentials.ts'
import type { MetricsHandler, MetricsHandlerOptions } from './handler.ts'
import { SCRAPE_OPTIONS } from './scrape.ts'

export interface MetricsServerOptions extends MetricsHandlerOptions {
  /** TCP port; 0 takes a free one. Needed unless there is a `socket`. */
  readonly port?: number
  /**
   * Address to listen on.
   * @default all addresses, IPv6 and IPv4
   */
  readonly host?: string
  /** Path of a Unix socket to listen on instead of a port. One that a dead process left behind is replaced. */
  readonly socket?: string
  /**
   * Where the page is.
   * @default '/metrics'
   */
  readonly path?: string
  /**
   * More pages, by their path: a registry, or a handler such as `probeHandler` gives. With `paths`, the page of
   * `registry` is there only where `registry` or `path` is given too.
   */
  readonly paths?: { readonly [path: string]: Gatherer | MetricsHandler }
  /**
   * Heading of the landing page at `/`, which links to the others.
   * @default 'Metrics'
   */
  readonly title?: string
  /**
   * Key and certificate, and whatever else `node:tls` takes: the server then speaks HTTPS. With `requestCert: true` and
   * the `ca` of the clients, only those with a certificate get in.
   */
  readonly tls?: TlsOptions
  /**
   * Who may come in: `{ username, password }`, `{ bearer }`, or several of them. Everything but `/-/healthy` asks for
   * it. A request needs the consent of `authorize` too, where that is given.
   */
  readonly auth?: AcceptedCredentials | readonly AcceptedCredentials[]
  /**
   * Milliseconds in which a client must have sent all of its request, and have finished a TLS handshake.
   * @default 10_000
   */
  readonly requestTimeout?: number
  /**
   * Connections at once; more are closed as they come.
   * @default 2_000
   */
  readonly maxConnections?: number
  /**
   * Milliseconds that `close` leaves to scrapes under way.
   * @default 1_000
   */
  readonly closeTimeout?: number
}

const SUBJECT = 'startMetricsServer'

const OPTIONS = [
  'port',
  'host',
  'socket',
  'path',
  'paths',
  'title',
  'tls',
  'auth',
  'requestTimeout',
  'maxConnections',
  'closeTimeout',
  ...SCRAPE_OPTIONS,
] as const

/** Gives the options back, or throws `MetricError`. What has a secret in it is left out of messages. */
export function checkServerOptions(options: MetricsServerOptions): MetricsServerOptions {
  if (typeof options !== 'object' || options === null) refuseOption('options', 'to be a port or an object', options)
  refuseUnknownOptions(SUBJECT, undefined, options, OPTIONS)
  const { port, host, socket, path, paths, title, tls, authorize } = options
  if (socket !== undefined) {
    if (typeof socket !== 'string' || socket === '') refuseOption('socket', 'to be the path of a Unix socket', socket)
    if (port !== undefined || host !== undefined) refuseOption('socket', 'to stand without `port` and `host`', socket)
  } else if (!Number.isInteger(port) || (port as number) < 0 || (port as number) > 65_535) {
    refuseOption('port', 'to be an integer from 0 to 65535', port)
  }
  if (host !== undefined && (typeof host !== 'string' || host === '')) refuseOption('host', 'to be an address', host)
  if (path !== undefined) checkPath('path', path)
  if (paths !== undefined) checkPaths(paths)
  if (title !== undefined && typeof title !== 'string') refuseOption('title', 'to be a string', title)
  if (tls !== undefined && (typeof tls !== 'object' || tls === null)) refuseSecret('tls', 'to be an object')
  if (authorize !== undefined && typeof authorize !== 'function')
    refuseOption('authorize', 'to be a function', authorize)
  for (const argument of ['requestTimeout', 'closeTimeout', 'maxConnections'] as const) {
    const value = options[argument]
    if (value !== undefined && (typeof value !== 'number' || !(value > 0 && value <= 0x7fffffff))) {
      refuseOption(argument, `to be a number${argument === 'maxConnections' ? '' : ' of milliseconds'} > 0`, value)
    }
  }
  return options
}

function checkPaths(paths: object): void {
  if (typeof paths !== 'object' || paths === null) refuseOption('paths', 'to be an object', paths)
  for (const [path, page] of Object.entries(paths) as [string, Gatherer | MetricsHandler][]) {
    checkPath('paths', path)
    if (typeof page !== 'function' && typeof page?.gather !== 'function') {
      refuseOption('paths', `to hold registries and handlers, at \`${path}\` too`, page)
    }
  }
}

/** A path that is spelled in another way than clients send it could never be met. */
function checkPath(argument: string, path: unknown): void {
  const isPath = typeof path === 'string' && /^\/(?!\/)/.test(path)
  if (isPath && URL.canParse(`http://localhost${path}`) && new URL(`http://localhost${path}`).pathname === path) return
  refuseOption(argument, 'to be a path that starts with `/`, as clients send it: percent-encoded, without query', path)
}

/** Throws `ERR_NARTHEX_INVALID_OPTION` of the server. */
export function refuseOption(argument: string, rule: string, value: unknown): never {
  throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject: SUBJECT, argument, rule, value })
}

/** The same without the value, which may hold a key or a password. */
export function refuseSecret(argument: string, rule: string): never {
  throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject: SUBJECT, argument, rule })
}

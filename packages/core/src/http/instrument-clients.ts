import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { monotonicSeconds } from '../clock.ts'
import { MetricError, refuseUnknownOptions } from '../errors.ts'
import type { Counter } from '../metrics/counter.ts'
import type { Histogram } from '../metrics/histogram.ts'
import { defaultRegistry, type Registry } from '../registry.ts'
import { knownMethod } from './request-labels.ts'

export interface ClientMetricsOptions {
  /**
   * Where the metrics live.
   * @default defaultRegistry
   */
  readonly registry?: Registry
  /**
   * Hosts that appear by their names, with the port where it is not the usual one: `api.example.com:8443`; any other is
   * `other`. Give it where a stranger can choose the host. Without it every host appears, up to `maxSeries`.
   */
  readonly hosts?: readonly string[]
  /**
   * Upper bounds of the duration histogram, in seconds.
   * @default [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
   */
  readonly buckets?: readonly number[]
  /** How many series each metric may have: see `MetricOptions.maxSeries`. */
  readonly maxSeries?: number
}

/** Clients whose requests are counted. */
export interface InstrumentedClients extends Disposable {
  /** Counts no more requests, nor those under way. The metrics stay where they are. */
  stop(): void
}

const OPTIONS = ['registry', 'hosts', 'buckets', 'maxSeries'] as const

/**
 * Counts the requests that this process makes, through `fetch`, undici or `node:http`, each when its answer has been
 * read or has failed: `http_client_requests_total` and `http_client_request_duration_seconds` by `method`, `host` and
 * `code`, which is `error` where there was no answer or it broke off. Each redirect and each retry is a request.
 * Nothing is wrapped: Node and undici, also undici from npm, tell of them through `node:diagnostics_channel`.
 *
 * A request costs an entry in a WeakMap, two clock reads, a look-up in two metrics, and with `node:http` a listener.
 * Throws `MetricError` for unknown or invalid options, and where metrics of these names are defined otherwise.
 */
export function instrumentClients(options: ClientMetricsOptions = {}): InstrumentedClients {
  const recorder = new ClientMetrics('instrumentClients', options)
  return listening({ ...undiciListeners(recorder), ...nodeListeners(recorder) })
}

/** As {@link instrumentClients}, for `fetch` and undici alone. */
export function instrumentFetch(options: ClientMetricsOptions = {}): InstrumentedClients {
  return listening(undiciListeners(new ClientMetrics('instrumentFetch', options)))
}

/** A request that has begun and not ended. */
interface Call {
  readonly recorder: ClientMetrics
  readonly start: number
  status: number
}

/** Of all registries: where two recorders share one, the first to see a request counts it. */
const calls = new WeakMap<Registry, WeakMap<object, Call>>()

class ClientMetrics {
  readonly #registry: Registry
  readonly #open: WeakMap<object, Call>
  readonly #hosts: ReadonlySet<string> | undefined
  readonly #requests: Counter<'method' | 'host' | 'code'>
  readonly #duration: Histogram<'method' | 'host' | 'code'>

  constructor(subject: string, options: ClientMetricsOptions) {
    checkOptions(subject, options)
    const { registry = defaultRegistry, hosts, buckets, maxSeries } = options
    const shared = { labelNames: ['method', 'host', 'code'] as const, maxSeries }
    this.#registry = registry
    this.#hosts = hosts === undefined ? undefined : new Set(hosts.map((host) => host.toLowerCase()))
    this.#requests = registry.counter({
      name: 'http_client_requests_total',
      help: 'HTTP requests of this process to others that ended.',
      ...shared,
    })
    this.#duration = registry.histogram({
      name: 'http_client_request_duration_seconds',
      help: 'Seconds from the beginning of an HTTP request of this process to the end of its answer.',
      ...shared,
      buckets,
    })
    let open = calls.get(registry)
    if (open === undefined) calls.set(registry, (open = new WeakMap()))
    this.#open = open
  }

  /** False where somebody else has seen it. */
  begin(request: object): boolean {
    if (this.#open.has(request)) return false
    this.#open.set(request, { recorder: this, start: monotonicSeconds(), status: 0 })
    return true
  }

  answered(request: object, status: number): void {
    const call = this.#open.get(request)
    if (call?.recorder === this) call.status = status
  }

  /** Counts it, once. Where it `failed`, what the answer had said does not matter. */
  end(request: object, method: unknown, host: () => string, failed: boolean): void {
    const call = this.#open.get(request)
    if (call?.recorder !== this) return
    this.#open.delete(request)
    try {
      const code = failed || call.status === 0 ? 'error' : String(call.status)
      const labels = [knownMethod(String(method)), this.#hostLabel(host()), code] as const
      this.#requests.labels(...labels).inc()
      this.#duration.labels(...labels).observe(monotonicSeconds() - call.start)
    } catch {
      // The program's request must not suffer from it.
      this.#registry.countLoss('hook_errors', 'record')
    }
  }

  #hostLabel(host: string): string {
    const name = host.toLowerCase()
    return this.#hosts === undefined || this.#hosts.has(name) ? name : 'other'
  }
}

type Listeners = { readonly [channel: string]: (message: never) => void }

/** What undici tells of a request; its own classes are not Node's to document. */
interface UndiciMessage {
  readonly request: { readonly method?: unknown; readonly origin?: unknown }
  readonly response?: { readonly statusCode: number }
  readonly error?: { readonly name?: unknown } | null
}

function undiciListeners(recorder: ClientMetrics): Listeners {
  const end = ({ request }: UndiciMessage, failed: boolean): void => {
    recorder.end(request, request.method, () => new URL(String(request.origin)).host, failed)
  }
  return {
    'undici:request:create': ({ request }: UndiciMessage) => void recorder.begin(request),
    'undici:request:headers': ({ request, response }: UndiciMessage) =>
      recorder.answered(request, response?.statusCode ?? 0),
    'undici:request:trailers': (message: UndiciMessage) => end(message, false),
    // A program that needs no more of an answer than its headers has not failed.
    'undici:request:error': (message: UndiciMessage) => end(message, message.error?.name !== 'AbortError'),
  }
}

/** The answer is Node's own affair until somebody listens for it, and listening would change what becomes of it. */
type NodeRequest = ClientRequest & { readonly res?: IncomingMessage | null }

function nodeListeners(recorder: ClientMetrics): Listeners {
  function onClose(this: NodeRequest): void {
    const { res: answer } = this
    if (answer) recorder.answered(this, answer.statusCode ?? 0)
    recorder.end(this, this.method, () => hostOf(this), answer?.complete === false && answer.errored !== null)
  }
  const begin = ({ request }: { readonly request: NodeRequest }): void => {
    if (recorder.begin(request)) request.once('close', onClose)
  }
  return {
    // Where Node has it, it comes first, and also tells of requests that fail before they are sent.
    'http.client.request.created': begin,
    'http.client.request.start': begin,
  }
}

/** As the request itself names it, with the port where it is not the usual one. */
function hostOf(request: ClientRequest): string {
  const host = request.getHeader('host')
  return typeof host === 'string' ? host : request.host
}

function listening(listeners: Listeners): InstrumentedClients {
  const entries = Object.entries(listeners) as [string, (message: unknown) => void][]
  for (const [channel, listener] of entries) subscribe(channel, listener)
  const stop = (): void => {
    for (const [channel, listener] of entries) unsubscribe(channel, listener)
  }
  return { stop, [Symbol.dispose]: stop }
}

function checkOptions(subject: string, options: ClientMetricsOptions): void {
  const refuse = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument, rule, value })
  }
  if (typeof options !== 'object' || options === null) refuse('options', 'to be an object', options)
  refuseUnknownOptions(subject, undefined, options, OPTIONS)
  const { registry, hosts } = options
  if (registry !== undefined && typeof registry?.counter !== 'function')
    refuse('registry', 'to be a Registry', registry)
  if (hosts !== undefined && !(Array.isArray(hosts) && hosts.every((host) => typeof host === 'string'))) {
    refuse('hosts', 'to be an array of strings', hosts)
  }
}

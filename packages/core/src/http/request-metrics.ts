import type { IncomingMessage, ServerResponse } from 'node:http'
import { isPromise } from 'node:util/types'
import type { LabelValue } from '../labels.ts'
import { exponentialBuckets } from '../metrics/buckets.ts'
import type { Counter } from '../metrics/counter.ts'
import type { ExemplarLabels } from '../metrics/exemplar.ts'
import type { Gauge } from '../metrics/gauge.ts'
import type { Histogram } from '../metrics/histogram.ts'
import { defaultRegistry, type Registry } from '../registry.ts'
import { countBytes } from './byte-count.ts'
import { requestSeconds } from './clock.ts'
import { Exchange, type ExchangeListener, type FrameworkView } from './exchange.ts'
import { checkHttpMetricsOptions, type HttpMetricsOptions, ignoreFrom } from './http-metrics-options.ts'
import { connectionOf, firstOn } from './line.ts'
import { type HttpMetric, type HttpNames, namesFrom, OTEL_NAMES } from './request-labels.ts'
import { type MethodTally, RequestTally, SchemeTally } from './request-tally.ts'
import { contentTypeSent, statusSent } from './sent.ts'
import { isStreamType } from './stream-type.ts'
import { exemplarOf } from './traceparent.ts'

const SIZE_BUCKETS = exponentialBuckets(100, 10, 7)
const STREAM_BUCKETS = [1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400]

const HELP: { readonly [metric in HttpMetric]: string } = {
  requests: 'HTTP requests that ended.',
  duration: 'Seconds from the first sight of an HTTP request to the end of its response.',
  inFlight: 'HTTP requests that have begun and not ended.',
  requestSize: 'Bytes of HTTP request bodies.',
  responseSize: 'Bytes of HTTP response bodies, as sent.',
  timeToHeaders: 'Seconds from the first sight of an HTTP request to the headers of its response.',
  streamsInFlight: 'Streamed HTTP responses that have begun and not ended.',
  streamDuration: 'Seconds from the first sight of an HTTP request to the end of its streamed response.',
}

/**
 * Records HTTP requests: the one recorder behind every adapter, which adds only what its framework knows. A request
 * costs two clock reads, a few look-ups and an object (`express` and its like in benchmarks); what has ended is counted
 * many at a time, and all of it is there for whoever looks. Nothing that the options or a client can do breaks it, and
 * hooks that throw are counted in `narthex_hook_errors_total`.
 *
 * Throws `MetricError` for unknown or invalid options, and where metrics of these names are defined otherwise.
 */
export class HttpMetrics<Request = IncomingMessage> implements ExchangeListener<Request> {
  readonly registry: Registry
  /** @internal */
  readonly headersSent: ((exchange: Exchange<Request>) => void) | undefined
  readonly #options: HttpMetricsOptions<Request>
  readonly #names: HttpNames
  readonly #isIgnored: ((path: string, request: Request) => boolean) | undefined
  readonly #extraLabels: readonly string[]
  readonly #promoted: readonly (readonly [name: string, allowed: ReadonlySet<string>])[]
  readonly #requests: Counter<string> | undefined
  readonly #duration: Histogram<string>
  readonly #inFlight: Gauge<string> | undefined
  readonly #requestSize: Histogram<string> | undefined
  readonly #responseSize: Histogram<string> | undefined
  readonly #timeToHeaders: Histogram<string> | undefined
  readonly #tally: RequestTally
  /** Whether labels depend on method, route and status alone, and nothing but their metrics is recorded. */
  readonly #isBrief: boolean
  readonly #recordsMore: boolean
  #streamsInFlight: Gauge<string> | undefined
  #streamDuration: Histogram<string> | undefined

  constructor(options: HttpMetricsOptions<Request> = {}) {
    checkHttpMetricsOptions(options)
    this.#options = options
    this.registry = options.registry ?? defaultRegistry
    const names = namesFrom(options.naming)
    this.#names = names
    this.#isIgnored = ignoreFrom(options.ignore)
    this.#extraLabels = Object.keys(options.labels ?? {})
    this.#promoted = Object.entries(options.promoteParams ?? {}).map(([name, allowed]) => [name, new Set(allowed)])
    const labelNames = [...names.labels, ...this.#promoted.map(([name]) => name), ...this.#extraLabels]
    const { maxSeries } = options
    const { registry } = this
    if (names.requests !== undefined) {
      this.#requests = registry.counter({ name: names.requests, help: this.#helpOf('requests'), labelNames, maxSeries })
    }
    const histogram = (metric: SizeOrTime, buckets: readonly number[] | undefined): Histogram<string> =>
      registry.histogram({ name: names[metric], help: this.#helpOf(metric), labelNames, buckets, maxSeries })
    this.#duration = registry.histogram({
      name: names.duration,
      help: this.#helpOf('duration'),
      labelNames,
      maxSeries,
      ...(options.native === undefined || options.buckets !== undefined
        ? { buckets: options.buckets ?? names.buckets }
        : {}),
      ...(options.native !== undefined && { native: options.native }),
    })
    if (names.inFlight !== undefined) {
      const help = this.#helpOf('inFlight')
      this.#inFlight = registry.gauge({ name: names.inFlight, help, labelNames: names.inFlightLabels })
    }
    if (options.sizes === true) {
      this.#requestSize = histogram('requestSize', SIZE_BUCKETS)
      this.#responseSize = histogram('responseSize', SIZE_BUCKETS)
    }
    if (options.timeToHeaders === true) {
      this.#timeToHeaders = histogram('timeToHeaders', options.buckets ?? names.buckets)
      this.headersSent = (exchange) => void (exchange.headersAt = requestSeconds())
    }
    this.#recordsMore = options.sizes === true || options.timeToHeaders === true
    const metrics = { requests: this.#requests, duration: this.#duration, inFlight: this.#inFlight }
    this.#tally = new RequestTally(metrics, names, options.groupStatusCodes === true)
    this.#isBrief =
      names !== OTEL_NAMES && labelNames.length === names.labels.length && !this.#recordsMore && !options.exemplars
  }

  /**
   * Gives the durations of one route and method, and their time to headers, bounds of their own, in seconds: in series
   * that begin later. `route` is the template as a view tells it. Throws what `Histogram.setBuckets` throws.
   */
  setRouteBuckets(method: string, route: string, buckets: readonly number[]): void {
    const { labels: names } = this.#names
    const labels = Object.fromEntries(this.routeLabels(method, route).map((value, index) => [names[index], value]))
    this.#duration.setBuckets(labels, buckets)
    this.#timeToHeaders?.setBuckets(labels, buckets)
  }

  /** The values of the labels for method and route that requests of one have, of which a view tells `route`. */
  routeLabels(method: string, route: string): [method: string, route: string] {
    return [this.#tally.methodLabel(method), this.#names.spell?.(route) ?? route]
  }

  /** Whether a path is left out by the `ignore` option. */
  ignores(path: string, request: Request): boolean {
    if (this.#isIgnored === undefined) return false
    try {
      const answer: unknown = this.#isIgnored(path, request)
      if (answer === true) return true
      // What is neither true nor a way to say false: a Promise.
      if (answer) this.#hookFailed('ignore', answer)
      return false
    } catch {
      this.#hookFailed('ignore')
      return false
    }
  }

  /**
   * Follows a request to its end. A response that is followed already, by an adapter mounted twice or by a server that
   * is instrumented itself, is counted once; a view that comes later tells what the first one could not. `reply` is what
   * the framework has for the response, for the view; `start` is when the request came, where that is not now, as
   * `Arrivals` tells.
   */
  follow(
    view: FrameworkView<Request> | undefined,
    request: Request,
    raw: IncomingMessage,
    response: ServerResponse,
    reply?: unknown,
    start: number = requestSeconds(),
  ): void {
    const isPlain = view?.reshapes !== true
    const connection = isPlain === true ? connectionOf(raw) : view.connection
    const first = firstOn(connection, response)
    const followed = first?.of(this.registry) as Exchange<Request> | undefined
    if (followed !== undefined) {
      if (followed.view === undefined && view !== undefined) followed.see(view, request, reply)
      return
    }
    const tally =
      this.#names === OTEL_NAMES ? this.#tallyOfScheme(raw) : this.#tally.of(isPlain ? raw.method : view.method)
    const exchange = new Exchange(this.registry, this, view, request, raw, response, tally.method, isPlain, start)
    exchange.begin(connection, first)
    if (exchange.isSettled === true) return
    exchange.reply = reply
    exchange.tally = tally
    tally.begin()
    if (this.#requestSize !== undefined) countBytes(exchange, raw, response)
  }

  /** Leaves a request out, where it is followed already: by who saw it first, or by another adapter on this registry. */
  leaveOut(response: ServerResponse): void {
    const exchange = Exchange.of(response, this.registry)
    if (exchange !== undefined) exchange.isLeftOut = true
  }

  /** @internal */
  partSent(exchange: Exchange<Request>, response: ServerResponse): void {
    try {
      const { reply, view } = exchange
      if (isStreamType(view?.contentType?.(reply) ?? contentTypeSent(response, exchange.isPlain)))
        this.#beginStream(exchange)
    } catch {
      this.#hookFailed('record')
    }
  }

  /** @internal */
  settled(exchange: Exchange<Request>, response: ServerResponse, isComplete: boolean, end: number): void {
    exchange.tally?.end()
    // One that was given whole is a stream all the same.
    if (isComplete === true && exchange.hasPart === false) this.partSent(exchange, response)
    try {
      if (exchange.isStream === true) this.#endStream(exchange)
      if (exchange.isLeftOut === false) this.#record(exchange, response, isComplete, end - exchange.start)
    } catch {
      // Whatever it was, the application's answer is out and must not suffer from it.
      this.#hookFailed('record')
    }
    exchange.view?.settled?.(exchange.request)
  }

  #beginStream(exchange: Exchange<Request>): void {
    exchange.isStream = true
    exchange.headersAt ||= requestSeconds()
    this.#streams()?.[0].labels(exchange.method).inc()
  }

  #endStream(exchange: Exchange<Request>): void {
    this.#streams()?.[0].labels(exchange.method).dec()
  }

  #record(exchange: Exchange<Request>, response: ServerResponse, isComplete: boolean, seconds: number): void {
    const status = isComplete === true ? exchange.status || statusSent(response) : 499
    const own = this.#options.route === undefined ? undefined : this.#ownRoute(exchange, response)
    const route = own ?? exchange.view?.route(exchange.request, response) ?? this.#names.unmatched
    if (this.#isBrief === true && exchange.isStream === false) {
      const tally = (exchange.tally as MethodTally | undefined) ?? this.#tally.of(exchange.method)
      this.#tally.count(tally, route, status, seconds)
    } else this.#recordFully(exchange, this.#labelsOf(exchange, response, route, status, isComplete), seconds)
  }

  #recordFully(exchange: Exchange<Request>, labels: readonly LabelValue[], seconds: number): void {
    const exemplar = this.#exemplarOf(exchange)
    this.#requests?.labels(...labels).inc(undefined, exemplar)
    // The length of a stream is no latency: what its client waited for was the headers.
    const latency = exchange.isStream ? exchange.headersAt - exchange.start : seconds
    this.#duration.labels(...labels).observe(latency, exemplar)
    if (exchange.isStream || this.#recordsMore) this.#recordMore(exchange, labels, seconds)
  }

  #recordMore(exchange: Exchange<Request>, labels: readonly LabelValue[], seconds: number): void {
    if (exchange.isStream)
      this.#streams()?.[1]
        .labels(...labels)
        .observe(seconds)
    if (exchange.headersAt > 0) this.#timeToHeaders?.labels(...labels).observe(exchange.headersAt - exchange.start)
    this.#requestSize?.labels(...labels).observe(exchange.requestBytes)
    this.#responseSize?.labels(...labels).observe(exchange.responseBytes)
  }

  #labelsOf(
    exchange: Exchange<Request>,
    response: ServerResponse,
    route: string,
    status: number,
    isComplete: boolean,
  ): LabelValue[] {
    const labels = this.#tally.labels(exchange.method, route, status)
    if (this.#names === OTEL_NAMES) {
      labels.push(
        exchange.tally instanceof SchemeTally ? exchange.tally.scheme : schemeOf(exchange.raw),
        !isComplete ? 'client_disconnected' : status >= 500 ? String(status) : '',
      )
    }
    if (this.#promoted.length > 0) this.#pushParams(labels, exchange)
    for (const name of this.#extraLabels) labels.push(this.#extraLabel(name, exchange.request, response))
    return labels
  }

  /** By the option `route`. */
  #ownRoute({ request }: Exchange<Request>, response: ServerResponse): string | undefined {
    try {
      const route = this.#options.route?.(request, response)
      if (typeof route === 'string') return route
      if (route !== undefined && route !== null) this.#hookFailed('route', route)
    } catch {
      this.#hookFailed('route')
    }
    return undefined
  }

  #pushParams(labels: LabelValue[], { view, request }: Exchange<Request>): void {
    const params = view?.params?.(request)
    for (const [name, allowed] of this.#promoted) {
      const value = params !== undefined && Object.hasOwn(params, name) ? params[name] : undefined
      labels.push(value === undefined ? '' : promotedOf(value, allowed))
    }
  }

  #extraLabel(name: string, request: Request, response: ServerResponse): LabelValue {
    let value: unknown
    try {
      value = this.#options.labels?.[name]?.(request, response)
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
      if (value === undefined || value === null) return ''
    } catch {
      // Counted below, as is a value that cannot be a label.
    }
    this.#hookFailed('labels', value)
    return ''
  }

  #exemplarOf(exchange: Exchange<Request>): ExemplarLabels | undefined {
    const { exemplars } = this.#options
    if (exemplars === undefined || exemplars === false) return undefined
    try {
      if (typeof exemplars === 'function') {
        const exemplar = exemplars(exchange.request)
        if (!isPromise(exemplar)) return exemplar
        this.#hookFailed('exemplars', exemplar)
        return undefined
      }
      return exemplarOf(exchange.raw.headers['traceparent'])
    } catch {
      this.#hookFailed('exemplars')
      return undefined
    }
  }

  /** Its gauge tells schemes apart: no tally of a method is that of others. */
  #tallyOfScheme(raw: IncomingMessage): SchemeTally {
    const method = this.#tally.methodLabel(raw.method)
    const scheme = schemeOf(raw)
    return new SchemeTally(method, scheme, this.#inFlight?.labels(method, scheme))
  }

  /**
   * Made with the first stream: a service without streams has no empty families on its page. Where the application has
   * metrics of these names by then, there are none, and each look for them is a loss.
   */
  #streams(): [Gauge<string>, Histogram<string>] | undefined {
    const { names, registry } = { names: this.#names, registry: this.registry }
    try {
      this.#streamsInFlight ??= registry.gauge({
        name: names.streamsInFlight,
        help: this.#helpOf('streamsInFlight'),
        labelNames: [names.labels[0] as string],
      })
      this.#streamDuration ??= registry.histogram({
        name: names.streamDuration,
        help: this.#helpOf('streamDuration'),
        labelNames: this.#duration.labelNames,
        buckets: STREAM_BUCKETS,
        maxSeries: this.#options.maxSeries,
      })
      return [this.#streamsInFlight, this.#streamDuration]
    } catch {
      this.#hookFailed('record')
      return undefined
    }
  }

  #helpOf(metric: HttpMetric): string {
    return this.#names.help?.[metric] ?? HELP[metric]
  }

  /** `value` is what the hook has returned in place of an answer. */
  #hookFailed(hook: string, value?: unknown): void {
    this.registry.countLoss('hook_errors', hook)
    // Nobody waits for it: its rejection would end the process.
    if (isPromise(value)) value.then(undefined, () => {})
  }
}

/** What every recorder has a name for and not always a metric. */
type SizeOrTime = 'requestSize' | 'responseSize' | 'timeToHeaders'

function promotedOf(value: unknown, allowed: ReadonlySet<string>): string {
  try {
    const text = String(value)
    if (allowed.has(text)) return text
  } catch {
    // The application has put something in its place that makes no text.
  }
  return 'other'
}

function schemeOf(raw: IncomingMessage): string {
  return (raw.socket as { encrypted?: boolean } | null)?.encrypted === true ? 'https' : 'http'
}

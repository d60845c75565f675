import { type LabelValue, MetricError, type Registry } from '@narthex/core'
import {
  type AdapterOptions,
  adapterParts,
  Arrivals,
  Exchange,
  type FrameworkView,
  HttpMetrics,
  type HttpMetricsOptions,
  isTargetAt,
  metricsHandler,
  type MetricsHandlerOptions,
  ownSymbolOf,
} from '@narthex/core/http'
import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
  RegisterOptions,
  RouteOptions,
} from 'fastify'
import fp from 'fastify-plugin'
import { initializeSeries } from './initial-series.ts'
import {
  checkRouteMetrics,
  configReader,
  type RouteConfig,
  type RouteMetricsOptions,
  templateOf,
} from './route-metrics.ts'

/** All that `HttpMetrics` and `metricsHandler` take, and what Fastify adds. */
export interface PrometheusOptions extends AdapterOptions<FastifyRequest> {
  /**
   * Whether the series of routes that are declared after the plugin begin at zero with the application, and not with
   * their first request: one for each method but HEAD and each status code of the route's response schema, or 200.
   * Left out where labels depend on the request.
   * @default false
   */
  readonly initializeRoutes?: boolean
}

/** What the plugin decorates the instance with, as `fastify.metrics`. */
export interface FastifyMetrics {
  /** Where the metrics live: `fastify.metrics.registry.counter({ … })` adds one to the page. */
  readonly registry: Registry
  /** The recorder of this instance's requests. */
  readonly http: HttpMetrics<FastifyRequest>
}

declare module 'fastify' {
  interface FastifyInstance {
    metrics: FastifyMetrics
  }
  interface FastifyContextConfig {
    metrics?: RouteMetricsOptions
  }
}

type RawRequest = Parameters<HttpMetrics['follow']>[2]
type RawResponse = Parameters<HttpMetrics['follow']>[3]
type RawServer = FastifyInstance['server']

/**
 * Records every request and serves `GET /metrics`: `await app.register(prometheus)`, before the routes and hooks of the
 * application. On the root instance that is every request that reaches its server, whether a route, a hook or Fastify
 * itself answers; in an encapsulated plugin it is those of that plugin's scope.
 *
 * A request costs what `HttpMetrics` costs, and one `onRequest` hook without a closure. Registering rejects with
 * `MetricError` for unknown or invalid options, and where metrics of the same names are defined otherwise; declaring a
 * route throws it for a wrong `config.metrics`.
 */
export const prometheus: FastifyPluginAsync<PrometheusOptions> = fp(plugin, {
  name: '@narthex/fastify',
  fastify: '^4.9.0 || ^5.0.0',
})

async function plugin(fastify: FastifyInstance, options: PrometheusOptions & RegisterOptions): Promise<void> {
  const { path, recordScrapes, recorder, page: pageParts } = adapterParts('prometheus', options, OWN_OPTIONS)
  const { initializeRoutes = false } = options
  if (typeof initializeRoutes !== 'boolean') refuseInitializeRoutes(initializeRoutes)
  const readConfig = configReader()
  const labelNames = Object.keys(options.labels ?? {})
  const metrics = new HttpMetrics<FastifyRequest>(recorderOptions())
  const { registry } = metrics
  const hasIgnore = options.ignore !== undefined
  // A function is for Fastify's requests.
  const ignoresPaths = hasIgnore && typeof options.ignore !== 'function'
  const scrapes = new WeakMap<RawRequest, FastifyRequest>()
  const serveMetrics = metricsHandler(pageOptions())
  const arrivals = new Arrivals(onArrival)
  /** Each with what ends listening to it. */
  const servers = new Map<RawServer, () => void>()
  const early = new WeakSet<RouteConfig>()
  // By its identity the page is told from the application's own routes: other instances of the plugin leave it out.
  const page: RouteMetricsOptions = { skip: true }
  let pageUrl: string | undefined

  const view: FrameworkView<FastifyRequest> = {
    route: (request) => templateOf(readConfig(request).url),
    params: (request) => request.params as { readonly [name: string]: unknown },
    contentType: (reply) => contentTypeOf(reply as FastifyReply),
  }

  // A second instance on one of Fastify's, for another registry or another page, leaves what the first has put there.
  if (!(Object.hasOwn(fastify, 'metrics') && fastify.metrics.http instanceof HttpMetrics)) {
    fastify.decorate('metrics', { registry, http: metrics })
  }
  fastify.addHook('onRoute', onRoute)
  fastify.addHook('onRequest', onRequest)
  fastify.addHook('onClose', onClose)
  // An encapsulated instance inherits the server, and must not count what is none of its affair.
  const isRoot = Object.hasOwn(fastify, 'server')
  if (isRoot) listenTo(fastify.server)
  if (path !== false) {
    fastify.all(
      joinPrefix(options.prefix, path),
      { config: { metrics: page }, schema: { hide: true } as object },
      servePage,
    )
  }

  function onRoute(route: RouteOptions): void {
    const own = route.config?.metrics
    if (own === page) pageUrl = route.url
    else if (own !== undefined) {
      checkRouteMetrics(route, labelNames)
      if (own.buckets !== undefined) setBuckets(route.method, route.url, own.buckets)
    }
    if (initializeRoutes && own?.skip !== true) initializeSeries(metrics, fastify, options, route)
  }

  /** A wrong layout is refused where the route is declared. */
  function setBuckets(method: string | readonly string[], url: string, buckets: readonly number[]): void {
    for (const each of typeof method === 'string' ? [method] : method) {
      metrics.setRouteBuckets(each, templateOf(url) as string, buckets)
    }
  }

  /** A request that Fastify's hooks do not see, or not yet. */
  function onArrival(raw: RawRequest, response: RawResponse, start: number): void {
    try {
      const target = raw.url as string
      if (!recordScrapes && pageUrl !== undefined && isTargetAt(pageUrl, target)) return
      if (ignoresPaths && metrics.ignores(pathOf(target), raw as never)) return
      metrics.follow(undefined, raw as never, raw, response, undefined, start)
    } catch {
      registry.countLoss('hook_errors', 'record')
    }
  }

  /** The first sight of what Fastify makes of a request, which may not have come from a server. */
  function onRequest(request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
    let own: RouteMetricsOptions | undefined
    try {
      own = readConfig(request).metrics
      follow(request, reply, own)
    } catch {
      registry.countLoss('hook_errors', 'record')
    }
    // Answered here, the page is out of reach of the hooks that the application adds: guards, limits, compression.
    if (own === page) servePage(request, reply)
    else done()
  }

  function follow(request: FastifyRequest, reply: FastifyReply, own: RouteMetricsOptions | undefined): void {
    const raw = request.raw as RawRequest
    const response = reply.raw as RawResponse
    const start = arrivals.take(response)
    if (isRoot && start === undefined) {
      // Upgrades are handed to the router by who keeps their sockets, for as long as those live: no request ends there.
      // `headers` would be made for this alone.
      if ((raw as { upgrade?: boolean }).upgrade === true && Exchange.of(response, registry) === undefined) return
      const server = (raw.socket as { server?: RawServer } | null)?.server
      if (server !== undefined && server !== fastify.server) findServer(server)
    }
    const isLeftOut = own === page ? !recordScrapes : own?.skip === true || (hasIgnore && isIgnored(request))
    if (!isLeftOut) metrics.follow(view, request, raw, response, reply, start)
    else metrics.leaveOut(response)
    if (own?.buckets !== undefined) setBucketsOfEarly(readConfig(request), own.buckets)
  }

  /** By the path that the client has sent too, where `rewriteUrl` has put another in its place. */
  function isIgnored(request: FastifyRequest): boolean {
    const { url, originalUrl = url } = request.raw as RawRequest & { readonly originalUrl?: string }
    if (metrics.ignores(pathOf(url as string), request)) return true
    return originalUrl !== url && metrics.ignores(pathOf(originalUrl as string), request)
  }

  /** Routes from before the plugin are first seen with a request. */
  function setBucketsOfEarly(config: RouteConfig, buckets: readonly number[]): void {
    if (early.has(config)) return
    early.add(config)
    setBuckets(config.method as string, config.url as string, buckets)
  }

  /** Fastify has a server for each address of `localhost`, and tells nobody: one is known from its first request. */
  function findServer(server: RawServer): void {
    if (!servers.has(server) && server.listeners('request').includes(fastify.routing as never)) listenTo(server)
  }

  function listenTo(server: RawServer): void {
    servers.set(server, arrivals.listenTo(server))
  }

  function onClose(_instance: FastifyInstance, done: HookHandlerDoneFunction): void {
    for (const stop of servers.values()) stop()
    done()
  }

  function servePage(request: FastifyRequest, reply: FastifyReply): void {
    reply.hijack()
    if (options.authorize !== undefined) scrapes.set(request.raw as RawRequest, request)
    serveMetrics(request.raw as RawRequest, reply.raw as RawResponse)
  }

  function pageOptions(): MetricsHandlerOptions {
    const { authorize, ...own } = pageParts
    if (typeof authorize !== 'function') return { ...own, authorize }
    return { ...own, authorize: (raw) => authorize(scrapes.get(raw) as FastifyRequest) }
  }

  /** The options for the recorder: their functions are for Fastify's requests, and are not asked about others. */
  function recorderOptions(): HttpMetricsOptions<FastifyRequest> {
    const { labels, route, exemplars } = options
    return {
      ...recorder,
      ...(typeof route === 'function' && { route: forFastify(route) }),
      ...(typeof exemplars === 'function' && { exemplars: forFastify(exemplars) }),
      ...(isRecord(labels) && {
        labels: Object.fromEntries(labelNames.map((name) => [name, labelOf(name, labels[name])])),
      }),
    }
  }

  function labelOf(name: string, ofAll: LabelFunction): LabelFunction {
    if (typeof ofAll !== 'function') return ofAll
    return forFastify((request, response) => {
      const own = readConfig(request).metrics?.labels
      const value = own !== undefined && Object.hasOwn(own, name) ? own[name] : ofAll
      return typeof value === 'function' ? value(request, response) : value
    })
  }
}

type LabelFunction = (request: FastifyRequest, response: RawResponse) => LabelValue | undefined

function forFastify<Rest extends unknown[], Result>(
  hook: (request: FastifyRequest, ...rest: Rest) => Result | undefined,
): (request: FastifyRequest, ...rest: Rest) => Result | undefined {
  return (request, ...rest) => ('raw' in request ? hook(request, ...rest) : undefined)
}

/**
 * Where a reply has its headers, by their names in lower case: `getHeader` makes that of a name with each call, for 350 of
 * the 4,300 instructions that a request had (`instructions` in benchmarks). Fastify's own affair: elsewhere it is called.
 */
let headersKey: symbol | undefined

/** Of an answer that Fastify has sent: whoever writes to the response itself may have left none here. */
function contentTypeOf(reply: FastifyReply): string | undefined {
  headersKey ??= ownSymbolOf(reply, 'fastify.reply.headers') ?? Symbol('none')
  const headers = (reply as unknown as { readonly [key: symbol]: Record<string, unknown> | undefined })[headersKey]
  const type = headers?.['content-type'] ?? reply.getHeader('content-type')
  return type === undefined ? undefined : String(type)
}

/** Fastify passes a prefix to plugins that are not encapsulated, and leaves it to them. */
function joinPrefix(prefix: string | undefined, path: string): string {
  if (prefix === undefined) return path
  return `${prefix.startsWith('/') ? '' : '/'}${prefix.endsWith('/') ? prefix.slice(0, -1) : prefix}${path}`
}

function pathOf(target: string): string {
  const end = target.search(/[?#]/)
  return end < 0 ? target : target.slice(0, end)
}

/** `initializeRoutes`, and what Fastify itself takes where a plugin is registered. */
const OWN_OPTIONS = ['initializeRoutes', 'prefix', 'logLevel', 'logSerializers']

function refuseInitializeRoutes(value: unknown): never {
  const rule = 'to be a boolean'
  throw new MetricError('ERR_NARTHEX_INVALID_OPTION', {
    subject: 'prometheus',
    argument: 'initializeRoutes',
    rule,
    value,
  })
}

function isRecord(value: unknown): value is Record<string, never> {
  return typeof value === 'object' && value !== null
}

import { MetricError } from '@narthex/core'
import {
  HTTP_METRICS_OPTIONS,
  HttpMetrics,
  type HttpMetricsOptions,
  metricsHandler,
  type MetricsHandlerOptions,
  SCRAPE_OPTIONS,
  type ScrapeOptions,
} from '@narthex/core/http'
import express, { type Request, type RequestHandler } from 'express'
import { RequestTrail, trackRouter } from './trail.ts'

/** All that `HttpMetrics` and `metricsHandler` take, and where the page is. */
export interface PrometheusOptions extends HttpMetricsOptions<Request>, Omit<ScrapeOptions<Request>, 'registry'> {
  /**
   * Where the page of metrics is, seen from where the middleware is mounted; `false` to serve it elsewhere.
   * @default '/metrics'
   */
  readonly path?: string | false
  /**
   * Whether requests for the page of metrics are recorded too.
   * @default false
   */
  readonly recordScrapes?: boolean
}

/**
 * Middleware that records every request and answers `GET /metrics`: `app.use(prometheus())`, in front of all that is to
 * be recorded. Routes are named by their templates, mounts included: `/api/:tenant/orders/:id`.
 *
 * To learn them it wraps three methods of Express' router, once for each copy of Express, that only take notes.
 *
 * Throws `MetricError` for unknown or invalid options, and where metrics of the same names are defined otherwise.
 */
export function prometheus(options: PrometheusOptions = {}): RequestHandler {
  const { path, recordScrapes } = checkOptions(options)
  const metrics = new HttpMetrics<Request>(pick(options, HTTP_METRICS_OPTIONS))
  const serveMetrics = metricsHandler(pick(options, SCRAPE_OPTIONS) as MetricsHandlerOptions)
  const collectsParams = Object.keys(options.promoteParams ?? {}).length > 0
  const hasIgnore = options.ignore !== undefined
  trackRouter(express.Router().use(() => {}))

  return function prometheus(request, response, next) {
    const isScrape = path !== false && isAt(path, request)
    if (isScrape && !recordScrapes) return serveMetrics(request, response)
    try {
      if (!hasIgnore || !metrics.ignores(request.baseUrl + request.path, request)) {
        const trail = RequestTrail.follow(request)
        // This middleware only passes requests on, those for the page aside.
        trail.keep(request, isScrape ? path : undefined)
        if (collectsParams) trail.collectParams(request)
        metrics.follow(trail, request, request, response)
      }
    } catch {
      metrics.registry.countLoss('hook_errors', 'record')
    }
    if (isScrape) serveMetrics(request, response)
    else next()
  }
}

/** Whether a request is for `path`. `request.path` costs a parser: it is for targets that are whole URLs. */
function isAt(path: string, request: Request): boolean {
  const { url } = request
  if (!url.startsWith('/')) return request.path === path
  return url.startsWith(path) && (url.length === path.length || url[path.length] === '?')
}

function checkOptions(options: PrometheusOptions): { path: string | false; recordScrapes: boolean } {
  const subject = 'prometheus'
  const known: readonly string[] = ['path', 'recordScrapes', ...new Set<string>([...HTTP_METRICS_OPTIONS, ...SCRAPE_OPTIONS])]
  for (const [argument, value] of Object.entries(options)) {
    if (known.includes(argument)) continue
    const rule = `to be one of the options ${known.join(', ')}`
    throw new MetricError('ERR_NARTHEX_UNKNOWN_OPTION', { subject, argument, rule, value })
  }
  const { path = '/metrics', recordScrapes = false } = options
  if (path !== false && (typeof path !== 'string' || !path.startsWith('/'))) {
    const rule = 'to be a path that starts with `/`, or false'
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument: 'path', rule, value: path })
  }
  if (typeof recordScrapes !== 'boolean') {
    const rule = 'to be a boolean'
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument: 'recordScrapes', rule, value: recordScrapes })
  }
  return { path, recordScrapes }
}

function pick<Options extends object, Name extends keyof Options>(options: Options, names: readonly Name[]): Pick<Options, Name> {
  return Object.fromEntries(names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]])) as Pick<
    Options,
    Name
  >
}

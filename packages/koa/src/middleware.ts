import { MetricError } from '@narthex/core'
import {
  type FrameworkView,
  HTTP_METRICS_OPTIONS,
  HttpMetrics,
  type HttpMetricsOptions,
  metricsHandler,
  type MetricsHandlerOptions,
  SCRAPE_OPTIONS,
  type ScrapeOptions,
} from '@narthex/core/http'
import type { Context, Middleware } from 'koa'
import { RequestTrail } from './trail.ts'

/** All that `HttpMetrics` and `metricsHandler` take, and where the page is. */
export interface PrometheusOptions extends HttpMetricsOptions<Context>, Omit<ScrapeOptions<Context>, 'registry'> {
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
 * be recorded. Routes are named by their templates, as @koa/router and koa-mount have them: `/api/:tenant/orders/:id`.
 *
 * To learn them it makes accessors of two properties that those write to a context, once for each application.
 *
 * Throws `MetricError` for unknown or invalid options, and where metrics of the same names are defined otherwise.
 */
export function prometheus(options: PrometheusOptions = {}): Middleware {
  const { path, recordScrapes } = checkOptions(options)
  const metrics = new HttpMetrics<Context>(pick(options, HTTP_METRICS_OPTIONS))
  const servePage = pageOf(options)
  const hasIgnore = options.ignore !== undefined

  return function prometheus(context, next) {
    const isScrape = path !== false && isAt(path, context)
    if (isScrape && !recordScrapes) return servePage(context)
    try {
      if (!hasIgnore || !metrics.ignores(context.path, context)) {
        RequestTrail.track(context)
        if (isScrape) RequestTrail.enter(context, path)
        metrics.follow(view, context, context.req, context.res)
      }
    } catch {
      metrics.registry.countLoss('hook_errors', 'record')
    }
    return isScrape ? servePage(context) : next()
  }
}

/** Whether a request is for `path`. `context.path` costs a parser: it is for targets that are whole URLs. */
function isAt(path: string, context: Context): boolean {
  const { url = '/' } = context.req
  if (!url.startsWith('/')) return context.path === path
  return url.startsWith(path) && (url.length === path.length || url[path.length] === '?')
}

const view: FrameworkView<Context> = {
  route: (context, response) => RequestTrail.template(context, response),
  params: (context) => context['params'] as { readonly [name: string]: unknown } | undefined,
}

/** Serves the page past Koa. The Promise lasts as long as the answer: what middleware outside does then is too late. */
function pageOf(options: PrometheusOptions): (context: Context) => Promise<void> {
  const { authorize } = options
  const contexts = new WeakMap<Context['req'], Context>()
  const serveMetrics = metricsHandler({
    ...(pick(options, SCRAPE_OPTIONS) as MetricsHandlerOptions),
    ...(typeof authorize === 'function' && { authorize: (request) => authorize(contexts.get(request) as Context) }),
  })
  return function servePage(context) {
    context.respond = false
    contexts.set(context.req, context)
    serveMetrics(context.req, context.res)
    return new Promise((resolve) => context.res.once('close', resolve))
  }
}

function checkOptions(options: PrometheusOptions): { path: string | false; recordScrapes: boolean } {
  const subject = 'prometheus'
  const known: readonly string[] = [
    'path',
    'recordScrapes',
    ...new Set<string>([...HTTP_METRICS_OPTIONS, ...SCRAPE_OPTIONS]),
  ]
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
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', {
      subject,
      argument: 'recordScrapes',
      rule,
      value: recordScrapes,
    })
  }
  return { path, recordScrapes }
}

function pick<Options extends object, Name extends keyof Options>(
  options: Options,
  names: readonly Name[],
): Pick<Options, Name> {
  return Object.fromEntries(
    names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  ) as Pick<Options, Name>
}

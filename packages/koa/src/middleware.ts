import {
  type AdapterOptions,
  adapterParts,
  type FrameworkView,
  HttpMetrics,
  isTargetAt,
  metricsHandler,
  type ScrapeOptions,
} from '@narthex/core/http'
import type { Context, Middleware } from 'koa'
import { RequestTrail } from './trail.ts'

/** All that `HttpMetrics` and `metricsHandler` take, and where the page is. */
export type PrometheusOptions = AdapterOptions<Context>

/**
 * Middleware that records every request and answers `GET /metrics`: `app.use(prometheus())`, in front of all that is to
 * be recorded. Routes are named by their templates, as @koa/router and koa-mount have them: `/api/:tenant/orders/:id`.
 *
 * To learn them it makes accessors of two properties that those write to a context, once for each application.
 *
 * Throws `MetricError` for unknown or invalid options, and where metrics of the same names are defined otherwise.
 */
export function prometheus(options: PrometheusOptions = {}): Middleware {
  const { path, recordScrapes, recorder, page } = adapterParts('prometheus', options)
  const metrics = new HttpMetrics<Context>(recorder)
  const servePage = pageServer(page)
  const hasIgnore = options.ignore !== undefined

  return function prometheus(context, next) {
    const isScrape = path !== false && isAt(path, context)
    try {
      if (isScrape) RequestTrail.enter(context, path)
      if (isScrape && !recordScrapes) {
        // Another instance may have seen it: on this registry it is not to be counted, on another it has its path.
        metrics.leaveOut(context.res)
      } else if (!hasIgnore || !metrics.ignores(pathOf(context), context)) {
        RequestTrail.track(context)
        metrics.follow(view, context, context.req, context.res)
      }
    } catch {
      metrics.registry.countLoss('hook_errors', 'record')
    }
    return isScrape ? servePage(context) : next()
  }
}

/** `context.path` costs a parser: it is for targets that are whole URLs. */
function isAt(path: string, context: Context): boolean {
  return isTargetAt(path, context.req.url ?? '/') ?? pathOf(context) === path
}

/** Of `http://[/` the parser throws. */
function pathOf(context: Context): string {
  try {
    return context.path
  } catch {
    return context.req.url ?? '/'
  }
}

const view: FrameworkView<Context> = {
  route: (context, response) => RequestTrail.template(context, response),
  params: (context) => context['params'] as { readonly [name: string]: unknown } | undefined,
}

/** Serves the page past Koa. The Promise lasts as long as the answer: what middleware outside does then is too late. */
function pageServer(page: ScrapeOptions<Context>): (context: Context) => Promise<void> {
  const { authorize, ...own } = page
  const contexts = new WeakMap<Context['req'], Context>()
  const serveMetrics = metricsHandler({
    ...own,
    // What is no function goes on as it is, to be refused.
    authorize: typeof authorize === 'function' ? (request) => authorize(contexts.get(request) as Context) : authorize,
  })
  return function servePage(context) {
    context.respond = false
    contexts.set(context.req, context)
    serveMetrics(context.req, context.res)
    return new Promise((resolve) => context.res.once('close', resolve))
  }
}

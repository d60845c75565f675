import type { Counter, Histogram } from '@narthex/core'
import type { HttpMetrics, HttpNaming } from '@narthex/core/http'
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import type { PrometheusOptions } from './plugin.ts'
import { templateOf } from './route-metrics.ts'

/** The metrics that begin at zero, by naming. */
const METRICS: { readonly [naming in 'prometheus' | 'otel']: readonly string[] } = {
  prometheus: ['http_requests_total', 'http_request_duration_seconds'],
  otel: ['http_server_request_duration_seconds'],
}

/**
 * Exposes the series of a route before its first request: one for each method but the HEAD that comes with every GET,
 * and for each status code of its response schema, or 200. Where a label cannot be known before a request, nothing is:
 * such a series would stay at zero for ever.
 */
export function initializeSeries(
  metrics: HttpMetrics<FastifyRequest>,
  fastify: FastifyInstance,
  options: PrometheusOptions,
  route: RouteOptions,
): void {
  if (options.route !== undefined || Object.keys(options.promoteParams ?? {}).length > 0) return
  const own = route.config?.metrics?.labels
  const extra = Object.keys(options.labels ?? {}).map((name) => own?.[name])
  const isKnown = extra.every((value) => value !== undefined && typeof value !== 'function')
  if (!isKnown) return
  const naming = options.naming ?? 'prometheus'
  const names = typeof naming === 'string' ? METRICS[naming] : metricsOf(naming)
  const template = templateOf(route.url) as string
  for (const each of methodsOf(route)) {
    const methodAndRoute = metrics.routeLabels(each, template)
    for (const code of codesOf(route)) {
      const labels = [...methodAndRoute, options.groupStatusCodes === true ? `${code[0] as string}xx` : code]
      if (naming === 'otel') labels.push(schemeOf(fastify), code >= '500' ? code : '')
      for (const name of names) {
        const metric = metrics.registry.get(name) as Counter<string> | Histogram<string> | undefined
        metric?.labels(...labels, ...(extra as string[]))
      }
    }
  }
}

function metricsOf({ requests, duration }: HttpNaming): readonly string[] {
  return requests === undefined ? [duration] : [requests, duration]
}

function methodsOf({ method }: RouteOptions): string[] {
  const methods = (typeof method === 'string' ? [method] : method).map((each) => each.toUpperCase())
  return methods.filter((each) => each !== 'HEAD')
}

/** What the route says that it answers with. */
function codesOf({ schema }: RouteOptions): string[] {
  const responses = (schema as { response?: object } | undefined)?.response ?? {}
  const codes = Object.keys(responses).filter((code) => /^[1-5]\d\d$/.test(code))
  return codes.length === 0 ? ['200'] : codes
}

function schemeOf({ initialConfig }: FastifyInstance): string {
  return initialConfig.https === undefined || initialConfig.https === false ? 'http' : 'https'
}

import type { Registry } from '@narthex/core'
import type { HttpMetrics } from '@narthex/core/http'
import { prometheus, type PrometheusOptions, type RouteMetricsOptions } from '@narthex/fastify'
import fastify, { type FastifyContextConfig, type FastifyInstance, type FastifyRequest } from 'fastify'
import { expect, expectTypeOf, it } from 'vitest'

it('types the decorated instance, the config of routes and the options', () => {
  expectTypeOf<FastifyInstance['metrics']['registry']>().toEqualTypeOf<Registry>()
  expectTypeOf<FastifyInstance['metrics']['http']>().toEqualTypeOf<HttpMetrics<FastifyRequest>>()
  expectTypeOf<FastifyContextConfig['metrics']>().toEqualTypeOf<RouteMetricsOptions | undefined>()
  expectTypeOf<NonNullable<PrometheusOptions['authorize']>>().parameter(0).toEqualTypeOf<FastifyRequest>()

  const app = fastify()
  void (() => app.register(prometheus))
  void (() => app.register(prometheus, { path: false, prefix: '/internal' }))
  void (() => fastify({ http2: true }).register(prometheus, { path: false }))
  // @ts-expect-error -- the name of an option that is none
  void (() => app.register(prometheus, { paht: '/metrics' }))
  // @ts-expect-error -- a route that is skipped by a string
  void (() => app.get('/', { config: { metrics: { skip: 'yes' } } }, async () => ''))
  void (() => app.get('/', { config: { metrics: { labels: { team: (request) => request.id } } } }, async () => ''))
  expect(app.hasDecorator('metrics')).toBe(false)
})

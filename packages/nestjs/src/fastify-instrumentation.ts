import type { AnyFunction, Registry } from '@narthex/core'
import { isTargetAt, ownSymbolOf } from '@narthex/core/http'
import type { prometheus as prometheusOfFastify, PrometheusOptions } from '@narthex/fastify'
import { SetMetadata } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { isSkipped } from './decorators/skip-metrics.decorator.ts'
import type { Instrumented } from './http-instrumentation.ts'
import type { MetricsPage } from './prometheus.controller.ts'
import { type CheckedOptions, optionsOfAdapter, refuse, ROUTE_METHODS } from './prometheus.options.ts'

type Instance = Parameters<typeof prometheusOfFastify>[0]
type Register = (this: unknown, ...args: unknown[]) => unknown

/** What is used of the adapter of `@nestjs/platform-fastify`. */
export interface FastifyAdapter {
  getType(): string
  getInstance(): Instance
}

/** Where `@RouteConfig()` of `@nestjs/platform-fastify` keeps what becomes the config of a route. */
const ROUTE_CONFIG = '__fastify_route_config__'

/** Hooks the plugin in, in front of all other hooks, and tells it which routes are skipped. */
export function instrumentFastify(prometheus: typeof prometheusOfFastify) {
  return (options: CheckedOptions, registry: Registry) =>
    (adapter: FastifyAdapter): Instrumented => {
      const instance = adapter.getInstance()
      refuseStarted(instance)
      for (const name of ROUTE_METHODS) configureSkipped(adapter as never, name)
      const others = new Set(requestHooks(instance))
      // Called and not registered: a plugin that is registered is loaded after the hooks that the application adds.
      const installed = prometheus(instance, { ...(optionsOfAdapter(options) as PrometheusOptions), registry })
      // Fastify adds hooks in turn: those of the plugin are there, and nobody else's yet.
      instance.after(() => putFirst(requestHooks(instance), others))
      return { installed, addPage: (path, page, isRecorded) => addPage(instance, path, page, isRecorded) }
    }
}

/** Of a module that is loaded lazily: the plugin's own refusal would come when nobody waits for it any more. */
function refuseStarted(instance: Instance): void {
  try {
    instance.after(() => {})
  } catch {
    refuse('http', 'to be false where the module is loaded after Fastify has started, which takes no more hooks', true)
  }
}

/** Answered in a hook, as the plugin's own page is, and right behind that one. The route is its name in the metrics. */
function addPage(instance: Instance, path: string, page: MetricsPage, isRecorded: boolean): void {
  const config = { metrics: { skip: !isRecorded } }
  instance.all(path, { config, schema: { hide: true } as object }, (request, reply) => page.serve(request, reply))
  const hook = (request: { readonly raw: { readonly url?: string } }, reply: unknown, done: () => void): void => {
    if (isTargetAt(path, request.raw.url as string) === true) page.serve(request, reply)
    else done()
  }
  instance.addHook('onRequest', hook)
  instance.after(() => {
    const hooks = requestHooks(instance)
    const own = hooks.indexOf(hook)
    if (own > 1) hooks.splice(1, 0, ...hooks.splice(own, 1))
  })
}

/** Nest has a hook that runs all middleware before there is a module: an answer from there would hide the page. */
function putFirst(hooks: unknown[], others: ReadonlySet<unknown>): void {
  const own = hooks.findIndex((hook) => !others.has(hook))
  if (own > 0) hooks.unshift(...hooks.splice(own, 1))
}

/** Where Fastify keeps its hooks is no public matter: without them the plugin's stays in its place. */
function requestHooks(instance: Instance): unknown[] {
  const key = ownSymbolOf(instance, 'fastify.hooks')
  return (key && (instance as unknown as Record<symbol, { onRequest?: unknown[] }>)[key]?.onRequest) ?? []
}

function configureSkipped(adapter: { [name: string]: unknown }, name: string): void {
  const register = adapter[name] as Register | undefined
  if (typeof register !== 'function') return
  adapter[name] = function (this: unknown, ...args: unknown[]) {
    const handler = args.at(-1)
    if (isSkipped(handler)) setSkip(handler)
    return register.apply(this, args)
  }
}

/** Onto what Nest has made for this one route. */
function setSkip(handler: AnyFunction): void {
  const config = new Reflector().get<{ metrics?: object } | undefined>(ROUTE_CONFIG, handler)
  SetMetadata(ROUTE_CONFIG, { ...config, metrics: { ...config?.metrics, skip: true } })(handler)
}

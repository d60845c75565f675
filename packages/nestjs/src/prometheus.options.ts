import { MetricError, type Registry } from '@narthex/core'
import { type AdapterOptions, adapterParts, HTTP_METRICS_DEFAULTS, HTTP_METRICS_OPTIONS } from '@narthex/core/http'
import type { FactoryProvider, ModuleMetadata, Type } from '@nestjs/common'
import type { PrometheusController } from './prometheus.controller.ts'

/** What a request has on Express and on Fastify. Name the platform's own type where you need more of it. */
export interface HttpRequest {
  readonly method: string
  readonly url: string
  readonly headers: { readonly [name: string]: string | string[] | undefined }
  readonly params: unknown
  readonly query: unknown
}

/** All that `HttpMetrics` and `metricsHandler` take, and what the module adds. */
export interface PrometheusModuleOptions<Request = HttpRequest> extends AdapterOptions<Request> {
  /**
   * Where the metrics live: those of the requests, of the providers and of the decorators.
   * @default defaultRegistry
   */
  readonly registry?: Registry
  /**
   * Where the page of metrics is: outside of the global prefix, guards, interceptors, filters and compression; `false`
   * to serve it elsewhere. With `controller` it is that controller's path.
   * @default '/metrics'
   */
  readonly path?: string | false
  /**
   * Whether the module hooks into the server at all, to record requests and to serve the page outside of controllers.
   * @default true
   */
  readonly http?: boolean
}

/** What is to be known before any option can be awaited. */
export interface PrometheusModuleExtras {
  /**
   * Whether a controller serves the page, within prefix, guards, interceptors and filters; or that controller itself,
   * at the path that it is decorated with.
   * @default false
   */
  readonly controller?: boolean | Type<PrometheusController>
  /**
   * Whether every module of the application sees what the module exports. Without, each one that has decorated methods
   * or providers of metrics is to import it; else those go to the default registry.
   * @default true
   */
  readonly global?: boolean
}

/** A class that makes the options: for `useClass` and `useExisting`. */
export interface PrometheusOptionsFactory<Request = HttpRequest> {
  createPrometheusOptions(): PrometheusModuleOptions<Request> | Promise<PrometheusModuleOptions<Request>>
}

/** Exactly one of `useFactory`, `useClass` and `useExisting`. */
export interface PrometheusModuleAsyncOptions<Request = HttpRequest>
  extends PrometheusModuleExtras, Pick<ModuleMetadata, 'imports'> {
  /** What `useFactory` is called with. */
  readonly inject?: FactoryProvider['inject']
  readonly useFactory?: (
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    ...args: any[]
  ) => PrometheusModuleOptions<Request> | Promise<PrometheusModuleOptions<Request>>
  readonly useClass?: Type<PrometheusOptionsFactory<Request>>
  readonly useExisting?: Type<PrometheusOptionsFactory<Request>>
}

/** The options as the rest of the module reads them. */
export type CheckedOptions = PrometheusModuleOptions<never> & {
  readonly path: string | false
  readonly recordScrapes: boolean
  readonly http: boolean
}

/** The methods of Nest's adapters that declare routes: all that decorators of Nest 12 can name. */
export const ROUTE_METHODS =
  'all get post put delete patch options head query search propfind proppatch mkcol copy move lock unlock'.split(' ')

const SUBJECT = 'PrometheusModule'

/** Throws `MetricError` for unknown options, and for those that the module reads itself; the recorder checks its own. */
export function checkOptions(options: PrometheusModuleOptions<never>): CheckedOptions {
  const { path, recordScrapes } = adapterParts(SUBJECT, options, ['http'])
  const { http = true, registry } = options
  if (typeof http !== 'boolean') refuse('http', 'to be a boolean', http)
  if (registry !== undefined && typeof registry?.counter !== 'function')
    refuse('registry', 'to be a Registry', registry)
  return { ...options, path, recordScrapes, http }
}

/** The options for the adapter of Express or Fastify: those that were given, so that its own defaults hold for the rest. */
export function optionsOfAdapter(options: CheckedOptions): object {
  const { http: _, ...given } = options
  return given
}

/**
 * Throws `ERR_NARTHEX_DEFINITION_DIFFERS` where requests would be recorded otherwise than by `first`, the options that
 * they are recorded by. Of functions it is asked only whether both have one.
 */
export function refuseOtherRecording(options: CheckedOptions, first: CheckedOptions): void {
  for (const argument of HTTP_METRICS_OPTIONS) {
    if (argument === 'registry') continue
    const value = options[argument] ?? HTTP_METRICS_DEFAULTS[argument]
    if (isAlike(value, first[argument] ?? HTTP_METRICS_DEFAULTS[argument])) continue
    const rule = 'to be that of the module that records requests in this registry already'
    throw new MetricError('ERR_NARTHEX_DEFINITION_DIFFERS', { subject: SUBJECT, argument, rule, value })
  }
}

function isAlike(one: unknown, other: unknown): boolean {
  if (typeof one === 'function') return typeof other === 'function'
  if (!isObject(one) || !isObject(other)) return one === other
  if (one instanceof RegExp || other instanceof RegExp) return String(one) === String(other)
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...names].every((name) => isAlike(one[name], other[name]))
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null
}

/** Throws `ERR_NARTHEX_INVALID_OPTION`. */
export function refuse(argument: string, rule: string, value: unknown): never {
  throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject: SUBJECT, argument, rule, value })
}

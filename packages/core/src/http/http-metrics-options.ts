import type { IncomingMessage, ServerResponse } from 'node:http'
import { MetricError, refuseUnknownOptions } from '../errors.ts'
import type { LabelValue } from '../labels.ts'
import type { ExemplarLabels } from '../metrics/exemplar.ts'
import type { Registry } from '../registry.ts'
import type { HttpNaming } from './request-labels.ts'

/** Paths that a pattern stands for: a string is the whole path, with `*` for any rest at its end. */
export type PathPattern = string | RegExp

/** What every adapter takes. `Request` is the framework's own. */
export interface HttpMetricsOptions<Request = IncomingMessage> {
  /**
   * Where the metrics live.
   * @default defaultRegistry
   */
  readonly registry?: Registry
  /**
   * `prometheus`: `http_requests_total` and its kin; `otel`: OpenTelemetry's semantic conventions; or names of your own,
   * as in the presets for those who come from another library: `expressPromBundleNaming`, `promsterNaming`,
   * `fastifyMetricsNaming`.
   * @default 'prometheus'
   */
  readonly naming?: 'prometheus' | 'otel' | HttpNaming
  /** Upper bounds of the duration histogram, in seconds. */
  readonly buckets?: readonly number[]
  /** A native duration histogram, beside `buckets` where both are given. */
  readonly native?: { readonly factor: number; readonly maxBuckets?: number }
  /** Labels of your own: name → value for a request, read when it ends. A function that throws gives an empty value. */
  readonly labels?: { readonly [name: string]: (request: Request, response: ServerResponse) => LabelValue | undefined }
  /** Path parameters that become labels: name → the values that may appear; any other is `other`. */
  readonly promoteParams?: { readonly [name: string]: readonly string[] }
  /** Requests that are not recorded at all, by path or by a predicate. */
  readonly ignore?: PathPattern | readonly PathPattern[] | ((request: Request) => boolean)
  /** Names the route in place of the framework's; `undefined` leaves it to the framework. Keep the answers few. */
  readonly route?: (request: Request, response: ServerResponse) => string | undefined
  /**
   * `2xx` in place of `200`.
   * @default false
   */
  readonly groupStatusCodes?: boolean
  /**
   * Also record the bytes of request and response bodies, as sent.
   * @default false
   */
  readonly sizes?: boolean
  /**
   * Also record the seconds until the headers were sent.
   * @default false
   */
  readonly timeToHeaders?: boolean
  /**
   * Attach the trace of a request to its observation: `true` reads a sampled `traceparent` header, a function may tell
   * otherwise.
   * @default false
   */
  readonly exemplars?: boolean | ((request: Request) => ExemplarLabels | undefined)
  /** How many series each metric may have: see `MetricOptions.maxSeries`. */
  readonly maxSeries?: number
}

export const HTTP_METRICS_OPTIONS = [
  'registry',
  'naming',
  'buckets',
  'native',
  'labels',
  'promoteParams',
  'ignore',
  'route',
  'groupStatusCodes',
  'sizes',
  'timeToHeaders',
  'exemplars',
  'maxSeries',
] as const

/** What an option that is not given stands for, where that is a value that could be given: to tell whether two are alike. */
export const HTTP_METRICS_DEFAULTS: HttpMetricsOptions<never> = {
  naming: 'prometheus',
  groupStatusCodes: false,
  sizes: false,
  timeToHeaders: false,
  exemplars: false,
}

/**
 * Throws `MetricError` for unknown or invalid options; `naming` and what becomes a metric are checked where they are used.
 */
export function checkHttpMetricsOptions(options: HttpMetricsOptions<never>): void {
  const subject = 'HttpMetrics'
  refuseUnknownOptions(subject, undefined, options, HTTP_METRICS_OPTIONS)
  const refuse = (argument: keyof typeof options, rule: string): never => {
    const value = options[argument]
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument, rule, value })
  }
  const { registry, labels, ignore, route, exemplars, promoteParams } = options
  if (registry !== undefined && typeof registry?.counter !== 'function') refuse('registry', 'to be a Registry')
  if (route !== undefined && typeof route !== 'function') refuse('route', 'to be a function')
  for (const name of ['groupStatusCodes', 'sizes', 'timeToHeaders'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'boolean') refuse(name, 'to be a boolean')
  }
  if (exemplars !== undefined && typeof exemplars !== 'boolean' && typeof exemplars !== 'function') {
    refuse('exemplars', 'to be a boolean or a function')
  }
  if (labels !== undefined) {
    if (typeof labels !== 'object' || labels === null) refuse('labels', 'to be an object of functions')
    if (!Object.values(labels).every((value) => typeof value === 'function'))
      refuse('labels', 'to be an object of functions')
  }
  if (promoteParams !== undefined) {
    if (typeof promoteParams !== 'object' || promoteParams === null)
      refuse('promoteParams', 'to be an object of arrays')
    if (!Object.values(promoteParams).every(Array.isArray)) refuse('promoteParams', 'to be an object of arrays')
  }
  if (ignore !== undefined && typeof ignore !== 'function') {
    const patterns = (Array.isArray(ignore) ? ignore : [ignore]) as unknown[]
    if (!patterns.every((pattern) => typeof pattern === 'string' || pattern instanceof RegExp)) {
      refuse('ignore', 'to be path patterns or a function')
    }
  }
}

/** What the option `ignore` asks of a path or a request; undefined where nothing is ignored. */
export function ignoreFrom<Request>(
  ignore: HttpMetricsOptions<Request>['ignore'],
): ((path: string, request: Request) => boolean) | undefined {
  if (ignore === undefined) return undefined
  if (typeof ignore === 'function') return (_path, request) => ignore(request)
  const tests = (Array.isArray(ignore) ? (ignore as PathPattern[]) : [ignore as PathPattern]).map(testFrom)
  return (path) => tests.some((test) => test(path))
}

function testFrom(pattern: PathPattern): (path: string) => boolean {
  if (typeof pattern !== 'string') return (path) => path.search(pattern) >= 0
  if (!pattern.endsWith('*')) return (path) => path === pattern
  const start = pattern.slice(0, -1)
  return (path) => path.startsWith(start)
}

import { MetricError, refuseUnknownOptions } from '../errors.ts'
import { HTTP_METRICS_OPTIONS, type HttpMetricsOptions } from './http-metrics-options.ts'
import { SCRAPE_OPTIONS, type ScrapeOptions } from './scrape.ts'

/** What the adapters of all frameworks take. `Request` is the framework's own. */
export interface AdapterOptions<Request> extends HttpMetricsOptions<Request>, Omit<ScrapeOptions<Request>, 'registry'> {
  /**
   * Where the page of metrics is, seen from where the adapter is mounted; `false` to serve it elsewhere.
   * @default '/metrics'
   */
  readonly path?: string | false
  /**
   * Whether requests for the page of metrics are recorded too.
   * @default false
   */
  readonly recordScrapes?: boolean
}

/** The options of an adapter, each for whom it is meant. */
export interface AdapterParts<Request> {
  readonly path: string | false
  readonly recordScrapes: boolean
  /** For `HttpMetrics`. */
  readonly recorder: HttpMetricsOptions<Request>
  /** For `metricsHandler`. */
  readonly page: ScrapeOptions<Request>
}

/**
 * Checks an adapter's options and tells them apart. `own` are names that only this adapter has. Throws `MetricError` for
 * unknown options, and for a wrong `path` or `recordScrapes`; the others are checked by those who take them.
 */
export function adapterParts<Request>(
  subject: string,
  options: AdapterOptions<Request>,
  own: readonly string[] = [],
): AdapterParts<Request> {
  const refuse = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument, rule, value })
  }
  if (typeof options !== 'object' || options === null) refuse('options', 'to be an object', options)
  const known = new Set(['path', 'recordScrapes', ...own, ...HTTP_METRICS_OPTIONS, ...SCRAPE_OPTIONS])
  refuseUnknownOptions(subject, undefined, options, [...known])
  const { path = '/metrics', recordScrapes = false } = options
  if (path !== false && (typeof path !== 'string' || !path.startsWith('/'))) {
    refuse('path', 'to be a path that starts with `/`, or false', path)
  }
  if (typeof recordScrapes !== 'boolean') refuse('recordScrapes', 'to be a boolean', recordScrapes)
  return { path, recordScrapes, recorder: pick(options, HTTP_METRICS_OPTIONS), page: pick(options, SCRAPE_OPTIONS) }
}

/** Whether a request target, as the client sent it, is for `path`; undefined where only a parser can tell (a whole URL). */
export function isTargetAt(path: string, target: string): boolean | undefined {
  if (target.charCodeAt(0) !== SLASH) return undefined
  // Where a path would end is the first thing that almost all others have otherwise: its whole is not compared with each.
  // A look past the end would be a call, for all (`instructions` in benchmarks).
  const more = target.length - path.length
  if (more > 0 && target.charCodeAt(path.length) !== QUESTION_MARK) return false
  return more >= 0 && target.startsWith(path)
}

const SLASH = 0x2f
const QUESTION_MARK = 0x3f

function pick<Options extends object>(options: Options, names: readonly string[]): Partial<Options> {
  const given = Object.entries(options).filter(([name, value]) => value !== undefined && names.includes(name))
  return Object.fromEntries(given) as Partial<Options>
}

import type { IncomingMessage, ServerResponse } from 'node:http'
import { MetricError, refuseUnknownOptions } from '../errors.ts'
import { probed, type ProbeFunction, type ProbeTarget } from '../exporter/probe.ts'
import { Registry } from '../registry.ts'
import { metricsHandler, type MetricsHandler } from './handler.ts'

/** A target by its name, by a pattern that matches all of it, or by a function's word. */
export type AllowedTarget = string | RegExp | ((target: string) => boolean)

export interface ProbeHandlerOptions {
  /**
   * Which targets may be probed; others are refused with 403. Needed: a prober that looks wherever it is asked to is a
   * way into the network for everyone who reaches it.
   */
  readonly targets: AllowedTarget | readonly AllowedTarget[]
  /** How to look at a target, by the name that `module=` gives; or the one way there is. */
  readonly modules: ProbeFunction | { readonly [name: string]: ProbeFunction }
  /**
   * The module of requests that name none.
   * @default the only one, where there is only one
   */
  readonly defaultModule?: string
  /**
   * Milliseconds that a probe may take. A shorter time-out that Prometheus announces wins.
   * @default 10_000
   */
  readonly timeout?: number
  /**
   * How many probes may run at once; more are refused with 503.
   * @default 40
   */
  readonly maxRequestsInFlight?: number
  /** Called for each probe that threw or was late. `probe_success 0` tells of it too. */
  readonly onError?: (error: unknown, probe: ProbeTarget) => void
}

const OPTIONS = ['targets', 'modules', 'defaultModule', 'timeout', 'maxRequestsInFlight', 'onError'] as const
const SUBJECT = 'probeHandler'

/**
 * Answers `/probe?target=…&module=…` as multi-target exporters do: each request looks at its target and gets a page of
 * its own, with `probe_success` and `probe_duration_seconds`. Mount it under `paths` of `startMetricsServer`, or
 * anywhere. 400 where the request is wrong, 403 where the target is not allowed; a probe that fails is a page with
 * `probe_success 0`.
 *
 * Throws `MetricError` for wrong options; the listener itself never throws.
 */
export function probeHandler(options: ProbeHandlerOptions): MetricsHandler {
  checkOptions(options)
  const { timeout = 10_000, maxRequestsInFlight = 40, onError } = options
  const modules = new Map(
    Object.entries(typeof options.modules === 'function' ? { default: options.modules } : options.modules),
  )
  const defaultModule = options.defaultModule ?? (modules.size === 1 ? [...modules.keys()][0] : undefined)
  const isAllowed = allowList(Array.isArray(options.targets) ? options.targets : [options.targets])
  const withoutProbe = metricsHandler({ registry: new Registry() })
  let inFlight = 0

  return function serveProbe(request, response) {
    if (request.method !== 'GET') return withoutProbe(request, response)
    const query = new URLSearchParams(/\?([^#]*)/.exec(request.url ?? '')?.[1])
    const [target, ...moreTargets] = query.getAll('target')
    const [module = defaultModule, ...moreModules] = query.getAll('module')
    if (!target || moreTargets.length > 0) return refuse(response, 400, 'The query needs one target=')
    if (module === undefined || moreModules.length > 0) return refuse(response, 400, 'The query needs one module=')
    const look = modules.get(module)
    if (look === undefined) return refuse(response, 400, 'There is no such module')
    if (!isAllowed(target)) return refuse(response, 403, 'That target is not allowed')
    if (inFlight >= maxRequestsInFlight) {
      return refuse(response, 503, `More than ${maxRequestsInFlight} probes at once`, { 'Retry-After': '1' })
    }
    inFlight += 1
    response.once('close', () => {
      inFlight -= 1
    })
    const failed = (error: unknown): void => {
      try {
        onError?.(error, { target, module })
      } catch {
        // The page is more important than the log.
      }
    }
    void answer(look, { target, module }, request, response, failed)
  }

  async function answer(
    look: ProbeFunction,
    probe: ProbeTarget,
    request: IncomingMessage,
    response: ServerResponse,
    failed: (error: unknown) => void,
  ): Promise<void> {
    const time = timeoutOf(request, timeout)
    const start = performance.now()
    const registry = await probed(look, probe, time, failed)
    const left = Math.max(time - (performance.now() - start), LEAST_MILLISECONDS)
    metricsHandler({ registry, timeout: left })(request, response)
  }
}

/** What collectors on a probe's registry may take at least, however late the probe was. */
const LEAST_MILLISECONDS = 100

/** What Prometheus announces, less a tenth for the way back, where that is shorter than the option. */
function timeoutOf(request: IncomingMessage, timeout: number): number {
  const announced = Number(request.headers['x-prometheus-scrape-timeout-seconds'] ?? Number.NaN) * 900
  return announced > 0 ? Math.min(timeout, announced) : timeout
}

function allowList(targets: readonly AllowedTarget[]): (target: string) => boolean {
  const tests = targets.map((allowed) => {
    if (typeof allowed === 'string') return (target: string) => target === allowed
    if (typeof allowed === 'function') return (target: string) => allowed(target) === true
    // A pattern that matches a part would let in `db1.internal.attacker.example`.
    const whole = new RegExp(`^(?:${allowed.source})$`, allowed.flags.replaceAll(/[gmy]/g, ''))
    return (target: string) => whole.test(target)
  })
  return (target) => {
    try {
      return tests.some((test) => test(target))
    } catch {
      return false
    }
  }
}

function refuse(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...headers }).end(`${text}\n`)
}

function checkOptions(options: ProbeHandlerOptions): void {
  const refuseOption = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject: SUBJECT, argument, rule, value })
  }
  if (typeof options !== 'object' || options === null) refuseOption('options', 'to be an object', options)
  refuseUnknownOptions(SUBJECT, undefined, options, OPTIONS)
  const { targets, modules, defaultModule, timeout = 10_000, maxRequestsInFlight = 40, onError } = options
  const list: readonly unknown[] = Array.isArray(targets) ? targets : [targets]
  const isAllowedTarget = (one: unknown): boolean =>
    (typeof one === 'string' && one !== '') || one instanceof RegExp || typeof one === 'function'
  if (list.length === 0 || !list.every(isAllowedTarget)) {
    refuseOption('targets', 'to be strings, regular expressions or functions, at least one', targets)
  }
  const named = typeof modules === 'function' ? { default: modules } : modules
  const functions: unknown[] = typeof named === 'object' && named !== null ? Object.values(named) : []
  if (functions.length === 0 || !functions.every((one) => typeof one === 'function')) {
    refuseOption('modules', 'to be a function, or an object of at least one', modules)
  }
  if (defaultModule !== undefined && !Object.hasOwn(named, defaultModule)) {
    refuseOption('defaultModule', `to be one of ${Object.keys(named).join(', ')}`, defaultModule)
  }
  if (typeof timeout !== 'number' || !(timeout > 0 && timeout <= 0x7fffffff)) {
    refuseOption('timeout', 'to be a number of milliseconds > 0', timeout)
  }
  if (!(maxRequestsInFlight >= 1)) refuseOption('maxRequestsInFlight', 'to be a number >= 1', maxRequestsInFlight)
  if (onError !== undefined && typeof onError !== 'function') refuseOption('onError', 'to be a function', onError)
}

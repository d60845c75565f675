import { MetricError } from '../errors.ts'
import { emitWarning } from '../warning.ts'
import { pushAddToGateway, pushToGateway } from './pushgateway.ts'
import { type PushOptions, pushTarget } from './push-target.ts'

export interface PeriodicPushOptions extends PushOptions {
  /**
   * Milliseconds between two pushes.
   * @default 15_000
   */
  readonly interval?: number
  /**
   * `add` replaces only metrics of the same names, as {@link pushAddToGateway}.
   * @default 'replace'
   */
  readonly mode?: 'replace' | 'add'
  /** Told of a push that failed; without it the first one of a row warns. The last push tells `stop` as well. */
  readonly onError?: (error: unknown) => void
}

/** Pushing that was started. */
export interface PeriodicPush extends AsyncDisposable {
  /** Ends it with a last push, whose failure rejects. Calling it again gives the same Promise. */
  stop(): Promise<void>
}

const SUBJECT = 'startPushing'

/**
 * Pushes again and again, and a last time when the process has nothing more to do or `stop` is called. Signals and
 * `process.exit` leave no time for that: call `stop` before. Keeps no process alive but for a push under way. A push
 * that fails is told and tried again at the next interval; two never run at once.
 *
 * Throws `MetricError` for wrong options.
 */
export function startPushing(url: string | URL, options: PeriodicPushOptions): PeriodicPush {
  const { interval = 15_000, mode = 'replace', onError, ...push } = options ?? {}
  check(interval, mode, onError)
  pushTarget(url, push)
  const once = (): Promise<void> => (mode === 'add' ? pushAddToGateway(url, push) : pushToGateway(url, push))
  const failed = failureReport(onError)
  let running: Promise<void> | undefined
  const tick = (): void => {
    running ??= once()
      .then(failed.over, failed.report)
      .finally(() => (running = undefined))
  }
  const timer = setInterval(tick, interval).unref()
  const finish = async (): Promise<void> => {
    clearInterval(timer)
    process.off('beforeExit', onExit)
    await running
    await once()
  }
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => (stopped ??= finish())
  const onExit = (): void => void stop().catch(failed.report)
  process.once('beforeExit', onExit)
  return { stop, [Symbol.asyncDispose]: stop }
}

function check(interval: number, mode: string, onError: unknown): void {
  const refuse = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject: SUBJECT, argument, rule, value })
  }
  if (!Number.isInteger(interval) || interval < 1 || interval > 0x7fffffff) {
    refuse('interval', 'to be a whole number of milliseconds from 1 to 2147483647', interval)
  }
  if (mode !== 'replace' && mode !== 'add') refuse('mode', "to be 'replace' or 'add'", mode)
  if (onError !== undefined && typeof onError !== 'function') refuse('onError', 'to be a function', onError)
}

/** Tells of failures: the callback of each, or one warning for each row of them. Never throws. */
function failureReport(onError: PeriodicPushOptions['onError']): { over(): void; report(error: unknown): void } {
  let warned = false
  const warn = (error: unknown): void => {
    if (!warned) emitWarning(error instanceof Error ? error.message : String(error), 'NARTHEX_PUSH_FAILED')
    warned = true
  }
  return {
    over: () => void (warned = false),
    report(error) {
      if (onError === undefined) return warn(error)
      try {
        onError(error)
      } catch (thrown) {
        warn(thrown)
      }
    },
  }
}

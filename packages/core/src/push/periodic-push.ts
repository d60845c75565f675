import { MetricError } from '../errors.ts'
import { emitWarning } from '../warning.ts'
import { pushAddToGateway, type PushOptions, pushToGateway } from './pushgateway.ts'

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
  /** Told of a push that failed; without it the first one of a row warns. */
  readonly onError?: (error: unknown) => void
}

/** Pushing that was started. */
export interface PeriodicPush extends AsyncDisposable {
  /** Ends it with a last push, whose failure rejects. */
  stop(): Promise<void>
}

/**
 * Pushes again and again, and a last time when the process has nothing more to do or `stop` is called. Keeps no process
 * alive. A push that fails is told and tried again at the next interval; two never run at once.
 */
export function startPushing(url: string | URL, options: PeriodicPushOptions): PeriodicPush {
  const { interval = 15_000, mode = 'replace', onError, ...push } = options
  if (!Number.isInteger(interval) || interval < 1 || interval > 0x7fffffff) {
    const rule = 'to be a whole number of milliseconds'
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject: 'startPushing', argument: 'interval', rule, value: interval })
  }
  const once = (): Promise<void> => (mode === 'add' ? pushAddToGateway(url, push) : pushToGateway(url, push))
  let running: Promise<void> | undefined
  let warned = false
  const report = (error: unknown): void => {
    if (onError !== undefined) return onError(error)
    if (!warned) emitWarning(error instanceof Error ? error.message : String(error), 'NARTHEX_PUSH_FAILED')
    warned = true
  }
  const tick = (): void => {
    running ??= once()
      .then(() => void (warned = false), report)
      .finally(() => (running = undefined))
  }
  const timer = setInterval(tick, interval)
  timer.unref()
  const finish = async (): Promise<void> => {
    clearInterval(timer)
    process.off('beforeExit', onExit)
    await running
    await once()
  }
  const onExit = (): void => void finish().catch(report)
  process.once('beforeExit', onExit)
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => (stopped ??= finish())
  return { stop, [Symbol.asyncDispose]: stop }
}

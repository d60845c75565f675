import { monotonicSeconds } from '../clock.ts'
import { GaugeMetricFamily } from '../metric-families.ts'
import { Registry } from '../registry.ts'

/** Which target is to be looked at, and as what. */
export interface ProbeTarget {
  readonly target: string
  readonly module: string
}

/** One look at one target. */
export interface Probe extends ProbeTarget {
  /** Fresh for this look: what is registered here is the answer. */
  readonly registry: Registry
  /** Aborted when the time is up. */
  readonly signal: AbortSignal
}

/**
 * Looks at a target and puts what it finds on the probe's registry: metrics, a collector, an `Exporter`. The probe has
 * failed where it throws, rejects, is late or gives `false`.
 */
export type ProbeFunction = (probe: Probe) => unknown

/**
 * Looks once. Resolves within `milliseconds` with a registry that holds what the probe found and, before that,
 * `probe_success` and `probe_duration_seconds`. Never rejects: what went wrong is given to `failed`.
 */
export async function probed(
  look: ProbeFunction,
  { target, module }: ProbeTarget,
  milliseconds: number,
  failed: (error: unknown) => void,
): Promise<Registry> {
  const registry = new Registry()
  const result = new ProbeResult()
  registry.register(result)
  const stop = new AbortController()
  const start = monotonicSeconds()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new Error(`The probe has not ended within ${Math.ceil(milliseconds)} ms`)
      reject(error)
      stop.abort(error)
    }, milliseconds)
  })
  try {
    const run = (async () => look({ target, module, registry, signal: stop.signal }))()
    result.success = (await Promise.race([run, late])) !== false
  } catch (error) {
    failed(error)
  } finally {
    clearTimeout(timer)
    result.seconds = monotonicSeconds() - start
  }
  return registry
}

/** The two lines that every probe has, by the names that blackbox_exporter gave them. */
class ProbeResult {
  success = false
  seconds = 0

  describe(): { name: string; type: 'gauge' }[] {
    return [
      { name: 'probe_success', type: 'gauge' },
      { name: 'probe_duration_seconds', type: 'gauge' },
    ]
  }

  collect(): GaugeMetricFamily[] {
    const { success, seconds } = this
    return [
      new GaugeMetricFamily({ name: 'probe_success', help: 'Whether the probe succeeded.', value: Number(success) }),
      new GaugeMetricFamily({ name: 'probe_duration_seconds', help: 'Time that the probe took.', value: seconds }),
    ]
  }
}

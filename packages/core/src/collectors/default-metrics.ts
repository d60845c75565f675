import { MetricError, refuseUnknownOptions } from '../errors.ts'
import type { LabelValue } from '../labels.ts'
import { defaultRegistry, Registry } from '../registry.ts'
import { activeResourcesCollector } from './active-resources.ts'
import { eventLoopLagCollector, eventLoopUtilizationCollector } from './event-loop.ts'
import { gcCollector } from './gc.ts'
import { heapCollector, heapSpacesCollector } from './heap.ts'
import { processCollector } from './process.ts'
import type { RuntimeCollector } from './runtime-collector.ts'
import { versionCollector } from './version.ts'

/** What can be left out or asked for alone. */
export type DefaultMetricsGroup = 'process' | 'heap' | 'heapSpaces' | 'gc' | 'eventLoop' | 'activeResources' | 'version'

export interface DefaultMetricsOptions {
  /** @default defaultRegistry */
  readonly registry?: Registry
  /** @default all of them */
  readonly groups?: readonly DefaultMetricsGroup[]
  /** Put before every name. */
  readonly prefix?: string
  /** Labels that every series gets. */
  readonly labels?: { readonly [name: string]: LabelValue }
  /** Upper bounds of the garbage collection histogram, in seconds. */
  readonly gcBuckets?: readonly number[]
  /**
   * Milliseconds between two looks at the event loop.
   * @default 20
   */
  readonly eventLoopResolution?: number
}

/** Default metrics that were started. */
export interface DefaultMetrics extends Disposable {
  /** Ends the observers and timers, and takes the metrics off the registry. */
  stop(): void
}

const GROUPS: Readonly<Record<DefaultMetricsGroup, (options: DefaultMetricsOptions) => readonly RuntimeCollector[]>> = {
  process: () => [processCollector],
  heap: () => [heapCollector],
  heapSpaces: () => [heapSpacesCollector],
  gc: ({ gcBuckets }) => [gcCollector(gcBuckets)],
  eventLoop: ({ eventLoopResolution = 20 }) => [eventLoopLagCollector(eventLoopResolution), eventLoopUtilizationCollector],
  activeResources: () => [activeResourcesCollector],
  version: () => [versionCollector],
}

const OPTIONS = ['registry', 'groups', 'prefix', 'labels', 'gcBuckets', 'eventLoopResolution'] as const

/**
 * Exposes the process and the runtime: `process_*` as every client library has it, `nodejs_*` with the names that
 * dashboards know. Nothing of it keeps the process alive; the handle stops everything (`using` works).
 *
 * Throws `MetricError` for unknown options and groups, and `ERR_NARTHEX_NAME_CLASH` where the registry has them already.
 */
export function collectDefaultMetrics(options: DefaultMetricsOptions = {}): DefaultMetrics {
  const subject = 'collectDefaultMetrics'
  refuseUnknownOptions(subject, undefined, options, OPTIONS)
  const { registry = defaultRegistry, groups = Object.keys(GROUPS) as DefaultMetricsGroup[], prefix, labels } = options
  const known = Object.keys(GROUPS)
  const unknown = groups.find((group) => !known.includes(group))
  if (unknown !== undefined) {
    const rule = `to be some of ${known.join(', ')}`
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument: 'groups', rule, value: unknown })
  }
  const { eventLoopResolution: resolution = 20 } = options
  if (!Number.isInteger(resolution) || resolution < 1) {
    const rule = 'to be an integer >= 1'
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument: 'eventLoopResolution', rule, value: resolution })
  }
  const collectors = [...new Set(groups)].flatMap((group) => GROUPS[group](options))
  const exposed = collectors.map((collector) => decorated(collector, prefix, labels))
  const stop = (): void => {
    for (const collector of exposed) registry.unregister(collector)
    for (const collector of collectors) collector.stop?.()
  }
  try {
    for (const collector of exposed) registry.register(collector)
  } catch (error) {
    stop()
    throw error
  }
  return { stop, [Symbol.dispose]: stop }
}

/**
 * A collector of this call's own, so that stopping it leaves another call's alone. A registry within the registry adds
 * prefix and labels the way registries do.
 */
function decorated(
  collector: RuntimeCollector,
  prefix: string | undefined,
  labels: DefaultMetricsOptions['labels'],
): RuntimeCollector {
  if (prefix === undefined && labels === undefined) return { ...collector }
  const inner = new Registry({ prefix, labels })
  inner.register(collector)
  return {
    name: collector.name,
    describe: () => collector.describe().map((family) => ({ ...family, name: (prefix ?? '') + family.name })),
    async collect() {
      const families = []
      for await (const family of inner.gather()) families.push(family)
      return families
    },
  }
}

import { MetricError, refuseUnknownOptions } from '../errors.ts'
import type { MetricFamily, Series } from '../family.ts'
import { checkLabelNames, type Labels, labelsFrom, type LabelValue, labelValueOf } from '../labels.ts'
import { isValidName } from '../names.ts'
import { defaultRegistry, type Registry } from '../registry.ts'
import { activeResourcesCollector } from './active-resources.ts'
import { eventLoopLagCollector } from './event-loop-lag.ts'
import { eventLoopUtilizationCollector } from './event-loop-utilization.ts'
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
  /** Put before every name: `shop_`. */
  readonly prefix?: string
  /** Labels that every series gets beside its own. */
  readonly labels?: { readonly [name: string]: LabelValue }
  /**
   * Upper bounds of the garbage collection histogram, in seconds.
   * @default [0.001, 0.01, 0.1, 1, 2, 5]
   */
  readonly gcBuckets?: readonly number[]
  /**
   * Milliseconds between two looks at an event loop at work.
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
  process: () => [processCollector()],
  heap: () => [heapCollector],
  heapSpaces: () => [heapSpacesCollector],
  gc: ({ gcBuckets }) => [gcCollector(gcBuckets)],
  eventLoop: ({ eventLoopResolution = 20 }) => [
    eventLoopLagCollector(eventLoopResolution),
    eventLoopUtilizationCollector,
  ],
  activeResources: () => [activeResourcesCollector],
  version: () => [versionCollector],
}

const OPTIONS = ['registry', 'groups', 'prefix', 'labels', 'gcBuckets', 'eventLoopResolution'] as const
const SUBJECT = 'collectDefaultMetrics'
/** Labels that the runtime's own series have. */
const OWN_LABELS: ReadonlySet<string> = new Set(['kind', 'space', 'type', 'version', 'major', 'minor', 'patch', 'le'])

/**
 * Exposes the process and the runtime: `process_*` as every client library has it, `nodejs_*` with the names that
 * dashboards know (docs/runtime-metrics.md). Nothing of it keeps the process alive; the handle stops everything (`using`
 * works). At rest it costs a wake-up twice a second.
 *
 * Throws `MetricError` for unknown options and groups, and `ERR_NARTHEX_NAME_CLASH` where the registry has them already:
 * stop the first ones, or give the second a prefix.
 */
export function collectDefaultMetrics(options: DefaultMetricsOptions = {}): DefaultMetrics {
  const {
    registry = defaultRegistry,
    groups = Object.keys(GROUPS) as DefaultMetricsGroup[],
    prefix = '',
  } = checked(options)
  const labels = checkedLabels(options.labels)
  const started: RuntimeCollector[] = []
  const stop = (): void => {
    for (const collector of started.splice(0)) {
      registry.unregister(collector)
      collector.stop?.()
    }
  }
  try {
    for (const group of new Set(groups)) {
      for (const collector of GROUPS[group](options)) {
        const exposed = decorated(collector, prefix, labels)
        started.push(exposed)
        registry.register(exposed)
      }
    }
  } catch (error) {
    stop()
    throw isClash(error) ? clashOf(error) : error
  }
  return { stop, [Symbol.dispose]: stop }
}

function isClash(error: unknown): error is MetricError {
  return error instanceof MetricError && error.code === 'ERR_NARTHEX_NAME_CLASH'
}

function clashOf({ code, metric, existing }: MetricError): MetricError {
  const rule = `to have no \`${metric}\` yet: stop the metrics that were started before, or choose a \`prefix\``
  return new MetricError(code, { subject: SUBJECT, metric, argument: 'registry', rule, existing })
}

function checked(options: DefaultMetricsOptions): DefaultMetricsOptions {
  const refuse = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject: SUBJECT, argument, rule, value })
  }
  if (typeof options !== 'object' || options === null) return refuse('options', 'to be an object', options)
  refuseUnknownOptions(SUBJECT, undefined, options, OPTIONS)
  const { registry, groups = [], prefix = '', eventLoopResolution: resolution = 20 } = options
  if (registry !== undefined && typeof registry?.register !== 'function')
    refuse('registry', 'to be a Registry', registry)
  const rule = `to be an array of ${Object.keys(GROUPS).join(', ')}`
  if (!Array.isArray(groups)) refuse('groups', rule, groups)
  for (const group of groups) if (!Object.hasOwn(GROUPS, group)) refuse('groups', rule, group)
  if (prefix !== '' && !isValidName(prefix)) refuse('prefix', 'to be a well-formed string', prefix)
  if (!Number.isInteger(resolution) || resolution < 1 || resolution > 60_000) {
    refuse('eventLoopResolution', 'to be an integer from 1 to 60000', resolution)
  }
  return options
}

function checkedLabels(labels: DefaultMetricsOptions['labels'] = {}): Labels {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) {
    const rule = 'to be an object of labels'
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject: SUBJECT, argument: 'labels', rule, value: labels })
  }
  const names = checkLabelNames(Object.keys(labels), 'registry', SUBJECT, undefined, 'labels')
  const clash = names.find((name) => OWN_LABELS.has(name))
  if (clash !== undefined) {
    const rule = `to leave \`${clash}\` to the metrics themselves`
    throw new MetricError('ERR_NARTHEX_INVALID_LABEL_NAME', {
      subject: SUBJECT,
      argument: 'labels',
      rule,
      value: clash,
    })
  }
  const values = names.map((name) => labelValueOf(labels[name], name, SUBJECT))
  return labelsFrom(names, values)
}

/** A collector of this call's own, so that stopping it leaves another call's alone, with prefix and labels. */
function decorated(collector: RuntimeCollector, prefix: string, labels: Labels): RuntimeCollector {
  const { name, stop, scope = 'thread' } = collector
  if (prefix === '' && Object.keys(labels).length === 0) return { ...collector, scope }
  const expose = (family: MetricFamily): MetricFamily =>
    ({ ...family, name: prefix + family.name, series: labelled(family, labels) }) as MetricFamily
  return {
    name,
    scope,
    stop,
    describe: () => collector.describe().map((family) => ({ ...family, name: prefix + family.name })),
    collect: async () => (await collector.collect()).map(expose),
  }
}

function labelled({ series }: MetricFamily, labels: Labels): Iterable<Series> {
  return {
    *[Symbol.iterator](): Generator<Series> {
      for (const one of series) yield { ...one, labels: { ...labels, ...one.labels } }
    },
  }
}

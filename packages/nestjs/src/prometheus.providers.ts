import {
  type Counter,
  type CounterOptions,
  defaultRegistry,
  type Enum,
  type EnumOptions,
  type Gauge,
  type GaugeOptions,
  type Histogram,
  type HistogramOptions,
  type Info,
  type InfoOptions,
  MetricError,
  Registry,
  type Summary,
  type SummaryOptions,
} from '@narthex/core'
import type { FactoryProvider } from '@nestjs/common'
import type { ModulesContainer } from '@nestjs/core'
import { refuse } from './prometheus.options.ts'
import { getMetricToken, metricNameOf, PROMETHEUS_OPTIONS } from './prometheus.tokens.ts'

/** The options of a metric, with a `collect` that can be given providers. */
export type MetricProviderOptions<Options, Metric> = Omit<Options, 'registry' | 'collect'> & {
  /**
   * Where the metric lives.
   * @default the module's registry
   */
  readonly registry?: Registry
  /** Tokens of what `collect` is given after the metric: nothing that is request-scoped, for a scrape belongs to no request. */
  readonly inject?: FactoryProvider['inject']
  /** Called before the metric is read by a scrape, to set values that are only known then. May return a Promise. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly collect?: (this: Metric, metric: Metric, ...injected: any[]) => void | Promise<void>
}

/**
 * A provider of a counter in the module's registry, for `@InjectMetric(name)`. A metric that is there already is used
 * again if it is defined alike, so that a module may be created twice; its `collect` is then the later one.
 *
 * The application's start rejects with `MetricError` for invalid options, and for a name that is defined otherwise. The
 * siblings of this function do the same for the other types.
 */
export function makeCounterProvider<const L extends string = never>(
  options: MetricProviderOptions<CounterOptions<L>, Counter<L>>,
): FactoryProvider<Counter<L>> {
  return providerOf<CounterOptions<L>, Counter<L>>(options, (registry, own) => registry.counter<L>(own))
}

export function makeGaugeProvider<const L extends string = never>(
  options: MetricProviderOptions<GaugeOptions<L>, Gauge<L>>,
): FactoryProvider<Gauge<L>> {
  return providerOf<GaugeOptions<L>, Gauge<L>>(options, (registry, own) => registry.gauge<L>(own))
}

export function makeHistogramProvider<const L extends string = never>(
  options: MetricProviderOptions<HistogramOptions<L>, Histogram<L>>,
): FactoryProvider<Histogram<L>> {
  return providerOf<HistogramOptions<L>, Histogram<L>>(options, (registry, own) => registry.histogram<L>(own))
}

export function makeSummaryProvider<const L extends string = never>(
  options: MetricProviderOptions<SummaryOptions<L>, Summary<L>>,
): FactoryProvider<Summary<L>> {
  return providerOf<SummaryOptions<L>, Summary<L>>(options, (registry, own) => registry.summary<L>(own))
}

export function makeInfoProvider<const L extends string = never>(
  options: MetricProviderOptions<InfoOptions<L>, Info<L>>,
): FactoryProvider<Info<L>> {
  return providerOf<InfoOptions<L>, Info<L>>(options, (registry, own) => registry.info<L>(own))
}

export function makeEnumProvider<const L extends string = never, const S extends string = string>(
  options: MetricProviderOptions<EnumOptions<L, S>, Enum<L, S>>,
): FactoryProvider<Enum<L, S>> {
  return providerOf<EnumOptions<L, S>, Enum<L, S>>(options, (registry, own) => registry.enum<L, S>(own))
}

type Collect = (this: unknown, metric: unknown, ...injected: unknown[]) => void | Promise<void>

const COLLECT = Symbol('@narthex/nestjs/collect')

/** A metric remembers what it is collected with now: its provider may have been made anew since. */
type Collected = { [COLLECT]?: { readonly collect: Collect; readonly injected: readonly unknown[] } }

function providerOf<Options extends { readonly name: string }, M extends object>(
  {
    registry: ownRegistry,
    inject = [],
    collect,
    ...options
  }: MetricProviderOptions<Options, M> & { readonly name: string },
  make: (registry: Registry, options: Options) => M,
): FactoryProvider<M> {
  if (collect !== undefined && typeof collect !== 'function') refuse('collect', 'to be a function', collect)
  const call = function (this: Collected): void | Promise<void> {
    const { collect: current, injected = [] } = this[COLLECT] ?? {}
    return current?.call(this, this, ...injected)
  }
  return {
    provide: getMetricToken(options.name),
    inject: [{ token: Registry, optional: true }, ...inject],
    useFactory: (registry: Registry | undefined, ...injected: unknown[]) => {
      const own = collect === undefined ? options : { ...options, collect: call }
      const metric = make(ownRegistry ?? registry ?? defaultRegistry, own as unknown as Options)
      if (collect !== undefined) {
        const value = { collect: collect as Collect, injected }
        Object.defineProperty(metric, COLLECT, { value, configurable: true })
      }
      return metric
    },
  }
}

/** Throws for metrics and options that are made of what is request-scoped: they would be there for one request. */
export function refuseRequestScoped(modules: ModulesContainer): void {
  for (const { providers } of modules.values()) {
    for (const [token, provider] of providers) {
      const metric = metricNameOf(token)
      if ((metric === undefined && token !== PROMETHEUS_OPTIONS) || provider.isDependencyTreeStatic()) continue
      const rule =
        metric === undefined
          ? 'and factories of options to be request-scoped in no part: they are for all requests'
          : 'to name no request-scoped provider: a scrape belongs to no request'
      const details = { subject: 'PrometheusModule', metric, argument: 'inject', rule }
      throw new MetricError('ERR_NARTHEX_INVALID_OPTION', details)
    }
  }
}

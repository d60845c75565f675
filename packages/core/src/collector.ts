import type { MetricFamily, MetricType } from './family.ts'

/** What one collection may bring: at once, or later, or one after the other. */
export type Collection = Iterable<MetricFamily> | AsyncIterable<MetricFamily> | Promise<Iterable<MetricFamily>>

/** What a collector may want to know of the run that it is called for. */
export interface CollectOptions {
  /** Milliseconds after which the page goes out without its families. */
  readonly timeout: number
}

/**
 * What a collector's numbers speak of, which decides what a page over several processes shows: those of each `thread`,
 * those of each `process` once, or what is `shared` and the same whoever asks, such as the rows of a database: taken from
 * the process that is scraped. A metric is of its `thread`, a collector `shared` unless it says otherwise.
 */
export type CollectorScope = 'thread' | 'process' | 'shared'

/** The part of a family that is known before anything is collected. */
export interface FamilyDescription {
  readonly name: string
  readonly type: MetricType
  readonly totalSuffix?: false
}

/**
 * Whoever brings metric families to a scrape: every metric is one, and so is whatever reads numbers that live elsewhere.
 */
export interface Collector {
  /** See {@link CollectorScope}. */
  readonly scope?: CollectorScope
  /** Names the collector in `narthex_collector_errors_total`; its constructor's name stands in. */
  readonly name?: string
  /**
   * Whether scrapes at the same time each call `collect`, with a time-out of their own: for one that shares its work
   * itself, as an exporter does.
   * @default false: they share one call, which is told the first one's time-out
   */
  readonly concurrent?: boolean
  /**
   * Called for each scrape; scrapes at the same time share one call. Throwing, rejecting and being late cost this
   * collector's families and nothing else.
   */
  collect(options?: CollectOptions): Collection
  /** Families known beforehand: lets the registry refuse a clash at registration and skip what `name[]` leaves out. */
  describe?(): Iterable<FamilyDescription>
  /** Told when a registry takes the collector in. */
  registered?(host: CollectorHost): void
  /** Told when a registry lets go of it. */
  unregistered?(host: CollectorHost): void
  /** Told when a registry that holds the collector has another {@link CollectorHost.exemplarSource}, or none any more. */
  exemplarSourceChanged?(host: CollectorHost): void
}

/** A loss that a metric counts instead of throwing: the self-metric that tells of it. */
export type Loss = 'series_overflow' | 'collector_errors' | 'exemplars_dropped' | 'hook_errors' | 'multiprocess_errors'

/** Finds exemplars for observations that came without one. */
export interface ExemplarSource {
  /**
   * Another object in each interval, by default each second. Comparing it costs no look at a clock: whoever asks at most
   * once a tick keeps the source off the hot path.
   */
  readonly tick: object
  /** Labels for an observation made now, such as those of the active trace. May throw: it is the application's. */
  find(): { readonly [name: string]: string } | undefined
}

/** What a registry is to the collectors it holds. */
export interface CollectorHost {
  /** Adds one to `narthex_<loss>_total`; `of` is the metric or collector concerned. */
  countLoss(loss: Loss, of: string): void
  /** Where observations that come without an exemplar may find one. */
  readonly exemplarSource?: ExemplarSource | undefined
}

/** Where metrics register themselves: the part of a registry that a metric sees. */
export interface Registrar {
  register(collector: Collector): void
}

/** Options of one gathering. */
export interface GatherOptions {
  /** Only families with one of these names, or with a sample of one of these names. */
  readonly names?: Iterable<string>
  /** Milliseconds that each collector may take, where shorter than the registry's `collectTimeout`. */
  readonly timeout?: number
  /** The page's escaping: families whose names would be the same after it are left out but the first. */
  readonly escaping?: 'underscores' | 'dots' | 'values' | 'allow-utf-8'
}

/** A family as one thread has it, for a page over several. */
export interface OwnFamily {
  readonly family: MetricFamily
  readonly scope: 'thread' | 'process'
  readonly isMetric: boolean
}

/** What a view is asked for. */
export interface ViewOptions extends CollectOptions {
  /** Whether the page shows a family; all of them where it is missing. */
  readonly wants?: ((family: FamilyDescription) => boolean) | undefined
}

/** Stands in for a registry's own metrics: with several processes, a view over all of them. */
export interface PageView {
  /** The families in place of the registry's own, as these are: without its prefix and labels. Never throws. */
  families(options: ViewOptions): AsyncIterable<MetricFamily>
}

/** Whatever has a page's worth of families: a registry, or a view over several. */
export interface Gatherer {
  gather(options?: GatherOptions): AsyncIterable<MetricFamily>
}

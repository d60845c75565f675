import type {
  Collector,
  CollectorHost,
  CollectOptions,
  CollectorScope,
  ExemplarSource,
  FamilyDescription,
  Gatherer,
  GatherOptions,
  Loss,
  OwnFamily,
  PageView,
  Registrar,
} from './collector.ts'
import { claimDefaultRegistry } from './default-registry.ts'
import { describeValue, MetricError, refuseUnknownOptions } from './errors.ts'
import { encodeStream } from './exposition/encode.ts'
import type { ExpositionFormat } from './exposition/format.ts'
import { textFormat } from './exposition/text.ts'
import { type MetricFamily, samplesOf, type Series } from './family.ts'
import { checkedFamily } from './checked-family.ts'
import { checkLabelNames, type Labels, labelsFrom, type LabelValue, labelValueOf, ownLabelOf } from './labels.ts'
import { Counter, type CounterOptions } from './metrics/counter.ts'
import { Enum, type EnumOptions } from './metrics/enum.ts'
import { ExemplarSampler, type FindExemplar } from './metrics/exemplar-sampler.ts'
import { Gauge, type GaugeOptions } from './metrics/gauge.ts'
import { Histogram, type HistogramOptions } from './metrics/histogram.ts'
import { Info, type InfoOptions } from './metrics/info.ts'
import { isMetric, type Metric } from './metrics/metric.ts'
import { Summary, type SummaryOptions } from './metrics/summary.ts'
import { escapeName, type EscapingScheme, isLegacyMetricName, isValidName, sampleNamesOf } from './names.ts'
import { emitWarning } from './warning.ts'

export interface RegistryOptions {
  /** Labels that every series on the page gets beside its own. */
  readonly labels?: { readonly [name: string]: LabelValue }
  /** Put before every name on the page: `shop_`. */
  readonly prefix?: string
  /**
   * Milliseconds that each collector may take; all run at the same time. A late one misses that page.
   * @default 5_000
   */
  readonly collectTimeout?: number
  /** See {@link Registry.exemplars}. */
  readonly exemplars?: FindExemplar
  /**
   * Milliseconds in which {@link Registry.exemplars} is asked once for each bucket of a series.
   * @default 1_000
   */
  readonly exemplarInterval?: number
}

/** A metric of any type and labels. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyMetric = Metric<any, any>

type OptionsWithoutRegistry<Options> = Omit<Options, 'registry'>

/** Chunks end between lines, so each can be decoded by itself. */
const utf8 = /* @__PURE__ */ new TextDecoder('utf-8', { ignoreBOM: true })

const SUBJECT = 'Registry'
const KNOWN_OPTIONS = ['labels', 'prefix', 'collectTimeout', 'exemplars', 'exemplarInterval'] as const

const LOSSES: Readonly<Record<Loss, { help: string; label: string }>> = {
  series_overflow: { help: 'Updates that went to the overflow series of a metric at its maxSeries.', label: 'metric' },
  collector_errors: { help: 'Collections that failed, were late or clashed, by collector.', label: 'collector' },
  hook_errors: {
    help: 'Hooks that threw or gave what is no answer, such as a Promise, and recordings that failed, by hook.',
    label: 'hook',
  },
  multiprocess_errors: { help: 'Snapshots that could not be written, read or merged, by cause.', label: 'cause' },
  exemplars_dropped: { help: 'Exemplars that broke the rules of the format.', label: 'metric' },
}

/**
 * The metrics and collectors of a page. Most programs need only {@link defaultRegistry}; tests, batch jobs and second
 * pages make their own.
 */
export class Registry implements Registrar, Gatherer, CollectorHost {
  /** The `Content-Type` of {@link Registry.metrics} in its default format. */
  readonly contentType: string = textFormat.contentType
  readonly #collectors = new Map<Collector, readonly string[]>()
  /** Every name that a line may bear, and whose it is. */
  readonly #sampleNames = new Map<string, Collector>()
  readonly #running = new Map<Collector, readonly MetricFamily[] | Promise<readonly MetricFamily[]>>()
  /** Whose the families are that {@link Registry.gather} gave: their series may fail later. */
  readonly #origins = new WeakMap<MetricFamily, Collector | PageView>()
  readonly #losses = new Map<Loss, Counter<string>>()
  readonly #warned = new Set<string>()
  readonly #labels: Labels
  readonly #prefix: string
  readonly #collectTimeout: number
  readonly #exemplarInterval: number
  #view: PageView | undefined = undefined
  #exemplars: FindExemplar | undefined = undefined
  #exemplarSampler: ExemplarSampler | undefined = undefined

  constructor(options: RegistryOptions = {}) {
    if (typeof options !== 'object' || options === null) refuse('options', 'to be an object', options, 'ARGUMENT')
    refuseUnknownOptions(SUBJECT, undefined, options, KNOWN_OPTIONS)
    const { labels = {}, prefix = '', collectTimeout = 5_000, exemplarInterval = 1_000 } = options
    if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) {
      refuse('labels', 'to be an object of labels', labels)
    }
    const names = checkLabelNames(Object.keys(labels), 'registry', SUBJECT, undefined, 'labels')
    this.#labels = labelsFrom(
      names,
      names.map((name) => labelValueOf(labels[name], name, SUBJECT)),
    )
    if (prefix !== '' && !isValidName(prefix)) refuse('prefix', 'to be a well-formed string', prefix)
    this.#prefix = prefix
    for (const [option, value] of Object.entries({ collectTimeout, exemplarInterval })) {
      if (typeof value !== 'number' || !(value > 0)) refuse(option, 'to be a number of milliseconds > 0', value)
    }
    this.#collectTimeout = collectTimeout
    this.#exemplarInterval = exemplarInterval
    this.exemplars = options.exemplars
  }

  /**
   * Finds the exemplar of an observation that came without one: `traceExemplars(api)`, or a function of your own that
   * gives labels or `undefined`. Asked at most once an `exemplarInterval` for each bucket of a histogram's series and
   * for each counter's; what it throws, and labels that break the format's rules, count in
   * `narthex_exemplars_dropped_total`. `undefined` turns it off. Throws `ERR_NARTHEX_INVALID_OPTION`.
   */
  get exemplars(): FindExemplar | undefined {
    return this.#exemplars
  }

  set exemplars(find: FindExemplar | undefined) {
    if (find !== undefined && typeof find !== 'function') refuse('exemplars', 'to be a function or undefined', find)
    this.#exemplarSampler?.stop()
    this.#exemplars = find
    this.#exemplarSampler = find === undefined ? undefined : new ExemplarSampler(find, this.#exemplarInterval)
    for (const collector of this.#collectors.keys()) collector.exemplarSourceChanged?.(this)
  }

  get exemplarSource(): ExemplarSource | undefined {
    return this.#exemplarSampler
  }

  /**
   * Takes a metric or collector in; one that is in already stays. Throws `ERR_NARTHEX_NAME_CLASH`, with the `existing`
   * collector, where two families would have lines of the same name in any format: histogram `x` beside counter
   * `x_count`, counter `a` beside gauge `a_total`.
   */
  register(collector: Collector): void {
    if (typeof collector?.collect !== 'function') {
      const rule = 'to be a metric or a collector with a `collect` method'
      throw new MetricError('ERR_NARTHEX_NOT_A_COLLECTOR', {
        subject: 'Registry',
        argument: 'collector',
        rule,
        value: collector,
      })
    }
    if (this.#collectors.has(collector)) return
    const names: string[] = []
    for (const { name, type } of collector.describe?.() ?? []) {
      for (const sampleName of sampleNamesOf(name, type)) {
        const existing = this.#sampleNames.get(sampleName)
        if (existing !== undefined) this.#refuseClash(collector, name, sampleName, existing)
        names.push(sampleName)
      }
      this.#refuseLabelClash(collector, { name, type })
    }
    for (const name of names) this.#sampleNames.set(name, collector)
    this.#collectors.set(collector, names)
    collector.registered?.(this)
  }

  /** Lets go of a metric or collector, given itself or a metric's name; false where it was not registered. */
  unregister(collector: Collector | string): boolean {
    const found = typeof collector === 'string' ? this.get(collector) : collector
    const names = found === undefined ? undefined : this.#collectors.get(found)
    if (found === undefined || names === undefined) return false
    for (const name of names) this.#sampleNames.delete(name)
    this.#collectors.delete(found)
    found.unregistered?.(this)
    return true
  }

  /** The metric of that name, with or without the suffix of its samples (`my_failures`, `my_failures_total`). */
  get(name: string): AnyMetric | undefined {
    const found = this.#sampleNames.get(name)
    if (!isMetric(found)) return undefined
    return found.name === name || name === `${found.name}_total` || name === `${found.name}_info` ? found : undefined
  }

  /** Lets go of everything. */
  clear(): void {
    for (const collector of [...this.#collectors.keys()]) this.unregister(collector)
    this.#losses.clear()
    this.#warned.clear()
  }

  /** Sets every metric to zero: see {@link Metric.reset}. Custom collectors keep their own numbers. */
  reset(): void {
    for (const collector of this.#collectors.keys()) if (isMetric(collector)) collector.reset()
    for (const counter of this.#losses.values()) counter.reset()
  }

  /**
   * The counter of that definition: the one that is registered, or a new one. Throws `ERR_NARTHEX_DEFINITION_DIFFERS`
   * where the registered one is defined otherwise. Its siblings do the same for the other types.
   */
  counter<const L extends string = never>(options: OptionsWithoutRegistry<CounterOptions<L>>): Counter<L> {
    return this.#getOrAdd(new Counter({ ...options, registry: null }))
  }

  gauge<const L extends string = never>(options: OptionsWithoutRegistry<GaugeOptions<L>>): Gauge<L> {
    return this.#getOrAdd(new Gauge({ ...options, registry: null }))
  }

  histogram<const L extends string = never>(options: OptionsWithoutRegistry<HistogramOptions<L>>): Histogram<L> {
    return this.#getOrAdd(new Histogram({ ...options, registry: null }))
  }

  summary<const L extends string = never>(options: OptionsWithoutRegistry<SummaryOptions<L>>): Summary<L> {
    return this.#getOrAdd(new Summary({ ...options, registry: null }))
  }

  info<const L extends string = never>(options: OptionsWithoutRegistry<InfoOptions<L>>): Info<L> {
    return this.#getOrAdd(new Info({ ...options, registry: null }))
  }

  enum<const L extends string = never, const S extends string = string>(
    options: OptionsWithoutRegistry<EnumOptions<L, S>>,
  ): Enum<L, S> {
    return this.#getOrAdd(new Enum({ ...options, registry: null }))
  }

  /**
   * Collects: all collectors start at once, families come in the order of registration. A collector that throws, is
   * late or clashes costs its own families and is counted. Scrapes at the same time share a collector's run.
   */
  async *gather(options: GatherOptions = {}): AsyncGenerator<MetricFamily, void, void> {
    const names = options.names === undefined ? undefined : new Set(options.names)
    const timeout = Math.min(options.timeout ?? Infinity, this.#collectTimeout)
    const page = new PageNames(options.escaping ?? 'allow-utf-8')
    const view = this.#view
    const started = [...this.#collectors.keys()]
      .filter((collector) => view === undefined || scopeOf(collector) === 'shared')
      .filter((collector) => names === undefined || this.#mayHold(collector, names))
      .map((collector) => ({ collector, families: this.#start(collector, timeout) }))
    if (view !== undefined) {
      const wants =
        names &&
        (({ name, type }: FamilyDescription): boolean =>
          sampleNamesOf(this.#prefix + name, type).some((sampleName) => names.has(sampleName)))
      for await (const family of view.families({ timeout, wants })) {
        const exposed = this.#claimed(family, view, page, names)
        if (exposed !== undefined) yield exposed
      }
    }
    for (const { collector, families } of started) {
      // Awaiting what is there already would cost a turn of the microtask queue for each metric.
      const found = families instanceof Promise ? await families : families
      for (const family of found) {
        const exposed = this.#claimed(family, collector, page, names)
        if (exposed !== undefined) yield exposed
      }
    }
    if (view !== undefined) return
    for (const counter of this.#losses.values()) {
      const exposed = this.#claimed(counter.family, counter, page, names)
      if (exposed !== undefined) yield exposed
    }
  }

  /**
   * Has pages show `view` in place of the registry's own metrics, of collectors of a `thread` or `process` and of the
   * losses; `undefined` ends that. Made for `enableMultiprocess`.
   * @internal
   */
  showThrough(view: PageView | undefined): void {
    this.#view = view
  }

  /** @internal */
  get view(): PageView | undefined {
    return this.#view
  }

  /**
   * What a view over several processes needs of this one: the families of its own, without prefix and labels. Their
   * series are good until the next one is read.
   * @internal
   */
  async *ownFamilies({ timeout }: CollectOptions): AsyncGenerator<OwnFamily, void, void> {
    const limit = Math.min(timeout, this.#collectTimeout)
    const started = [...this.#collectors.keys()]
      .filter((collector) => scopeOf(collector) !== 'shared')
      .map((collector) => ({ collector, families: this.#start(collector, limit) }))
    for (const { collector, families } of started) {
      const scope = scopeOf(collector) === 'process' ? 'process' : 'thread'
      for (const family of families instanceof Promise ? await families : families) {
        const own = isMetric(collector)
        yield { family: own ? collector.passing : family, scope, isMetric: own }
      }
    }
    for (const { family } of this.#losses.values()) yield { family, scope: 'thread', isMetric: true }
  }

  /**
   * The families of all metrics as they are now, without running a callback.
   * @internal
   */
  ownMetrics(): OwnFamily[] {
    const metrics = [...this.#collectors.keys(), ...this.#losses.values()].filter(isMetric)
    return metrics.map(({ family }) => ({ family, scope: 'thread', isMetric: true }))
  }

  /** The page as a string, by default in text 0.0.4. */
  async metrics(format: ExpositionFormat = textFormat): Promise<string> {
    let page = ''
    for await (const chunk of this.stream(format)) page += utf8.decode(chunk)
    return page
  }

  /** The page in chunks of about 64 KiB, with pauses for the event loop; by default in text 0.0.4. */
  stream(format: ExpositionFormat = textFormat, options: GatherOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    const families = this.gather({ ...options, escaping: format.escaping })
    return encodeStream(families, format, { onError: (error, family) => this.seriesFailed(error, family) })
  }

  /**
   * The value of one line as it is now, for tests: `getSampleValue('http_requests_total', { code: '200' })`. Reads what
   * is there without running callbacks or collectors; `undefined` where there is no such line.
   */
  getSampleValue(name: string, labels: { readonly [name: string]: LabelValue } = {}): number | undefined {
    const wanted = Object.entries(labels)
      .map(([label, value]) => [label, String(value)] as const)
      .filter(([, value]) => value !== '')
    const metrics = [...this.#collectors.keys(), ...this.#losses.values()].filter(isMetric)
    for (const metric of metrics) {
      const family = this.#exposed(metric.family)
      if (!sampleNamesOf(family.name, family.type).includes(name)) continue
      for (const sample of samplesOf(family)) {
        if (sample.name !== name || Object.keys(sample.labels).length !== wanted.length) continue
        if (wanted.every(([label, value]) => sample.labels[label] === value)) return sample.value
      }
    }
    return undefined
  }

  countLoss(loss: Loss, of: string): void {
    let counter = this.#losses.get(loss)
    if (counter === undefined) {
      const { help, label } = LOSSES[loss]
      counter = new Counter({
        name: `narthex_${loss}_total`,
        help,
        labelNames: [label],
        registry: null,
        maxSeries: Infinity,
      })
      this.#losses.set(loss, counter)
    }
    counter.labels(of).inc()
  }

  /** Counts a family whose series threw while they were read: for whoever encodes what {@link Registry.gather} gave. */
  seriesFailed(error: unknown, family: MetricFamily): void {
    const origin = this.#origins.get(family)
    this.countLoss('collector_errors', origin === undefined ? family.name : nameOf(origin))
    this.#warnOnce(`series ${family.name}`, `Series of \`${family.name}\` failed: ${describeError(error)}`)
  }

  /** The family as this page shows it; `undefined` where it is not asked for, or its names are taken. */
  #claimed(
    family: MetricFamily,
    origin: Collector | PageView,
    page: PageNames,
    names: ReadonlySet<string> | undefined,
  ): MetricFamily | undefined {
    const exposed = this.#exposed(family)
    if (names !== undefined && !sampleNamesOf(exposed.name, exposed.type).some((name) => names.has(name))) return
    const clash = page.claim(exposed)
    if (clash === undefined) {
      this.#origins.set(exposed, origin)
      return exposed
    }
    this.#collectorFailed(origin, `its family \`${family.name}\` clashes with another on \`${clash}\``)
    return
  }

  #getOrAdd<M extends AnyMetric>(candidate: M): M {
    const existing = this.get(candidate.name)
    if (existing === undefined) {
      this.register(candidate)
      return candidate
    }
    if (existing.isDefinedLike(candidate)) return existing as M
    throw new MetricError('ERR_NARTHEX_DEFINITION_DIFFERS', {
      subject: candidate.constructor.name,
      metric: candidate.name,
      argument: 'options',
      rule: `to be those of the registered ${existing.constructor.name} \`${existing.name}\``,
      existing,
    })
  }

  #refuseClash(collector: Collector, metric: string, sampleName: string, existing: Collector): never {
    const rule = `to differ from all sample names of \`${nameOf(existing)}\`: both would have \`${sampleName}\``
    const subject = kindOf(collector)
    throw new MetricError('ERR_NARTHEX_NAME_CLASH', {
      subject,
      metric,
      argument: 'name',
      rule,
      value: metric,
      existing,
    })
  }

  #refuseLabelClash(collector: Collector, { name: metric, type }: FamilyDescription): void {
    const refuse = (argument: string, rule: string, value: string): never => {
      const subject = kindOf(collector)
      throw new MetricError('ERR_NARTHEX_INVALID_LABEL_NAME', { subject, metric, argument, rule, value })
    }
    const labelNames = isMetric(collector) ? collector.labelNames : []
    const clash = labelNames.find((name) => Object.hasOwn(this.#labels, name))
    if (clash !== undefined) refuse('labelNames', 'to differ from the labels of the registry', clash)
    const own = ownLabelOf(type, this.#prefix + metric)
    if (own === undefined) return
    if (Object.hasOwn(this.#labels, own)) refuse('registry', `to leave the label \`${own}\` to the ${type} itself`, own)
    if (labelNames.includes(own)) refuse('labelNames', `to leave \`${own}\` to the ${type} itself`, own)
  }

  /** Whether a collector may have a family that `name[]` asks for; one that does not describe itself may. */
  #mayHold(collector: Collector, names: ReadonlySet<string>): boolean {
    if (collector.describe === undefined) return true
    for (const { name, type } of collector.describe()) {
      if (sampleNamesOf(this.#prefix + name, type).some((sampleName) => names.has(sampleName))) return true
    }
    return false
  }

  /** Starts a collector's run, or joins the one that is under way. Never throws or rejects. */
  #start(collector: Collector, timeout: number): readonly MetricFamily[] | Promise<readonly MetricFamily[]> {
    let run = this.#running.get(collector)
    if (run === undefined) {
      try {
        const collection = collector.collect({ timeout })
        // A metric without a callback has nothing to wait for and nothing to share.
        if (isMetric(collector) && Array.isArray(collection)) return collection as MetricFamily[]
        run = isThere(collection) ? collection.map(checkedFamily) : familiesOf(collection, !isMetric(collector))
      } catch (error) {
        return this.#collectorFailed(collector, describeError(error))
      }
      if (collector.concurrent !== true) {
        this.#running.set(collector, run)
        const settled = (): void => void this.#running.delete(collector)
        Promise.resolve(run).then(settled, settled)
      }
    }
    if (!(run instanceof Promise)) return run
    return this.#inTime(run, timeout).catch((error: unknown) => this.#collectorFailed(collector, describeError(error)))
  }

  #inTime<T>(run: Promise<T>, milliseconds: number): Promise<T> {
    if (milliseconds === Infinity) return run
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      const refuse = (): void => {
        const rule = `to end within ${milliseconds} ms`
        reject(new MetricError('ERR_NARTHEX_COLLECTOR_TIMEOUT', { subject: 'Registry', argument: 'collect', rule }))
      }
      // A delay over 2 ** 31 - 1 would fire at once.
      timer = setTimeout(refuse, Math.min(milliseconds, 0x7fffffff))
    })
    return Promise.race([run, late]).finally(() => clearTimeout(timer))
  }

  #collectorFailed(collector: Collector | PageView, problem: string): readonly MetricFamily[] {
    const name = nameOf(collector)
    this.countLoss('collector_errors', name)
    this.#warnOnce(`collector ${name}`, `Collector \`${name}\` has lost families of a page: ${problem}`)
    return []
  }

  #warnOnce(cause: string, message: string): void {
    if (this.#warned.has(cause)) return
    this.#warned.add(cause)
    emitWarning(`${message}. Further losses are counted in narthex_collector_errors_total.`, 'NARTHEX_COLLECTOR_ERROR')
  }

  /** The family as the page shows it: with the registry's prefix and labels. */
  #exposed(family: MetricFamily): MetricFamily {
    const prefix = this.#prefix
    const labels = this.#labels
    const added = Object.keys(labels).length > 0
    if (prefix === '' && !added) return family
    const { series } = family
    return {
      ...family,
      name: prefix + family.name,
      series: !added
        ? series
        : {
            *[Symbol.iterator](): Generator<Series> {
              for (const one of series) yield { ...one, labels: { ...labels, ...one.labels } }
            },
          },
    } as MetricFamily
  }
}

/** Where metrics go that name no registry. Two copies of the package share it. */
export const defaultRegistry: Registry = claimDefaultRegistry(() => new Registry())

/** The names that are taken on one page, as it spells them. */
class PageNames {
  readonly #escaping: EscapingScheme
  readonly #taken = new Set<string>()

  constructor(escaping: EscapingScheme) {
    this.#escaping = escaping
  }

  /** Takes a family's names, or says which of them was taken before. */
  claim({ name, type }: MetricFamily): string | undefined {
    const names = sampleNamesOf(name, type)
    if (this.#escaping === 'dots' || !isLegacyMetricName(name)) {
      // A suffix is escaped with the name or after it, as formats and types have it: both spellings are taken.
      const escaped = names.map((sampleName) => escapeName(sampleName, this.#escaping))
      names.splice(0, names.length, ...new Set([...escaped, ...sampleNamesOf(escaped[0] as string, type)]))
    }
    const clash = names.find((sampleName) => this.#taken.has(sampleName))
    if (clash === undefined) for (const sampleName of names) this.#taken.add(sampleName)
    return clash
  }
}

/** Whether a collection is there already: it then needs no timer and no turns of the microtask queue. */
function isThere(collection: unknown): collection is readonly MetricFamily[] {
  return Array.isArray(collection) && collection.every((family) => typeof family?.then !== 'function')
}

async function familiesOf(collection: unknown, custom: boolean): Promise<readonly MetricFamily[]> {
  const families: MetricFamily[] = []
  for await (const family of (await collection) as AsyncIterable<MetricFamily>) {
    families.push(custom ? checkedFamily(family) : family)
  }
  return families
}

function refuse(argument: string, rule: string, value: unknown, kind: 'OPTION' | 'ARGUMENT' = 'OPTION'): never {
  throw new MetricError(`ERR_NARTHEX_INVALID_${kind}`, { subject: SUBJECT, argument, rule, value })
}

function scopeOf(collector: Collector): CollectorScope {
  return collector.scope ?? (isMetric(collector) ? 'thread' : 'shared')
}

function nameOf(collector: Collector | FamilyDescription | PageView): string {
  const { name } = collector as Partial<FamilyDescription>
  return typeof name === 'string' && name !== '' ? name : kindOf(collector)
}

/** An object may have no constructor, and a constructor no name. */
function kindOf(collector: object): string {
  const name: unknown = collector.constructor?.name
  return typeof name === 'string' && name !== '' ? name : 'Collector'
}

function describeError(error: unknown): string {
  if (error instanceof Error) return error.message
  return typeof error === 'string' ? error : describeValue(error)
}

import { monotonicSeconds } from '../clock.ts'
import type { CollectOptions, Collector, CollectorHost } from '../collector.ts'
import { describeValue, MetricError, refuseUnknownOptions } from '../errors.ts'
import type { MetricFamily } from '../family.ts'
import { GaugeMetricFamily } from '../metric-families.ts'
import { isValidName } from '../names.ts'
import { emitWarning } from '../warning.ts'
import {
  type CollectContext,
  type ExporterCollector,
  LEAST_SECONDS,
  type Limit,
  type Outcome,
  TimedCollector,
} from './timed-collector.ts'

export interface ExporterOptions {
  /** What is exported: `mysql`. The exporter's own metrics begin with it: `mysql_up`. */
  readonly name: string
  readonly collectors: readonly ExporterCollector[]
  /**
   * Looks whether what is exported is there at all, before the collectors run: a ping. Where it throws, rejects or
   * gives `false`, `<name>_up` is 0 and no collector runs.
   * @default it is there as long as one collector succeeds
   */
  readonly check?: (context: CollectContext) => unknown
  /**
   * Milliseconds that a scrape may take; collectors that are late by then have failed. Less than the registry's
   * `collectTimeout` and the `scrape_timeout` of Prometheus: over those, the exporter would say nothing at all.
   * @default 4_000
   */
  readonly timeout?: number
  /**
   * Milliseconds from one run of a collector to the next, for those that say nothing else, and for `check`. Scrapes in
   * between get what the last run brought: two Prometheus servers do not double the queries.
   * @default 0
   */
  readonly minInterval?: number
  /**
   * How many collectors may run at once.
   * @default 4
   */
  readonly concurrency?: number
  /**
   * Called for each failed run, with `check` as the collector where that failed.
   * @default a warning of the process when a collector begins to fail
   */
  readonly onError?: (error: unknown, collector: string) => void
}

const OPTIONS = ['name', 'collectors', 'check', 'timeout', 'minInterval', 'concurrency', 'onError'] as const
/** How failures of `check` are told. */
const CHECK = 'check'

/**
 * Everything that one thing has to tell, as one collector: `registry.register(new Exporter({ name: 'mysql', … }))`.
 * Its collectors run side by side, each with a time-out; one that fails costs its own families. Beside what they bring,
 * the page has `<name>_up`, `<name>_collector_success` and `<name>_collector_duration_seconds`, the latter two with the
 * label `collector`. Scrapes at the same time share one round of runs, from whichever registry they come.
 *
 * Throws `MetricError` for wrong options; `collect` never rejects.
 */
export class Exporter implements Collector {
  readonly name: string
  /** Scrapes share a round, but each has a time-out of its own. */
  readonly concurrent: boolean = true
  readonly #collectors: readonly TimedCollector[]
  readonly #check: TimedCollector | undefined
  readonly #timeout: number
  readonly #concurrency: number
  readonly #onError: ExporterOptions['onError']
  readonly #hosts = new Set<CollectorHost>()
  /** Collectors that have failed since they last succeeded. */
  readonly #failing = new Set<string>()
  #round: Round | undefined = undefined

  constructor(options: ExporterOptions) {
    checkOptions(options)
    const { name, collectors, check, timeout = 4_000, minInterval = 0, concurrency = 4, onError } = options
    this.name = name
    this.#timeout = timeout
    this.#concurrency = concurrency
    this.#onError = onError
    const failed = (error: unknown, collector: string): void => this.#failed(error, collector)
    this.#collectors = collectors.map(
      (one) => new TimedCollector(one, one.timeout ?? Infinity, one.minInterval ?? minInterval, failed),
    )
    if (check !== undefined) {
      this.#check = new TimedCollector({ name: CHECK, collect: collectionOf(check) }, Infinity, minInterval, failed)
    }
  }

  registered(host: CollectorHost): void {
    this.#hosts.add(host)
  }

  unregistered(host: CollectorHost): void {
    this.#hosts.delete(host)
  }

  /**
   * Ends within its own time-out, or that of the page where it is shorter. A scrape that shares a round and may not wait
   * for its end gets what is there by then; the rest has failed for it. A round takes no longer than the most patient of
   * its scrapes would give it from its beginning, so that it ends however many join.
   */
  async collect({ timeout = Infinity }: Partial<CollectOptions> = {}): Promise<MetricFamily[]> {
    // A tenth less than the page waits, so that what is there by then, `_up` before all, is on it.
    const milliseconds = Math.min(this.#timeout, timeout * 0.9)
    const arrival = monotonicSeconds()
    // A round in its last moment can be given no more time: its collectors are being called off.
    while (this.#round !== undefined && this.#round.deadline - monotonicSeconds() < LEAST_SECONDS) {
      await this.#round.page
    }
    const round = this.#round ?? this.#begin(arrival, milliseconds)
    round.deadline = Math.max(round.deadline, round.start + milliseconds / 1_000)
    return this.#pageWithin(milliseconds, arrival, round)
  }

  /** The page of a round, or what there is of it once so many milliseconds have passed since the scrape's arrival. */
  async #pageWithin(milliseconds: number, arrival: number, round: Round): Promise<MetricFamily[]> {
    const deadline = arrival + milliseconds / 1_000
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, (deadline - monotonicSeconds()) * 1_000, undefined)
    })
    const page = await Promise.race([round.page, late])
    clearTimeout(timer)
    if (page !== undefined) return page
    // It ends at this very moment, and tells itself what has failed.
    if (round.deadline <= deadline) return round.page
    const error = new Error(`it has not ended within ${Math.ceil(milliseconds)} ms`)
    if (this.#check !== undefined && round.check === undefined) {
      this.#failed(error, CHECK)
      return this.#page(false, new Map())
    }
    const outcomes = new Map(round.outcomes)
    for (const collector of this.#collectors) {
      if (outcomes.has(collector)) continue
      this.#failed(error, collector.name)
      const seconds = collector.lastStart < round.start ? undefined : monotonicSeconds() - collector.lastStart
      outcomes.set(collector, { success: false, families: [], seconds })
    }
    return this.#page(isUp(round.check, outcomes), outcomes)
  }

  #begin(start: number, milliseconds: number): Round {
    const deadline = start + milliseconds / 1_000
    const round: Round = { start, deadline, outcomes: new Map(), page: Promise.resolve([]) }
    this.#round = round
    round.page = this.#run(round).finally(() => {
      this.#round = undefined
    })
    return round
  }

  async #run(round: Round): Promise<MetricFamily[]> {
    const { outcomes } = round
    round.check = await this.#check?.run(round)
    if (round.check?.success === false) return this.#page(false, new Map())
    this.#failing.delete(CHECK)
    // Who waited longest comes first, so that no collector always finds the time used up by others.
    const queue = this.#collectors.toSorted((a, b) => a.lastStart - b.lastStart).values()
    const work = async (): Promise<void> => {
      for (const collector of queue) {
        const outcome = await collector.run(round)
        if (outcome.success) this.#failing.delete(collector.name)
        outcomes.set(collector, outcome)
      }
    }
    await Promise.all(Array.from({ length: Math.min(this.#concurrency, this.#collectors.length) }, work))
    return this.#page(isUp(round.check, outcomes), outcomes)
  }

  #page(up: boolean, outcomes: ReadonlyMap<TimedCollector, Outcome>): MetricFamily[] {
    const { name } = this
    const labelNames = ['collector']
    const upFamily = new GaugeMetricFamily({
      name: `${name}_up`,
      help: `Whether ${name} could be read.`,
      value: Number(up),
    })
    const success = new GaugeMetricFamily({
      name: `${name}_collector_success`,
      help: 'Whether the last run of a collector succeeded.',
      labelNames,
    })
    const duration = new GaugeMetricFamily({
      name: `${name}_collector_duration_seconds`,
      help: 'Time that the last run of a collector took.',
      labelNames,
    })
    for (const collector of this.#collectors) {
      const outcome = outcomes.get(collector)
      success.add([collector.name], Number(outcome?.success ?? false))
      if (outcome?.seconds !== undefined) duration.add([collector.name], outcome.seconds)
    }
    const own: MetricFamily[] = [upFamily, success, duration].filter(({ series }) => series.length > 0)
    return [...own, ...this.#collectors.flatMap((collector) => outcomes.get(collector)?.families ?? [])]
  }

  #failed(error: unknown, collector: string): void {
    for (const host of this.#hosts) host.countLoss('collector_errors', `${this.name}/${collector}`)
    const wasFailing = this.#failing.has(collector)
    this.#failing.add(collector)
    if (this.#onError === undefined) {
      if (!wasFailing) emitWarning(`${describe(this.name, collector)}: ${reasonOf(error)}`, 'NARTHEX_COLLECTOR_ERROR')
      return
    }
    try {
      this.#onError(error, collector)
    } catch {
      for (const host of this.#hosts) host.countLoss('hook_errors', 'onError')
    }
  }
}

/** What scrapes at the same time share. Times on the monotonic clock, in seconds. */
interface Round extends Limit {
  readonly start: number
  /** Later where a scrape joins that is more patient than those before. */
  deadline: number
  /** Absent until it has ended, and where there is none. */
  check?: Outcome | undefined
  /** Of the collectors that have ended. */
  readonly outcomes: Map<TimedCollector, Outcome>
  page: Promise<MetricFamily[]>
}

function isUp(check: Outcome | undefined, outcomes: ReadonlyMap<TimedCollector, Outcome>): boolean {
  return check?.success === true || [...outcomes.values()].some(({ success }) => success)
}

function collectionOf(check: (context: CollectContext) => unknown): ExporterCollector['collect'] {
  return async (context) => {
    if ((await check(context)) === false) throw new Error('it gave `false`')
    return []
  }
}

function describe(exporter: string, collector: string): string {
  return collector === CHECK
    ? `\`${exporter}\` is not there`
    : `Collector \`${collector}\` of \`${exporter}\` has failed`
}

function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message === '' ? error.name : error.message
  return typeof error === 'string' ? error : describeValue(error)
}

function checkOptions(options: ExporterOptions): void {
  const subject = 'Exporter'
  const refuse = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument, rule, value })
  }
  const checkTime = (argument: string, value: unknown, least: string): void => {
    if (value === undefined) return
    const isEnough = typeof value === 'number' && (least === '> 0' ? value > 0 : value >= 0)
    if (!isEnough) refuse(argument, `to be a number of milliseconds ${least}`, value)
  }
  if (typeof options !== 'object' || options === null) refuse('options', 'to be an object', options)
  refuseUnknownOptions(subject, undefined, options, OPTIONS)
  const { name, collectors, check, timeout, minInterval, concurrency = 4, onError } = options
  if (!isValidName(name)) refuse('name', 'to be a non-empty, well-formed string', name)
  checkTime('timeout', timeout, '> 0')
  if (timeout !== undefined && timeout > LONGEST) refuse('timeout', `to be at most ${LONGEST}`, timeout)
  checkTime('minInterval', minInterval, '>= 0')
  if (!(Number.isInteger(concurrency) && concurrency > 0) && concurrency !== Infinity) {
    refuse('concurrency', 'to be an integer > 0', concurrency)
  }
  for (const [argument, value] of Object.entries({ check, onError })) {
    if (value !== undefined && typeof value !== 'function') refuse(argument, 'to be a function', value)
  }
  if (!Array.isArray(collectors) || collectors.length === 0) {
    refuse('collectors', 'to be an array of at least one { name, collect }', collectors)
  }
  const names = new Set<string>([CHECK])
  for (const collector of collectors) {
    if (typeof collector?.collect !== 'function' || typeof collector.name !== 'string' || collector.name === '') {
      refuse('collectors', 'to hold only { name, collect }', collector)
    }
    if (names.has(collector.name))
      refuse('collectors', 'to hold each name once, and `check` not at all', collector.name)
    names.add(collector.name)
    checkTime('collectors[].timeout', collector.timeout, '> 0')
    checkTime('collectors[].minInterval', collector.minInterval, '>= 0')
  }
}

/** Milliseconds: a longer timer would fire at once. */
const LONGEST = 0x7fffffff

import { unixSeconds } from '../clock.ts'
import type { LabelValue } from '../labels.ts'
import type { Counter, CounterChild } from '../metrics/counter.ts'
import type { Gauge, GaugeChild } from '../metrics/gauge.ts'
import type { HistogramChild } from '../metrics/histogram-child.ts'
import type { Histogram } from '../metrics/histogram.ts'
import type { UpdateHolder } from '../metrics/late-updates.ts'
import { type HttpNames, knownMethod, methodsOf } from './request-labels.ts'

/** As many ends as are counted at once. */
const MOST_ENDS = 64

/** As many series as a metric has by default: routes are few, unless the option `route` names too many. */
const MOST_SERIES = 10_000

/** How often somebody looks for new numbers in vain before a tally lets go of its metrics. */
const IDLE_LOOKS = 10

/** As many series as are found at a glance: a power of two. */
const GLANCES = 32

/** What a request is counted in at its end. */
export interface RequestSeries {
  readonly requests: CounterChild | undefined
  readonly duration: HistogramChild
}

interface Found {
  readonly of: MethodTally | undefined
  readonly route: string
  readonly status: number
  readonly series: RequestSeries | undefined
}

const NOTHING: Found = { of: undefined, route: '', status: 0, series: undefined }

export interface TalliedMetrics {
  readonly requests: Counter<string> | undefined
  readonly duration: Histogram<string>
  readonly inFlight: Gauge<string> | undefined
}

/** The requests of one method: what has changed since they were last counted, and the series that were found. */
export class MethodTally {
  /** As its label spells it. */
  readonly method: string
  readonly routes: Map<string, Map<number, RequestSeries>> = new Map()
  readonly #inFlight: GaugeChild | undefined
  #change = 0
  /** Whether changes are made at once: nobody makes them later. */
  isDirect: boolean

  constructor(method: string, inFlight: GaugeChild | undefined, isDirect: boolean) {
    this.method = method
    this.#inFlight = inFlight
    this.isDirect = isDirect
  }

  begin(): void {
    this.#change += 1
    if (this.isDirect === true) this.settle()
  }

  end(): void {
    this.#change -= 1
    if (this.isDirect === true) this.settle()
  }

  settle(): void {
    if (this.#change !== 0) this.#inFlight?.inc(this.#change)
    this.#change = 0
  }
}

/** Of one request that tells `http` from `https`: at its end, HTTP/2 has no connection to tell from. */
export class SchemeTally extends MethodTally {
  readonly scheme: string

  constructor(method: string, scheme: string, inFlight: GaugeChild | undefined) {
    super(method, inFlight, true)
    this.scheme = scheme
  }
}

/**
 * Counts requests whose labels depend on method, route and status alone. Between two requests a server has so much else
 * to do that the processor has forgotten what counting needs: many in a row cost little more than one by itself (`koa`
 * in benchmarks). So ends are noted, and counted together: when there are 64 of them, or when somebody looks. Their series
 * are not looked for before that either: two look-ups by route and status were 0.4 µs of a request of Koa's where caches
 * are cold.
 *
 * Its metrics know it for as long as it has something to say. It knows no application, which may be gone before them.
 */
export class RequestTally implements UpdateHolder {
  readonly #metrics: TalliedMetrics
  readonly #names: HttpNames
  readonly #groupsCodes: boolean
  readonly #known: ReadonlyMap<string | undefined, string>
  /** By what requests call their method, where it is known, and by its label. */
  readonly #methods = new Map<string | undefined, MethodTally>()
  /** Of each end its tally and its route, and its seconds and its status. */
  readonly #whose: (MethodTally | string)[] = Array.from({ length: 2 * MOST_ENDS }, () => '')
  readonly #numbers: Float64Array = new Float64Array(2 * MOST_ENDS)
  /**
   * Series that were found, each in a place by the length of its route and its status: to look there is 20 instructions,
   * where the two Maps of {@link MethodTally} are 140 (`instructions` in benchmarks). What belongs to a tally that was
   * dropped is not asked for again.
   */
  readonly #found: Found[] = Array.from({ length: GLANCES }, () => NOTHING)
  #ends = 0
  /** When the first of them was noted. */
  #since = 0
  #size = 0
  #isKnown = false
  /** The method that was asked for last, and its tally: mostly it is asked for again. */
  #latestMethod: string | undefined = undefined
  #latest: MethodTally | undefined = undefined
  #putsOff = true
  #idleLooks = 0

  constructor(metrics: TalliedMetrics, names: HttpNames, groupsCodes: boolean) {
    this.#metrics = metrics
    this.#names = names
    this.#groupsCodes = groupsCodes
    this.#known = methodsOf(names)
  }

  /** The tally for a request's method. */
  of(method: string | undefined): MethodTally {
    if (method === this.#latestMethod && this.#latest !== undefined) return this.#latest
    if (!this.#isKnown) this.#introduce()
    this.#latestMethod = method
    this.#latest = this.#methods.get(method) ?? this.#begin(method)
    return this.#latest
  }

  /** How the label of a request's method spells it. */
  methodLabel(method: string | undefined): string {
    return knownMethod(method, this.#known)
  }

  /** Counts an end, at the latest when somebody looks. `began` is the tally that the request began with. */
  count(began: MethodTally, route: string, status: number, seconds: number): void {
    const of = began.isDirect === true ? this.of(began.method) : began
    if (this.#putsOff === false) return countIn(this.#find(of, route, status), seconds)
    const at = 2 * this.#ends
    if (at === 0) this.#since = unixSeconds()
    this.#whose[at] = of
    this.#whose[at + 1] = route
    this.#numbers[at] = seconds
    this.#numbers[at + 1] = status
    this.#ends += 1
    if (this.#ends === MOST_ENDS) this.#countAll()
  }

  /**
   * The series of such a request: as they were found before, unless there are too many. New ones have been there `since`
   * then.
   */
  #find(of: MethodTally, route: string, status: number, since: number = Infinity): RequestSeries {
    const { routes } = of
    const known = routes.get(route)?.get(status)
    if (known !== undefined) return known
    const labels = this.labels(of.method, route, status)
    const { requests, duration } = this.#metrics
    const series = { requests: requests?.labels(...labels), duration: duration.labels(...labels) }
    series.requests?.backdate(since)
    series.duration.backdate(since)
    if (this.#size === MOST_SERIES) return series
    this.#size += 1
    const codes = routes.get(route)
    if (codes === undefined) routes.set(route, new Map([[status, series]]))
    else codes.set(status, series)
    return series
  }

  /** The values of the labels that all requests have, in declared order. */
  labels(method: string, route: string, status: number): LabelValue[] {
    const code = this.#groupsCodes ? `${Math.floor(status / 100)}xx` : String(status)
    return [method, this.#names.spell?.(route) ?? route, code]
  }

  settle(): void {
    this.#idleLooks = this.#ends === 0 ? this.#idleLooks + 1 : 0
    this.#countAll()
    for (const tally of this.#methods.values()) tally.settle()
    if (this.#idleLooks > IDLE_LOOKS) this.drop()
  }

  drop(): void {
    const { requests, duration, inFlight } = this.#metrics
    this.#countAll()
    for (const tally of this.#methods.values()) {
      tally.settle()
      tally.isDirect = true
    }
    this.#methods.clear()
    this.#latest = undefined
    this.#size = 0
    this.#isKnown = false
    for (const metric of [requests, duration, inFlight]) metric?.lateUpdates.delete(this)
  }

  #introduce(): void {
    const { requests, duration, inFlight } = this.#metrics
    for (const metric of [requests, duration, inFlight]) metric?.lateUpdates.add(this)
    // An exemplar is looked for where the request ends.
    this.#putsOff = !duration.isSampled && requests?.isSampled !== true
    this.#isKnown = true
    this.#idleLooks = 0
  }

  #begin(method: string | undefined): MethodTally {
    const label = this.methodLabel(method)
    let tally = this.#methods.get(label)
    if (tally === undefined) {
      tally = new MethodTally(label, this.#metrics.inFlight?.labels(label), false)
      this.#methods.set(label, tally)
    }
    if (this.#known.has(method)) this.#methods.set(method, tally)
    return tally
  }

  #countAll(): void {
    const ends = this.#ends
    this.#ends = 0
    const [whose, numbers] = [this.#whose, this.#numbers]
    for (let at = 0; at < 2 * ends; at += 2) {
      const series = this.#glance(whose[at] as MethodTally, whose[at + 1] as string, numbers[at + 1] as number)
      countIn(series, numbers[at] as number)
    }
  }

  #glance(of: MethodTally, route: string, status: number): RequestSeries {
    const place = (route.length + status) & (GLANCES - 1)
    const found = this.#found[place] as Found
    if (found.of === of && found.status === status && found.route === route) return found.series as RequestSeries
    const series = this.#find(of, route, status, this.#since)
    this.#found[place] = { of, route, status, series }
    return series
  }
}

function countIn({ requests, duration }: RequestSeries, seconds: number): void {
  requests?.inc()
  duration.observe(seconds)
}

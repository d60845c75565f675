import { checkedFamily } from '../checked-family.ts'
import { monotonicSeconds } from '../clock.ts'
import type { Collection } from '../collector.ts'
import type { MetricFamily } from '../family.ts'

/** What an exporter's collector is told of the run. */
export interface CollectContext {
  /** Aborted when the time is up: hand it to `fetch` and to whatever else can be called off. */
  readonly signal: AbortSignal
}

/** Reads one part of what an exporter shows: one query, one endpoint. */
export interface ExporterCollector {
  /** The value of the label `collector`. */
  readonly name: string
  /** May throw or reject: that costs this collector's families and nothing else. */
  collect(context: CollectContext): Collection
  /**
   * Milliseconds that a run may take.
   * @default what is left of the exporter's time-out
   */
  readonly timeout?: number
  /**
   * Milliseconds from one run to the next: until then, scrapes get what the last run brought, failures included.
   * @default the exporter's `minInterval`
   */
  readonly minInterval?: number
}

/** How a run went. */
export interface Outcome {
  readonly success: boolean
  readonly families: readonly MetricFamily[]
  /** Seconds that it took; absent where it has not begun. */
  readonly seconds?: number
}

/** A collector that goes on after its time was up keeps the next run from beginning, for so many of its time-outs. */
const PATIENCE = 10

/** When a run has to have ended, on the monotonic clock, in seconds. May be put off while the run goes on. */
export interface Limit {
  readonly deadline: number
}

/** Timers may be early by a millisecond: less than this is no time to begin a run in. */
export const LEAST_SECONDS = 0.002

/** A collector that takes no longer than it may and is asked no oftener than it may be. */
export class TimedCollector {
  readonly name: string
  /** When the last run began, on the monotonic clock, in seconds. */
  lastStart: number = -Infinity
  readonly #collect: ExporterCollector['collect']
  readonly #timeout: number
  readonly #minInterval: number
  readonly #failed: (error: unknown, collector: string) => void
  #last: Outcome | undefined = undefined
  /** When the next run may begin although the one before still goes on. */
  #blockedUntil = -Infinity

  /** Times in milliseconds. `failed` is called once for each run that did not succeed. */
  constructor(
    collector: ExporterCollector,
    timeout: number,
    minInterval: number,
    failed: (error: unknown, collector: string) => void,
  ) {
    this.name = collector.name
    this.#collect = (context) => collector.collect(context)
    this.#timeout = timeout / 1_000
    this.#minInterval = minInterval / 1_000
    this.#failed = failed
  }

  /** Runs, or gives what the last run brought where that is new enough. Never rejects. */
  async run(limit: Limit): Promise<Outcome> {
    const now = monotonicSeconds()
    if (this.#last !== undefined && now - this.lastStart < this.#minInterval) return this.#last
    if (this.#secondsOf(now, limit) < LEAST_SECONDS) return this.#failure(new Error('there was no time left to begin'))
    if (now < this.#blockedUntil) return this.#failure(new Error('the run before has not ended yet'))
    this.lastStart = now
    try {
      const families = await this.#inTime(now, limit)
      this.#last = { success: true, families, seconds: monotonicSeconds() - now }
    } catch (error) {
      this.#last = this.#failure(error, monotonicSeconds() - now)
    }
    return this.#last
  }

  #failure(error: unknown, seconds?: number): Outcome {
    this.#failed(error, this.name)
    return { success: false, families: [], seconds }
  }

  /** How long a run may take that began at `start`. */
  #secondsOf(start: number, { deadline }: Limit): number {
    return Math.min(this.#timeout, deadline - start)
  }

  #inTime(start: number, limit: Limit): Promise<MetricFamily[]> {
    const stop = new AbortController()
    const run = this.#families(stop.signal)
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout>
      const wait = (passed: number, seconds: number): void => {
        timer = setTimeout(end, (seconds - passed) * 1_000, seconds)
      }
      const end = (seconds: number): void => {
        const latest = this.#secondsOf(start, limit)
        if (latest > seconds) return wait(monotonicSeconds() - start, latest)
        const error = new Error(`it has not ended within ${Math.ceil(seconds * 1_000)} ms`)
        this.#blockedUntil = monotonicSeconds() + PATIENCE * seconds
        reject(error)
        stop.abort(error)
      }
      wait(0, this.#secondsOf(start, limit))
      run.then(resolve, reject).finally(() => {
        clearTimeout(timer)
        this.#blockedUntil = -Infinity
      })
    })
  }

  /** Checked and read here, where what is wrong with them costs this collector only. */
  async #families(signal: AbortSignal): Promise<MetricFamily[]> {
    const families: MetricFamily[] = []
    for await (const family of (await this.#collect({ signal })) as AsyncIterable<MetricFamily>) {
      const checked = checkedFamily(family)
      families.push({ ...checked, series: [...checked.series] } as MetricFamily)
    }
    return families
  }
}

import {
  type Collection,
  type Collector,
  type Gatherer,
  MetricError,
  type MetricFamily,
  type Series,
} from '@narthex/core'
import { Connection } from './connection.ts'
import { RemoteWriteError, type RemoteWriteFailure } from './remote-write-error.ts'
import { checkRemoteWriteOptions, type RemoteWriteOptions, type RemoteWriteSettings } from './remote-write-options.ts'
import { type QueuedSample, SampleQueue } from './sample-queue.ts'
import { Sender } from './sender.ts'
import { SeriesBook, writtenFamilyName } from './series-book.ts'
import { encodeMetadata } from './write-request.ts'
import { WriterMetrics } from './writer-metrics.ts'

/** Milliseconds that collecting may keep the event loop for itself, and how many series go between looks at the clock. */
const TURN_MILLISECONDS = 4
const SERIES_PER_CLOCK = 64
/** Milliseconds between two descriptions of the same families, as Prometheus sends them. */
const METADATA_INTERVAL = 60_000

/**
 * Writes a registry's samples to a server that takes Prometheus remote write 1.0, for programs that nobody can scrape:
 * jobs, functions, devices. Samples that the server cannot take now wait in a queue of bounded size; those that are lost
 * are counted. What it tells of itself, `narthex_remote_write_*`, is written along, and is a collector for a page:
 * `registry.register(writer)`.
 *
 * Does nothing by itself: {@link start} writes again and again, {@link flush} once. Throws `MetricError` for wrong
 * options.
 */
export class RemoteWriter implements Collector, AsyncDisposable {
  readonly name = 'RemoteWriter'
  readonly #settings: RemoteWriteSettings
  readonly #queue: SampleQueue
  readonly #metrics: WriterMetrics
  readonly #book: SeriesBook
  readonly #connection: Connection
  readonly #sender: Sender
  /** The collections so far: each waits for the one before. */
  #collected: Promise<void> = Promise.resolve()
  #lastTime = 0
  #described = new Set<string>()
  #describedAt = -Infinity
  #timer: NodeJS.Timeout | undefined
  #closed: Promise<void> | undefined
  #lastFailure: RemoteWriteFailure | undefined
  #refused = 0
  #lastRefusal: RemoteWriteFailure | undefined
  /** Whether somebody was told already that the server cannot be reached. */
  #told = false
  readonly #onExit = (): void => void this.close().catch((error: unknown) => this.#report(error))

  constructor(options: RemoteWriteOptions) {
    const settings = checkRemoteWriteOptions(options)
    this.#settings = settings
    this.#queue = new SampleQueue(settings.maxQueueSamples)
    this.#metrics = new WriterMetrics(() => this.#queue.length, settings.maxQueueSamples)
    this.#book = new SeriesBook(settings)
    this.#connection = new Connection(settings)
    this.#sender = new Sender({
      queue: this.#queue,
      connection: this.#connection,
      maxSamplesPerSend: settings.maxSamplesPerSend,
      events: {
        delivered: (samples, bytes) => this.#delivered(samples, bytes),
        refused: (samples, failure) => this.#wasRefused(samples, failure),
        retrying: (failure) => this.#retrying(failure),
      },
    })
  }

  /** How many samples wait for the server. */
  get queuedSamples(): number {
    return this.#queue.length
  }

  /**
   * Collects and writes now and at every interval, and a last time when the process has nothing more to do or
   * {@link close} is called. Signals and `process.exit` leave no time for that: call `close` before. Keeps no process
   * alive but for a request under way. Throws `MetricError` after `close`.
   */
  start(): this {
    if (this.#closed !== undefined) throw closedError('start')
    if (this.#timer !== undefined) return this
    let busy = false
    const tick = async (): Promise<void> => {
      // A collection that takes longer than the interval is not followed by a crowd of them.
      if (busy) return
      busy = true
      await this.#collectNow()
      busy = false
      void this.#sender.send()
    }
    this.#timer = setInterval(() => void tick(), this.#settings.interval).unref()
    process.once('beforeExit', this.#onExit)
    void tick()
    return this
  }

  /**
   * Collects, and resolves when the server has taken everything that waited: for the end of a function's call. Rejects
   * with {@link RemoteWriteError} where samples were refused, or still wait after `flushTimeout`; those stay in the queue
   * for the next time.
   */
  async flush(): Promise<void> {
    if (this.#closed !== undefined) throw closedError('flush')
    await this.#collectNow()
    await this.#drain()
  }

  /**
   * Ends it: collects a last time, ends every series (`staleMarkers`), and gives the server `flushTimeout` to take what
   * waits. What it has not taken by then is dropped, counted, and rejects with {@link RemoteWriteError}. Calling it again
   * gives the same Promise.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#finish())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What the writer tells of itself. */
  collect(): Collection {
    return this.#metrics.registry.gather()
  }

  async #finish(): Promise<void> {
    clearInterval(this.#timer)
    process.off('beforeExit', this.#onExit)
    await this.#collectNow()
    if (this.#settings.staleMarkers) for (const sample of this.#book.all(this.#now())) this.#add(sample)
    try {
      await this.#drain()
    } finally {
      this.#sender.abort()
      this.#metrics.dropped(this.#queue.clear(), 'closed')
      this.#connection.close()
    }
  }

  /** Gives the server time to take what waits. */
  async #drain(): Promise<void> {
    const { url, flushTimeout } = this.#settings
    const refusedBefore = this.#refused
    let timer: NodeJS.Timeout | undefined
    // Not unref'd: who waits for this must not find the process gone.
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, flushTimeout)))
    const sent = this.#sender.send()
    this.#sender.hurry()
    await Promise.race([sent, late])
    clearTimeout(timer)
    const refused = this.#refused - refusedBefore
    const waiting = this.#queue.length
    if (waiting > 0) {
      throw new RemoteWriteError(url, `${waiting} samples wait after ${flushTimeout} ms`, this.#lastFailure ?? {})
    }
    if (refused > 0) throw new RemoteWriteError(url, `${refused} samples were refused`, this.#lastRefusal ?? {})
  }

  #collectNow(): Promise<void> {
    return (this.#collected = this.#collected.then(() => this.#collect()))
  }

  /** Takes the samples of one moment. Never rejects. */
  async #collect(): Promise<void> {
    const time = this.#now()
    const metadata = new Map<string, Uint8Array>()
    this.#book.begin()
    try {
      await this.#take(this.#settings.registry, time, metadata)
    } catch (error) {
      // What was not seen may be there still: nothing is ended.
      return this.#report(error)
    }
    this.#metrics.dropped(this.#book.unwritable, 'unwritable')
    await this.#take(this.#metrics.registry, time, metadata)
    for (const sample of this.#book.gone(time)) this.#add(sample)
    this.#describe(metadata)
  }

  async #take(source: Gatherer, time: number, metadata: Map<string, Uint8Array>): Promise<void> {
    const { seriesFailed } = source as { seriesFailed?(error: unknown, family: MetricFamily): void }
    let untilClock = SERIES_PER_CLOCK
    let turnEnd = performance.now() + TURN_MILLISECONDS
    for await (const family of source.gather({ escaping: 'underscores' })) {
      if (this.#settings.metadata) {
        const name = writtenFamilyName(family)
        metadata.set(name, encodeMetadata(name, family))
      }
      try {
        for (const series of family.series as Iterable<Series>) {
          for (const sample of this.#book.samples(family, series, time)) this.#add(sample)
          if (--untilClock > 0) continue
          untilClock = SERIES_PER_CLOCK
          if (performance.now() < turnEnd) continue
          await new Promise(setImmediate)
          turnEnd = performance.now() + TURN_MILLISECONDS
        }
      } catch (error) {
        seriesFailed?.call(source, error, family)
      }
    }
  }

  #describe(metadata: ReadonlyMap<string, Uint8Array>): void {
    const isNew = [...metadata.keys()].some((name) => !this.#described.has(name))
    if (!isNew && performance.now() - this.#describedAt < METADATA_INTERVAL) return
    this.#described = new Set(metadata.keys())
    this.#describedAt = performance.now()
    this.#sender.describe([...metadata.values()])
  }

  #add(sample: QueuedSample): void {
    const dropped = this.#queue.add(sample)
    if (dropped > 0) this.#metrics.dropped(dropped, 'queue_full')
  }

  /** Milliseconds since the epoch, later each time: a server refuses two values of one moment. */
  #now(): number {
    return (this.#lastTime = Math.max(Date.now(), this.#lastTime + 1))
  }

  #delivered(samples: number, bytes: number): void {
    this.#told = false
    this.#lastFailure = undefined
    this.#metrics.samples.inc(samples)
    this.#metrics.bytes.inc(bytes)
    this.#metrics.lastSuccess.setToCurrentTime()
  }

  #wasRefused(samples: number, failure: RemoteWriteFailure): void {
    this.#refused += samples
    this.#lastRefusal = failure
    this.#metrics.dropped(samples, 'refused')
    this.#report(new RemoteWriteError(this.#settings.url, `${samples} samples were refused`, failure))
  }

  #retrying(failure: RemoteWriteFailure): void {
    this.#lastFailure = failure
    this.#metrics.retries.inc()
    if (this.#told) return
    this.#report(new RemoteWriteError(this.#settings.url, `${this.#queue.length} samples wait`, failure))
    this.#told = true
  }

  /** Tells the application, or warns once in a row. Never throws. */
  #report(error: unknown): void {
    const { onError } = this.#settings
    if (onError === undefined) return this.#warn(error)
    try {
      onError(error)
    } catch (thrown) {
      this.#warn(thrown)
    }
  }

  #warn(error: unknown): void {
    if (this.#told) return
    this.#told = true
    const message = error instanceof Error ? error.message : String(error)
    process.emitWarning(message, { type: 'NarthexWarning', code: 'NARTHEX_REMOTE_WRITE_FAILED' })
  }
}

function closedError(method: string): MetricError {
  return new MetricError('ERR_NARTHEX_INVALID_ARGUMENT', {
    subject: 'RemoteWriter',
    argument: method,
    rule: 'to be called before `close`',
  })
}

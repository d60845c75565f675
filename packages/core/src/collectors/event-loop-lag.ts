import { performance } from 'node:perf_hooks'
import { Histogram } from '../metrics/histogram.ts'
import type { RuntimeCollector } from './runtime-collector.ts'

const LAG_BUCKETS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/**
 * How late the event loop runs what is due: a timer every `resolution` milliseconds observes by how much it came too
 * late, in seconds. A loop that is blocked for a time shows between that time less the resolution and all of it. Only
 * ever added to, so any number of scrapers read the same, and quantiles come from `histogram_quantile`.
 *
 * After a second in which the loop had next to nothing to do, it is looked at twice a second: its idle time then tells
 * how often the timer would have been on time in between, and its turns how long the one piece of work was at most.
 * Keeps no process alive.
 */
export function eventLoopLagCollector(resolution: number, buckets: readonly number[] = LAG_BUCKETS): RuntimeCollector {
  const lag = new Histogram({
    name: 'nodejs_eventloop_lag_seconds',
    help: 'How late the event loop was to run a timer, in seconds.',
    buckets,
    registry: null,
  })
  const watch = new LoopWatch(resolution, (milliseconds) => lag.observe(milliseconds / 1000))
  return {
    name: 'nodejs_eventloop_lag',
    describe: () => [lag.family],
    collect: () => [lag.family],
    stop: () => watch.stop(),
  }
}

/** Milliseconds between two looks at a loop at rest. */
const REST_INTERVAL = 500
/** Milliseconds over which it is judged whether a loop at work has come to rest. */
const JUDGED_SPAN = 1000
/** The part of a span that a loop at rest may work: on a slow machine the looks themselves come near it. */
const RESTING_SHARE = 0.03
/** A piece of work that arrives takes a few turns of the loop, nearly all of its time in one of them. */
const TURNS_OF_ONE_TASK = 8

/**
 * A timer in JavaScript, because `monitorEventLoopDelay` cannot be read without loss: its histogram gives percentiles,
 * not counts at given bounds, and they are of resolution and lag together. A look of it costs less, but it looks when
 * nothing happens, too. Shares of a core at rest, each in a process of its own, Node 20.20 on two shared virtual cores:
 *
 *     monitorEventLoopDelay every 10 ms (what peers use)  0.49 to 0.63 %
 *     monitorEventLoopDelay every 20 ms                   0.28 to 0.41 %
 *     a timer in JavaScript every 20 ms                   0.74 to 0.89 %
 *     this one, 20 ms at work and 500 ms at rest          0.05 to 0.06 %
 *
 * benchmarks/runtime-metrics.mjs measures all default metrics so, beside a peer's.
 */
class LoopWatch {
  readonly #resolution: number
  readonly #observe: (milliseconds: number) => void
  #timer: NodeJS.Timeout
  #interval: number
  #last: Look
  /** Milliseconds since the loop was last judged, and those that it worked. */
  #passed = 0
  #worked = 0

  constructor(resolution: number, observe: (milliseconds: number) => void) {
    this.#resolution = resolution
    this.#observe = observe
    this.#interval = resolution
    this.#last = lookAtLoop()
    this.#timer = this.#start()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #start(): NodeJS.Timeout {
    return setTimeout(() => this.#tick(), this.#interval).unref()
  }

  #tick(): void {
    const last = this.#last
    const now = lookAtLoop()
    this.#last = now
    const passed = now.time - last.time
    const worked = passed - (now.idle - last.idle)
    const late = Math.max(0, passed - this.#interval)
    if (this.#interval === this.#resolution) this.#observe(late)
    else {
      this.#observe(Math.max(late, stretchOf(worked, now.turns - last.turns - 1)))
      const onTime = Math.round((passed - worked) / this.#resolution) - 1
      for (let tick = 0; tick < onTime; tick++) this.#observe(0)
    }
    this.#next(passed, worked)
  }

  /** Sets the next look: soon where there is work, later at rest. */
  #next(passed: number, worked: number): void {
    this.#passed += passed
    this.#worked += worked
    let interval = this.#interval
    if (this.#passed >= JUDGED_SPAN || interval !== this.#resolution) {
      const rests = this.#worked <= this.#passed * RESTING_SHARE
      interval = rests ? Math.max(REST_INTERVAL, this.#resolution) : this.#resolution
      this.#passed = 0
      this.#worked = 0
    }
    if (interval === this.#interval) this.#timer.refresh()
    else {
      this.#interval = interval
      this.#timer = this.#start()
    }
  }
}

/** What is known of the loop at one moment, in milliseconds. */
interface Look {
  readonly time: number
  readonly idle: number
  readonly turns: number
}

function lookAtLoop(): Look {
  return {
    time: performance.now(),
    idle: performance.eventLoopUtilization().idle,
    turns: performance.nodeTiming.uvMetricsInfo.loopCount,
  }
}

/** The longest stretch of work at one go, as far as time and turns tell. */
function stretchOf(worked: number, turns: number): number {
  return worked / Math.max(1, turns / TURNS_OF_ONE_TASK)
}

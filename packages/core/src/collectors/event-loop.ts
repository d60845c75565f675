import { performance } from 'node:perf_hooks'
import type { FamilyDescription } from '../collector.ts'
import { CounterMetricFamily } from '../metric-families.ts'
import { Histogram } from '../metrics/histogram.ts'
import type { RuntimeCollector } from './runtime-collector.ts'

/**
 * How late the event loop runs what is due: a timer every `resolution` milliseconds observes by how much it came too
 * late. Only ever added to, so any number of scrapers read the same; quantiles come from `histogram_quantile`. Costs one
 * timer, which keeps no process alive.
 */
export function eventLoopLagCollector(resolution: number, buckets: readonly number[] = LAG_BUCKETS): RuntimeCollector {
  const lag = new Histogram({
    name: 'nodejs_eventloop_lag_seconds',
    help: 'How late the event loop was to run a timer, in seconds.',
    buckets,
    registry: null,
  })
  let due = performance.now() + resolution
  const timer = setInterval(() => {
    const now = performance.now()
    lag.observe(Math.max(0, now - due) / 1000)
    due = now + resolution
  }, resolution)
  timer.unref()
  return {
    name: 'nodejs_eventloop_lag',
    describe: () => [lag.family],
    collect: () => [lag.family],
    stop: () => clearInterval(timer),
  }
}

const LAG_BUCKETS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

const UTILIZATION: readonly FamilyDescription[] = [
  { name: 'nodejs_eventloop_active_seconds', type: 'counter' },
  { name: 'nodejs_eventloop_idle_seconds', type: 'counter' },
]

/**
 * Event-loop utilisation as two counters: the share of any span of time is `rate(active) / (rate(active) + rate(idle))`,
 * whoever else scrapes.
 */
export const eventLoopUtilizationCollector: RuntimeCollector = {
  name: 'nodejs_eventloop_utilization',
  describe: () => UTILIZATION,
  collect() {
    const { active, idle } = performance.eventLoopUtilization()
    return [
      new CounterMetricFamily({
        name: 'nodejs_eventloop_active_seconds',
        help: 'Seconds that the event loop was at work.',
        value: active / 1000,
      }),
      new CounterMetricFamily({
        name: 'nodejs_eventloop_idle_seconds',
        help: 'Seconds that the event loop waited for something to do.',
        value: idle / 1000,
      }),
    ]
  },
}

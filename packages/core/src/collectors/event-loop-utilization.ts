import { performance } from 'node:perf_hooks'
import type { FamilyDescription } from '../collector.ts'
import { CounterMetricFamily } from '../metric-families.ts'
import type { RuntimeCollector } from './runtime-collector.ts'

const FAMILIES: readonly FamilyDescription[] = [
  { name: 'nodejs_eventloop_active_seconds', type: 'counter' },
  { name: 'nodejs_eventloop_idle_seconds', type: 'counter' },
]

/**
 * Event-loop utilisation as two counters: the share of any span of time is `rate(active) / (rate(active) + rate(idle))`,
 * whoever else scrapes. Both are 0 until the loop has begun.
 */
export const eventLoopUtilizationCollector: RuntimeCollector = {
  name: 'nodejs_eventloop_utilization',
  describe: () => FAMILIES,
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

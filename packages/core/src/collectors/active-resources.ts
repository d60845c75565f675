import { GaugeMetricFamily } from '../metric-families.ts'
import type { RuntimeCollector } from './runtime-collector.ts'

/** What keeps the event loop alive, by type: sockets, timers, file operations under way. */
export const activeResourcesCollector: RuntimeCollector = {
  name: 'nodejs_active_resources',
  describe: () => [{ name: 'nodejs_active_resources', type: 'gauge' }],
  collect() {
    const counts = new Map<string, number>()
    for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1)
    const family = new GaugeMetricFamily({
      name: 'nodejs_active_resources',
      help: 'Resources that keep the event loop alive, by type.',
      labelNames: ['type'],
    })
    for (const [type, count] of counts) family.add([type], count)
    return [family]
  },
}

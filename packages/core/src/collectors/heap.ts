import { getHeapSpaceStatistics } from 'node:v8'
import type { FamilyDescription } from '../collector.ts'
import { GaugeMetricFamily } from '../metric-families.ts'
import type { RuntimeCollector } from './runtime-collector.ts'

const HEAP: readonly FamilyDescription[] = [
  { name: 'nodejs_heap_size_total_bytes', type: 'gauge' },
  { name: 'nodejs_heap_size_used_bytes', type: 'gauge' },
  { name: 'nodejs_external_memory_bytes', type: 'gauge' },
  { name: 'nodejs_array_buffer_memory_bytes', type: 'gauge' },
]

/** The JavaScript heap as a whole, and what hangs on it outside. */
export const heapCollector: RuntimeCollector = {
  name: 'nodejs_heap',
  describe: () => HEAP,
  collect() {
    const { heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage()
    return [
      new GaugeMetricFamily({
        name: 'nodejs_heap_size_total_bytes',
        help: 'Heap reserved, in bytes.',
        value: heapTotal,
      }),
      new GaugeMetricFamily({ name: 'nodejs_heap_size_used_bytes', help: 'Heap in use, in bytes.', value: heapUsed }),
      new GaugeMetricFamily({
        name: 'nodejs_external_memory_bytes',
        help: 'Memory outside the heap that objects hold, in bytes.',
        value: external,
      }),
      new GaugeMetricFamily({
        name: 'nodejs_array_buffer_memory_bytes',
        help: 'Memory of array buffers, part of the external memory, in bytes.',
        value: arrayBuffers,
      }),
    ]
  },
}

const SPACES: readonly FamilyDescription[] = [
  { name: 'nodejs_heap_space_size_total_bytes', type: 'gauge' },
  { name: 'nodejs_heap_space_size_used_bytes', type: 'gauge' },
  { name: 'nodejs_heap_space_size_available_bytes', type: 'gauge' },
]

/** The spaces that V8 divides its heap into: `new`, `old`, `code`, … */
export const heapSpacesCollector: RuntimeCollector = {
  name: 'nodejs_heap_spaces',
  describe: () => SPACES,
  collect() {
    const labelNames = ['space']
    const total = new GaugeMetricFamily({
      name: 'nodejs_heap_space_size_total_bytes',
      help: 'Heap space reserved, in bytes.',
      labelNames,
    })
    const used = new GaugeMetricFamily({
      name: 'nodejs_heap_space_size_used_bytes',
      help: 'Heap space in use, in bytes.',
      labelNames,
    })
    const available = new GaugeMetricFamily({
      name: 'nodejs_heap_space_size_available_bytes',
      help: 'Heap space that is free, in bytes.',
      labelNames,
    })
    for (const space of getHeapSpaceStatistics()) {
      const labels = [space.space_name.replace(/_space$/, '')]
      total.add(labels, space.space_size)
      used.add(labels, space.space_used_size)
      available.add(labels, space.space_available_size)
    }
    return [total, used, available]
  },
}

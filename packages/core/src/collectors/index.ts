export {
  collectDefaultMetrics,
  type DefaultMetrics,
  type DefaultMetricsGroup,
  type DefaultMetricsOptions,
} from './default-metrics.ts'
export { activeResourcesCollector } from './active-resources.ts'
export { eventLoopLagCollector } from './event-loop-lag.ts'
export { eventLoopUtilizationCollector } from './event-loop-utilization.ts'
export { gcCollector } from './gc.ts'
export { heapCollector, heapSpacesCollector } from './heap.ts'
export { processCollector } from './process.ts'
export { type RuntimeCollector } from './runtime-collector.ts'
export { versionCollector } from './version.ts'

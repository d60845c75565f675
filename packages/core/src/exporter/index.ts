export { Exporter, type ExporterOptions } from './exporter.ts'
export { type CollectContext, type ExporterCollector } from './timed-collector.ts'

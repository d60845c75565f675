import type { Collector, FamilyDescription } from '../collector.ts'
import type { MetricFamily } from '../family.ts'

/** A collector of the runtime's own numbers. Everything that it has started ends with `stop`. */
export interface RuntimeCollector extends Collector {
  readonly name: string
  describe(): readonly FamilyDescription[]
  collect(): MetricFamily[] | Promise<MetricFamily[]>
  stop?(): void
}

import type { Gatherer } from '../collector.ts'
import type { MetricFamily } from '../family.ts'
import { parseOpenMetrics } from '../parse/openmetrics.ts'
import { parseText } from '../parse/text.ts'

/** What the helpers look at: a registry, families, or a page of text or OpenMetrics. */
export type MetricSource = Gatherer | Iterable<MetricFamily> | AsyncIterable<MetricFamily> | string

/** All families of a source. Throws `ParseError` for a page that is neither text nor OpenMetrics. */
export async function familiesOf(source: MetricSource): Promise<MetricFamily[]> {
  if (typeof source === 'string') return parsePage(source)
  const families: MetricFamily[] = []
  for await (const family of 'gather' in source ? source.gather() : source) families.push(family)
  return families
}

/** Reads a page of either text format: OpenMetrics where it ends in `# EOF`. */
export function parsePage(page: string): MetricFamily[] {
  return page.trimEnd().endsWith('# EOF') ? parseOpenMetrics(page) : parseText(page)
}

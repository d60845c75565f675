import type { MetricFamily } from '../../family.ts'

/** A graph with more lines than this shows nothing. */
export const MOST_LINES = 20

/** The names of the labels that any of the family's series has, as they are called once Prometheus has scraped them. */
export function labelNamesOf(family: MetricFamily): string[] {
  const names = new Set<string>()
  for (const { labels } of family.series) for (const name of Object.keys(labels)) names.add(scrapedName(name))
  return [...names]
}

/**
 * The labels to tell a graph's lines by: all of them, or, where that makes too many lines, those that are left without
 * the ones that have the most values.
 */
export function groupingOf(family: MetricFamily, labels: readonly string[] = labelNamesOf(family)): string[] {
  let grouping = [...labels]
  while (grouping.length > 0 && groupsOf(family, grouping) > MOST_LINES) {
    const counts = grouping.map((label) => groupsOf(family, [label]))
    const widest = counts.indexOf(Math.max(...counts))
    grouping = grouping.filter((_, index) => index !== widest)
  }
  return grouping
}

/** How many series there would be with these labels only. */
export function groupsOf(family: MetricFamily, labels: readonly string[]): number {
  const groups = new Set<string>()
  for (const series of family.series) {
    const values = new Map(Object.entries(series.labels).map(([name, value]) => [scrapedName(name), value]))
    groups.add(JSON.stringify(labels.map((label) => values.get(label))))
  }
  return groups.size
}

/** `{{method}} {{route}}`, Grafana's pattern for the name of a line. */
export function legendOf(labels: readonly string[]): string {
  return labels.map((label) => `{{${label}}}`).join(' ')
}

/** Prometheus has its own `job` and `instance`, and calls those of the page so. */
function scrapedName(name: string): string {
  return name === 'job' || name === 'instance' ? `exported_${name}` : name
}

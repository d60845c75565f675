import type { Gatherer } from '../collector.ts'
import { MetricError } from '../errors.ts'
import { encodeStream } from '../exposition/encode.ts'
import type { ExpositionFormat } from '../exposition/format.ts'
import type { MetricFamily, Series } from '../family.ts'
import { ownLabelOf } from '../labels.ts'
import { escapeLabelName } from '../names.ts'
import type { defaultRegistry } from '../registry.ts'

/** What a page is for, and what it may not hold there. */
export interface PageUse {
  /** Names the use in errors. */
  readonly subject: string
  /** Labels that the receiver gives every series: it would overwrite them without a word. */
  readonly groupLabels?: readonly string[]
}

/**
 * A registry's page for those who do not scrape it, in chunks. Rejects with `MetricError` where the receiver would refuse
 * the page or change it: `ERR_NARTHEX_INVALID_FAMILY` for a series with a timestamp (Pushgateway and node_exporter take
 * none), `ERR_NARTHEX_INVALID_LABELS` for one with a label of the group. A family whose series cannot be read is left out
 * and counted, as in a scrape.
 */
export function pushablePage(
  registry: Gatherer,
  format: ExpositionFormat,
  use: PageUse,
): AsyncGenerator<Uint8Array, void, void> {
  const families = judged(registry.gather({ escaping: format.escaping }), use)
  const { seriesFailed } = registry as Partial<typeof defaultRegistry>
  return encodeStream(families, format, { onError: (error, family) => seriesFailed?.call(registry, error, family) })
}

async function* judged(families: AsyncIterable<MetricFamily>, use: PageUse): AsyncGenerator<MetricFamily> {
  const written = (use.groupLabels ?? []).map((label) => escapeLabelName(label, 'underscores'))
  for await (const family of families) {
    judge(family, use, written)
    yield family
  }
}

function judge(family: MetricFamily, { subject }: PageUse, written: readonly string[]): void {
  const metric = family.name
  const own = ownLabelOf(family.type, metric)
  const isTaken = (label: string): boolean => written.includes(escapeLabelName(label, 'underscores'))
  for (const { labels, timestamp } of readable(family)) {
    const clash = own !== undefined && isTaken(own) ? own : Object.keys(labels).find(isTaken)
    if (clash !== undefined) {
      const rule = `to leave \`${clash}\` to the grouping key`
      throw new MetricError('ERR_NARTHEX_INVALID_LABELS', { subject, metric, argument: 'labels', rule, value: labels })
    }
    if (timestamp !== undefined) {
      const rule = 'to be absent: a page with timestamps is refused'
      const value = timestamp
      throw new MetricError('ERR_NARTHEX_INVALID_FAMILY', { subject, metric, argument: 'timestamp', rule, value })
    }
  }
}

/** The series up to one that throws: encoding will meet it again, and report it. */
function* readable(family: MetricFamily): Generator<Series> {
  const series = (family.series as Iterable<Series>)[Symbol.iterator]()
  for (;;) {
    let next: IteratorResult<Series>
    try {
      next = series.next()
    } catch {
      return
    }
    if (next.done === true) return
    yield next.value
  }
}

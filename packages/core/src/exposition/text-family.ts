import {
  type Bucket,
  counterSampleName,
  type Exemplar,
  type HistogramSeries,
  type InfoSeries,
  type MetricFamily,
  type Series,
  type SeriesBase,
  type StateSetSeries,
  type SummarySeries,
  type ValueSeries,
} from '../family.ts'
import { ownLabelOf } from '../labels.ts'
import { escapeName, type EscapingScheme } from '../names.ts'
import { isWritableExemplar } from './exemplar.ts'
import { LineWriter, nameStart, writeCount, writeEscaped } from './lines.ts'
import { createdOf, refusal, type Refused } from './refusal.ts'
import { writeBucketLines } from './bucket-lines.ts'
import { type ByteWriter, Literal } from './writer.ts'

/** What tells the text formats apart. */
export interface TextDialect {
  readonly escaping: EscapingScheme
  /** OpenMetrics shows exemplars, created times and empty families, and names gauge histograms' sums `_gsum`. */
  readonly openMetrics: boolean
  /** Appends HELP, TYPE and UNIT. `name` is the family's, escaped. */
  metadata(page: ByteWriter, family: MetricFamily, name: string): void
  /** Appends a value. */
  value(page: ByteWriter, value: number): void
  /** A value as `le` and `quantile` spell it. */
  formatBound(bound: number): string
  /** A timestamp, given in seconds. */
  formatTime(seconds: number): string
  /** What the series breaks, so that readers would refuse the page; undefined where it can be written. */
  ruleFor(family: MetricFamily, series: Series): string | undefined
  /** Whether a histogram may show its sum and count. */
  showsSum(family: MetricFamily, series: HistogramSeries): boolean
}

/**
 * Appends a family in a text format, pausing after each series. A series that would make the page unreadable is left
 * out; `refused` hears of the first one.
 */
export function* writeTextFamily(
  family: MetricFamily,
  page: ByteWriter,
  dialect: TextDialect,
  refused: Refused | undefined,
): Generator<void> {
  const lines = new LineWriter(page, dialect.escaping, ownLabelOf(family.type, family.name))
  const [name, write] = seriesWriter(family, page, lines, dialect)
  let refusing = false
  let started = false
  for (const series of family.series as Iterable<Series>) {
    const start = page.length
    if (!started) dialect.metadata(page, family, name)
    let rule = dialect.ruleFor(family, series)
    if (rule === undefined) {
      write(series)
      rule = lines.rule
    }
    if (rule === undefined) started = true
    else {
      page.length = start
      lines.rule = undefined
      if (!refusing) refused?.(refusal(family, rule))
      refusing = true
    }
    yield
  }
  if (!started && dialect.openMetrics) dialect.metadata(page, family, name)
}

/** The escaped name of the metadata, and what writes the lines of one series. */
function seriesWriter(
  family: MetricFamily,
  page: ByteWriter,
  lines: LineWriter,
  dialect: TextDialect,
): [name: string, write: (series: Series) => void] {
  const { escaping, openMetrics } = dialect
  const samples = new SampleWriter(page, lines, dialect)
  switch (family.type) {
    case 'counter': {
      const [name, start] = suffixedName(openMetrics ? `${family.name}_total` : counterSampleName(family), '_total')
      const created = nameStart(`${name}_created`)
      return [
        name,
        (series) => {
          samples.value(start, series as ValueSeries)
          if (openMetrics) samples.created(created, series)
        },
      ]
    }
    case 'gauge':
    case 'unknown': {
      const name = escapeName(family.name, escaping)
      const start = nameStart(name)
      return [name, (series) => samples.gauge(start, series as ValueSeries)]
    }
    case 'info': {
      const [name, start] = suffixedName(`${family.name}_info`, '_info')
      return [name, (series) => samples.info(start, series)]
    }
    case 'stateset': {
      const name = escapeName(family.name, escaping)
      const start = nameStart(name)
      return [name, (series) => samples.states(start, series as StateSetSeries)]
    }
    case 'histogram':
    case 'gaugehistogram':
    case 'summary': {
      const name = escapeName(family.name, escaping)
      const [sum, count] = openMetrics && family.type === 'gaugehistogram' ? ['_gsum', '_gcount'] : ['_sum', '_count']
      const starts: ComplexStarts = {
        parts: nameStart(family.type === 'summary' ? name : `${name}_bucket`),
        sum: nameStart(name + sum),
        count: nameStart(name + count),
        created: nameStart(`${name}_created`),
      }
      if (family.type === 'summary') return [name, (series) => samples.summary(starts, series as SummarySeries)]
      return [
        name,
        (series) => {
          const histogram = series as HistogramSeries
          samples.histogram(starts, histogram, dialect.showsSum(family, histogram), family.type === 'histogram')
        },
      ]
    }
  }

  /** A suffix is part of the name that is escaped; OpenMetrics' metadata has the name without it. */
  function suffixedName(sampleName: string, suffix: string): [name: string, start: Literal] {
    const escaped = escapeName(sampleName, escaping)
    return [openMetrics ? escaped.slice(0, -suffix.length) : escaped, nameStart(escaped)]
  }
}

/** How the lines of a histogram or summary begin. */
interface ComplexStarts {
  /** Buckets or quantiles. */
  readonly parts: Literal
  readonly sum: Literal
  readonly count: Literal
  readonly created: Literal
}

/** The spelling of a bucket's bound. */
export interface BoundLiteral {
  readonly bound: number
  readonly literal: Literal
}

/** Writes the lines of one family's series. */
class SampleWriter {
  readonly #page: ByteWriter
  readonly #lines: LineWriter
  readonly #dialect: TextDialect
  /** A writer of its own: an exemplar may have a label `le`, and its names say nothing about those of the family. */
  #exemplarLines: LineWriter | undefined
  readonly #bounds: BoundLiteral[] = []

  constructor(page: ByteWriter, lines: LineWriter, dialect: TextDialect) {
    this.#page = page
    this.#lines = lines
    this.#dialect = dialect
  }

  value(name: Literal, { labels, value, timestamp, exemplar }: ValueSeries): void {
    this.#value(this.#lines.start(name, labels), value)
    this.#end(timestamp, exemplar)
  }

  /** A value that has no place for an exemplar. */
  gauge(name: Literal, { labels, value, timestamp }: ValueSeries): void {
    this.#value(this.#lines.start(name, labels), value)
    this.#end(timestamp)
  }

  info(name: Literal, { labels, timestamp }: InfoSeries): void {
    this.#value(this.#lines.start(name, labels), 1)
    this.#end(timestamp)
  }

  states(name: Literal, { labels, states, timestamp }: StateSetSeries): void {
    for (const state of states) {
      this.#lines.addOwn(state === states[0] ? this.#lines.start(name, labels) : this.#lines.again(name))
      writeEscaped(this.#page, state.name)
      this.#page.byte(0x22)
      this.#value(true, state.enabled ? 1 : 0)
      this.#end(timestamp)
    }
  }

  /** The created time of the line before. */
  created(name: Literal, series: SeriesBase): void {
    const created = createdOf(series)
    if (created === undefined) return
    this.#closeName(this.#lines.again(name))
    this.#page.text(this.#dialect.formatTime(created))
    this.#end(series.timestamp)
  }

  /**
   * All bucket lines begin alike, so the first beginning is written and the others are copied within the buffer: labels
   * are escaped once a series, whatever its buckets (`scrape` in benchmarks).
   */
  histogram(starts: ComplexStarts, series: HistogramSeries, showsSum: boolean, showsCreated: boolean): void {
    const page = this.#page
    const lines = this.#lines
    const { labels, buckets, sum, count, timestamp } = series
    const start = page.length
    lines.addOwn(lines.start(starts.parts, labels))
    const end = page.length
    const { length } = buckets
    const plain = this.#fitBounds(buckets) && timestamp === undefined
    for (let index = plain ? writeBucketLines(page, start, end, buckets, this.#bounds) : 0; index < length; index++) {
      const bucket = buckets[index] as Bucket
      if (index > 0) page.repeat(start, end)
      page.literal((this.#bounds[index] as BoundLiteral).literal)
      writeCount(page, bucket.count)
      this.#end(timestamp, bucket.exemplar, bucket.le)
    }
    if (count !== undefined && (length === 0 || (buckets[length - 1] as Bucket).le !== Infinity)) {
      if (length > 0) page.repeat(start, end)
      page.text('+Inf"} ')
      writeCount(page, count)
      this.#end(timestamp)
    }
    const bare = length === 0 && count === undefined
    if (bare) page.length = start
    if (sum !== undefined && showsSum) {
      this.#value(bare ? lines.start(starts.sum, labels) : lines.again(starts.sum), sum)
      this.#end(timestamp)
    }
    if (count !== undefined && showsSum) this.#count(lines.again(starts.count), count, timestamp)
    if (showsCreated && this.#dialect.openMetrics && !bare) this.created(starts.created, series)
  }

  summary(starts: ComplexStarts, series: SummarySeries): void {
    const lines = this.#lines
    const { labels, quantiles, sum, count, timestamp } = series
    let first = true
    const start = (name: Literal): boolean => {
      const open = first ? lines.start(name, labels) : lines.again(name)
      first = false
      return open
    }
    for (const { quantile, value } of quantiles) {
      lines.addOwn(start(starts.parts))
      this.#page.text(`${this.#dialect.formatBound(quantile)}"`)
      this.#value(true, value)
      this.#end(timestamp)
    }
    if (sum !== undefined) {
      this.#value(start(starts.sum), sum)
      this.#end(timestamp)
    }
    if (count !== undefined) this.#count(start(starts.count), count, timestamp)
    if (this.#dialect.openMetrics && !first) this.created(starts.created, series)
  }

  #value(open: boolean, value: number): void {
    this.#closeName(open)
    this.#dialect.value(this.#page, value)
  }

  #count(open: boolean, count: number, timestamp: number | undefined): void {
    this.#closeName(open)
    writeCount(this.#page, count)
    this.#end(timestamp)
  }

  #closeName(open: boolean): void {
    if (open) this.#page.byte(0x7d)
    this.#page.byte(0x20)
  }

  #end(timestamp: number | undefined, exemplar?: Exemplar, le?: number): void {
    const page = this.#page
    if (timestamp !== undefined) page.text(` ${this.#dialect.formatTime(timestamp)}`)
    if (exemplar !== undefined && this.#dialect.openMetrics) this.#exemplar(exemplar, le)
    page.byte(0x0a)
  }

  /** An exemplar that breaks a rule is left out: its line stands without it. */
  #exemplar(exemplar: Exemplar, le: number | undefined): void {
    if (!isWritableExemplar(exemplar, this.#dialect.escaping, le)) return
    const page = this.#page
    const lines = (this.#exemplarLines ??= new LineWriter(page, this.#dialect.escaping))
    const start = page.length
    page.text(' # ')
    page.text(lines.labels(exemplar.labels, false) ? '} ' : '{} ')
    this.#dialect.value(page, exemplar.value)
    if (exemplar.timestamp !== undefined) page.text(` ${this.#dialect.formatTime(exemplar.timestamp)}`)
    if (lines.rule === undefined) return
    lines.rule = undefined
    page.length = start
  }

  /**
   * Makes what stands between `le="` and the count, `0.005"} `: once for each bound, as they are the same in every series
   * of a family. False where a bucket has an exemplar to be written.
   */
  #fitBounds(buckets: readonly Bucket[]): boolean {
    let plain = true
    for (let index = 0; index < buckets.length; index++) {
      const { le, exemplar } = buckets[index] as Bucket
      if (exemplar !== undefined && this.#dialect.openMetrics) plain = false
      if (this.#bounds[index]?.bound === le) continue
      this.#bounds[index] = { bound: le, literal: new Literal(`${this.#dialect.formatBound(le)}"} `) }
    }
    return plain
  }
}

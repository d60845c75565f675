import { type Bucket, counterSampleName, type HistogramSeries, type MetricFamily, type MetricType, type SummarySeries } from '../family.ts'
import { formatFloat } from '../float.ts'
import type { Labels } from '../labels.ts'
import type { EscapingScheme } from '../names.ts'
import type { ExpositionFormat } from './format.ts'
import { LineWriter, writeCount, writeEscaped, writeFloat } from './lines.ts'
import type { ByteWriter } from './writer.ts'

/**
 * Prometheus text format 0.0.4, which every reader knows (prometheus/docs, "Exposition formats"). Timestamps are in
 * milliseconds; exemplars, created times, units and native histograms have no place in it.
 */
export const textFormat: ExpositionFormat = format('0.0.4', 'underscores', 'text/plain; version=0.0.4; charset=utf-8')

/** Prometheus text format 1.0.0: as 0.0.4, with any UTF-8 name in quotes where the reader allows it. */
export const textFormat1: ExpositionFormat = format(
  '1.0.0',
  'underscores',
  'text/plain; version=1.0.0; charset=utf-8; escaping=underscores',
)

function format(version: string, escaping: EscapingScheme, contentType: string): ExpositionFormat {
  return {
    contentType,
    escaping,
    withEscaping: (scheme) =>
      format(version, scheme, `text/plain; version=${version}; charset=utf-8; escaping=${scheme}`),
    write: (family, page) => writeFamily(family, page, escaping),
  }
}

/** The five words of this format for the eight types. */
const TYPE_WORDS: Readonly<Record<MetricType, string>> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  gaugehistogram: 'histogram',
  summary: 'summary',
  info: 'gauge',
  stateset: 'gauge',
  unknown: 'untyped',
}

function* writeFamily(family: MetricFamily, page: ByteWriter, escaping: EscapingScheme): Generator<void> {
  const lines = new LineWriter(page, escaping)
  const name = pageName(family)
  let started = false
  const start = (): void => {
    if (started) return
    started = true
    const written = lines.metadataName(name)
    if (family.help !== '') page.text(`# HELP ${written} ${escapeHelp(family.help)}\n`)
    page.text(`# TYPE ${written} ${TYPE_WORDS[family.type]}\n`)
  }
  switch (family.type) {
    case 'counter':
    case 'gauge':
    case 'unknown':
      for (const { labels, value, timestamp } of family.series) {
        start()
        writeSample(page, lines.start(name, labels), value, timestamp)
        yield
      }
      return
    case 'histogram':
    case 'gaugehistogram': {
      const bounds = new BoundTexts()
      const names = [`${name}_bucket`, `${name}_sum`, `${name}_count`] as const
      for (const series of family.series) {
        start()
        writeHistogram(page, lines, names, series, bounds)
        yield
      }
      return
    }
    case 'summary': {
      const names = [name, `${name}_sum`, `${name}_count`] as const
      for (const series of family.series) {
        start()
        writeSummary(page, lines, names, series)
        yield
      }
      return
    }
    case 'info':
      for (const { labels, timestamp } of family.series) {
        start()
        writeSample(page, lines.start(name, labels), 1, timestamp)
        yield
      }
      return
    case 'stateset':
      for (const { labels, states, timestamp } of family.series) {
        start()
        for (const state of states) {
          startWithLabel(page, lines, name, labels, family.name)
          writeEscaped(page, state.name)
          page.byte(0x22)
          writeSample(page, true, state.enabled ? 1 : 0, timestamp)
        }
        yield
      }
  }
}

/** The name in HELP and TYPE: in this format that of the samples. */
function pageName(family: MetricFamily): string {
  if (family.type === 'counter') return counterSampleName(family)
  return family.type === 'info' ? `${family.name}_info` : family.name
}

/** Appends `name{a="b",label="`. */
function startWithLabel(page: ByteWriter, lines: LineWriter, name: string, labels: Labels, label: string): void {
  page.byte(lines.start(name, labels) ? 0x2c : 0x7b)
  lines.labelStart(label)
}

function writeSample(page: ByteWriter, open: boolean, value: number, timestamp: number | undefined): void {
  if (open) page.byte(0x7d)
  page.byte(0x20)
  writeFloat(page, value)
  endLine(page, timestamp)
}

function endLine(page: ByteWriter, timestamp: number | undefined): void {
  if (timestamp !== undefined) page.text(` ${Math.round(timestamp * 1000)}`)
  page.byte(0x0a)
}

/** The spellings of bucket bounds, which are the same in every series of a family: made once. */
class BoundTexts {
  readonly #bounds: number[] = []
  readonly #texts: string[] = []

  /** `0.005"} `, what stands between `le="` and the count. */
  textOf(bound: number, index: number): string {
    if (this.#bounds[index] !== bound) {
      this.#bounds[index] = bound
      this.#texts[index] = `${formatFloat(bound)}"} `
    }
    return this.#texts[index] as string
  }
}

/**
 * All bucket lines begin alike, so the first beginning is written and the others are copied within the buffer: labels
 * are escaped once a series, whatever its buckets (`scrape` in benchmarks).
 */
function writeHistogram(
  page: ByteWriter,
  lines: LineWriter,
  [bucketName, sumName, countName]: readonly [string, string, string],
  { labels, buckets, sum, count, timestamp }: HistogramSeries,
  bounds: BoundTexts,
): void {
  const start = page.length
  startWithLabel(page, lines, bucketName, labels, 'le')
  const end = page.length
  page.length = start
  const { length } = buckets
  for (let index = 0; index < length; index++) {
    const bucket = buckets[index] as Bucket
    if (index === 0) page.length = end
    else page.repeat(start, end)
    page.text(bounds.textOf(bucket.le, index))
    writeCount(page, bucket.count)
    endLine(page, timestamp)
  }
  if (count !== undefined && (length === 0 || (buckets[length - 1] as Bucket).le !== Infinity)) {
    if (length === 0) page.length = end
    else page.repeat(start, end)
    page.text('+Inf"} ')
    writeCount(page, count)
    endLine(page, timestamp)
  }
  if (sum !== undefined) writeSample(page, lines.start(sumName, labels), sum, timestamp)
  if (count !== undefined) writeCountLine(page, lines.start(countName, labels), count, timestamp)
}

function writeSummary(
  page: ByteWriter,
  lines: LineWriter,
  [name, sumName, countName]: readonly [string, string, string],
  { labels, quantiles, sum, count, timestamp }: SummarySeries,
): void {
  for (const { quantile, value } of quantiles) {
    startWithLabel(page, lines, name, labels, 'quantile')
    page.text(`${formatFloat(quantile)}"`)
    writeSample(page, true, value, timestamp)
  }
  if (sum !== undefined) writeSample(page, lines.start(sumName, labels), sum, timestamp)
  if (count !== undefined) writeCountLine(page, lines.start(countName, labels), count, timestamp)
}

function writeCountLine(page: ByteWriter, open: boolean, count: number, timestamp: number | undefined): void {
  if (open) page.byte(0x7d)
  page.byte(0x20)
  writeCount(page, count)
  endLine(page, timestamp)
}

/** 0.0.4 escapes only these two in HELP: a quote stays as it is. */
function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

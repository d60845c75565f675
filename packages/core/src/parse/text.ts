import type { MetricFamily, MetricType } from '../family.ts'
import { type Dialect, PageReader } from './page-reader.ts'
import { unescapeText } from './unescape-text.ts'
import { pageText } from './page.ts'
import { TEXT_PARTS } from './sample-part.ts'
import { ScatteredFamilies } from './scattered-families.ts'

/** Options of {@link parseText}. */
export interface ParseTextOptions {
  /**
   * Reads what the Prometheus server reads besides: a last line without a line feed, labels without commas, any escape,
   * repeated and late metadata (the first counts), the type words of OpenMetrics.
   *
   * @default false
   */
  readonly lenient?: boolean
}

const STRICT: Dialect = { blanks: true, trailingComma: true, optionalComma: false, anyEscape: false }
const LENIENT: Dialect = { blanks: true, trailingComma: true, optionalComma: true, anyEscape: true }

/** prometheus/common writes a gauge histogram's type in two ways. */
const TYPES: ReadonlyMap<string, MetricType> = new Map<string, MetricType>([
  ['counter', 'counter'],
  ['gauge', 'gauge'],
  ['histogram', 'histogram'],
  ['gaugehistogram', 'gaugehistogram'],
  ['gauge_histogram', 'gaugehistogram'],
  ['summary', 'summary'],
  ['untyped', 'unknown'],
])
const LENIENT_TYPES: ReadonlyMap<string, MetricType> = new Map<string, MetricType>([
  ...TYPES,
  ['unknown', 'unknown'],
  ['info', 'gauge'],
  ['stateset', 'gauge'],
])

/**
 * Reads a page in Prometheus text format 0.0.4 or 1.0.0, which is the same with quoted UTF-8 names (prometheus/docs,
 * "Exposition formats"). Families come in the order of the page, each with its samples wherever they stood; one without
 * samples is left out. Times are in seconds. A histogram's buckets come in order, the one of `+Inf` taken from the count
 * where it is missing.
 *
 * Throws {@link ParseError} for anything else. Takes time in proportion to the page.
 */
export function parseText(page: string | Uint8Array, { lenient = false }: ParseTextOptions = {}): MetricFamily[] {
  const reader = new PageReader(lenient ? completed(pageText(page)) : page, lenient ? LENIENT : STRICT)
  const families = new ScatteredFamilies({ parts: TEXT_PARTS, text: true, lenient })
  while (!reader.atEnd) {
    reader.skipBlanks()
    const code = reader.codes[reader.at]
    if (code === 0x0a) reader.at += 1
    else if (code === 0x23) readComment(reader, families, lenient)
    else readSample(reader, families)
  }
  return families.finish()
}

function completed(page: string): string {
  return page === '' || page.endsWith('\n') ? page : `${page}\n`
}

function readSample(reader: PageReader, families: ScatteredFamilies): void {
  const start = reader.at
  reader.readSeries()
  reader.skipBlanks()
  const value = reader.readNumber()
  reader.skipBlanks()
  let timestamp: number | undefined
  if (!reader.atEnd && reader.codes[reader.at] !== 0x0a) {
    timestamp = reader.readMilliseconds()
    reader.skipBlanks()
  }
  reader.readLineFeed()
  families.add(reader, start, value, timestamp)
}

/** A comment, unless its first word is HELP or TYPE. */
function readComment(reader: PageReader, families: ScatteredFamilies, lenient: boolean): void {
  reader.at += 1
  reader.skipBlanks()
  const word = reader.readWord()
  reader.skipBlanks()
  if ((word !== 'HELP' && word !== 'TYPE') || reader.codes[reader.at] === 0x0a) {
    reader.readRestOfLine()
    reader.readLineFeed()
    return
  }
  const start = reader.at
  const name = reader.readMetadataName()
  const after = reader.codes[reader.at]
  if (after !== 0x20 && after !== 0x09 && after !== 0x0a) throw reader.error('expected a blank behind the metric name')
  reader.skipBlanks()
  const at = reader.at
  const rest = reader.readRestOfLine()
  reader.readLineFeed()
  // A name alone says nothing about it.
  if (rest === '') return
  const family = families.family(name)
  if (word === 'HELP') {
    if (!family.hasHelp) family.help = unescapeText(rest, false)
    else if (!lenient) throw reader.error('expected one HELP for a metric', start)
    family.hasHelp = true
    return
  }
  const type = (lenient ? LENIENT_TYPES : TYPES).get(withoutBlanks(rest).toLowerCase())
  if (type === undefined) throw reader.error('expected counter, gauge, histogram, summary or untyped', at)
  if (family.hasType || family.used) {
    if (!lenient) throw reader.error('expected one TYPE for a metric, before its samples', start)
    return
  }
  family.hasType = true
  family.type = type
}

/** Without blanks and tabs at the end; a carriage return stays, and is no type. */
function withoutBlanks(text: string): string {
  let end = text.length
  while (end > 0 && (text[end - 1] === ' ' || text[end - 1] === '\t')) end -= 1
  return text.slice(0, end)
}

import type { Exemplar, MetricFamily, MetricType } from '../family.ts'
import { GroupedFamilies } from './grouped-families.ts'
import { type Dialect, PageReader, unescapeText } from './page-reader.ts'
import { pageText } from './page.ts'
import { LENIENT_PARTS } from './sample-part.ts'
import { ScatteredFamilies } from './scattered-families.ts'

/** Options of {@link parseOpenMetrics}. */
export interface ParseOpenMetricsOptions {
  /**
   * Reads what the Prometheus server reads: the grammar of OpenMetrics, but none of its rules about types, values, order
   * and exemplars. Exemplars where the specification has none are left out.
   *
   * @default false
   */
  readonly lenient?: boolean
}

const STRICT: Dialect = { blanks: false, trailingComma: false, optionalComma: false, anyEscape: true }
const LENIENT: Dialect = { blanks: false, trailingComma: true, optionalComma: false, anyEscape: true }

const TYPES: ReadonlySet<string> = new Set<MetricType>([
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'stateset',
  'info',
  'summary',
  'unknown',
])

/**
 * Reads a page in OpenMetrics 1.0 text, names in quotes included, which the ecosystem has added to it. By default it
 * accepts what the specification allows and refuses what it forbids; families come in the order of the page. Of several
 * lines of a series with the same time, to the nanosecond, the first counts.
 *
 * Throws {@link ParseError} for anything else. Takes time in proportion to the page.
 */
export function parseOpenMetrics(
  page: string | Uint8Array,
  { lenient = false }: ParseOpenMetricsOptions = {},
): MetricFamily[] {
  const reader = new PageReader(pageText(page), lenient ? LENIENT : STRICT)
  return lenient ? readScattered(reader) : readGrouped(reader)
}

function readGrouped(reader: PageReader): MetricFamily[] {
  const families = new GroupedFamilies(reader)
  for (;;) {
    const line = readLine(reader)
    if (line === undefined) return families.finish()
    if (line.keyword === undefined) families.add(line.start, line.value, line.timestamp, line.exemplar, line.codePoints)
    else families.describe(line.start, line.keyword, line.name, line.text)
  }
}

function readScattered(reader: PageReader): MetricFamily[] {
  const families = new ScatteredFamilies({ parts: LENIENT_PARTS, text: false, lenient: true })
  for (;;) {
    const line = readLine(reader)
    if (line === undefined) return families.finish()
    if (line.keyword === undefined) {
      families.add(reader, line.start, line.value, line.timestamp, line.exemplar)
      continue
    }
    const family = families.family(line.name)
    if (line.keyword === 'HELP') family.help = line.text
    else if (line.keyword === 'UNIT') family.unit = unitOf(reader, line)
    else if (!family.used) family.type = line.text as MetricType
  }
}

/** A line of metadata. */
interface MetadataLine {
  readonly start: number
  readonly keyword: 'TYPE' | 'HELP' | 'UNIT'
  readonly name: string
  readonly text: string
}

/** A sample; its name and labels stand in the reader. */
interface SampleLine {
  readonly start: number
  readonly keyword: undefined
  readonly value: number
  readonly timestamp: number | undefined
  readonly exemplar: Exemplar | undefined
  readonly codePoints: number
}

/** The next line, `undefined` for `# EOF`, which must be the last. */
function readLine(reader: PageReader): MetadataLine | SampleLine | undefined {
  const start = reader.at
  if (reader.page.charCodeAt(start) === 0x23) return readMetadata(reader, start)
  if (reader.atEnd) throw reader.error('expected `# EOF` at the end')
  reader.readSeries()
  reader.readSpace()
  const value = reader.readNumber()
  let timestamp: number | undefined
  if (reader.page.charCodeAt(reader.at) === 0x20 && !reader.atExemplar) {
    reader.at += 1
    timestamp = reader.readSeconds()
  }
  let exemplar: Exemplar | undefined
  let codePoints = 0
  if (reader.atExemplar) ({ exemplar, codePoints } = reader.readExemplar())
  reader.readLineFeed()
  return { start, keyword: undefined, value, timestamp, exemplar, codePoints }
}

function readMetadata(reader: PageReader, start: number): MetadataLine | undefined {
  reader.at += 1
  reader.readSpace()
  const at = reader.at
  const keyword = reader.readWord()
  if (keyword === 'EOF') {
    if (reader.page.charCodeAt(reader.at) === 0x0a) reader.at += 1
    if (!reader.atEnd) throw reader.error('expected nothing behind `# EOF`')
    return undefined
  }
  if (keyword !== 'TYPE' && keyword !== 'HELP' && keyword !== 'UNIT') {
    throw reader.error('expected TYPE, HELP, UNIT or EOF', at)
  }
  reader.readSpace()
  const name = reader.readMetadataName()
  reader.readSpace()
  const textAt = reader.at
  const text = reader.readRestOfLine()
  reader.readLineFeed()
  if (keyword === 'HELP') return { start, keyword, name, text: unescapeText(text, true) }
  if (keyword === 'TYPE' && !TYPES.has(text)) throw reader.error('expected one of the types of OpenMetrics', textAt)
  return { start, keyword, name, text }
}

/** The unit, of which the Prometheus server, too, demands that the name ends in it. */
function unitOf(reader: PageReader, { name, text, start }: MetadataLine): string {
  if (text !== '' && !name.endsWith(`_${text}`)) throw reader.error('expected a unit that the name ends in', start)
  return text
}

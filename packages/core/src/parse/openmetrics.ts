import type { Exemplar, MetricFamily, MetricType } from '../family.ts'
import { GroupedFamilies } from './grouped-families.ts'
import { type Dialect, PageReader } from './page-reader.ts'
import { unescapeText } from './unescape-text.ts'
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
  const reader = new PageReader(page, lenient ? LENIENT : STRICT)
  return lenient ? readScattered(reader) : readGrouped(reader)
}

function readGrouped(reader: PageReader): MetricFamily[] {
  const families = new GroupedFamilies(reader)
  for (const line = new Line(); line.read(reader);) {
    if (line.keyword === undefined) families.add(line.start, line.value, line.timestamp, line.exemplar, line.codePoints)
    else families.describe(line.start, line.keyword, line.name, line.text)
  }
  return families.finish()
}

function readScattered(reader: PageReader): MetricFamily[] {
  const families = new ScatteredFamilies({ parts: LENIENT_PARTS, text: false, lenient: true })
  for (const line = new Line(); line.read(reader);) {
    if (line.keyword === undefined) {
      families.add(reader, line.start, line.value, line.timestamp, line.exemplar)
      continue
    }
    const family = families.family(line.name)
    if (line.keyword === 'HELP') family.help = line.text
    else if (line.keyword === 'UNIT') family.unit = unitOf(reader, line)
    else if (!family.used) family.type = line.text as MetricType
  }
  return families.finish()
}

/** What a line holds; the name and the labels of a sample stand in the reader. One object for all lines. */
class Line {
  start = 0
  /** None for a sample. */
  keyword: 'TYPE' | 'HELP' | 'UNIT' | undefined
  name = ''
  text = ''
  value = 0
  timestamp: number | undefined
  exemplar: Exemplar | undefined
  codePoints = 0

  /** Reads the next line; false for `# EOF`, which must be the last. */
  read(reader: PageReader): boolean {
    const start = reader.at
    this.start = start
    if (reader.codes[start] === 0x23) return this.#readMetadata(reader)
    if (reader.atEnd) throw reader.error('expected `# EOF` at the end')
    this.keyword = undefined
    reader.readSeries()
    reader.readSpace()
    this.value = reader.readNumber()
    this.timestamp = undefined
    if (reader.codes[reader.at] === 0x20 && !reader.atExemplar) {
      reader.at += 1
      this.timestamp = reader.readSeconds()
    }
    this.exemplar = undefined
    if (reader.atExemplar) ({ exemplar: this.exemplar, codePoints: this.codePoints } = reader.readExemplar())
    reader.readLineFeed()
    return true
  }

  #readMetadata(reader: PageReader): boolean {
    reader.at += 1
    reader.readSpace()
    const at = reader.at
    const keyword = reader.readWord()
    if (keyword === 'EOF') {
      if (reader.codes[reader.at] === 0x0a) reader.at += 1
      if (!reader.atEnd) throw reader.error('expected nothing behind `# EOF`')
      return false
    }
    if (keyword !== 'TYPE' && keyword !== 'HELP' && keyword !== 'UNIT') {
      throw reader.error('expected TYPE, HELP, UNIT or EOF', at)
    }
    this.keyword = keyword
    reader.readSpace()
    this.name = reader.readMetadataName()
    reader.readSpace()
    const textAt = reader.at
    const text = reader.readRestOfLine()
    reader.readLineFeed()
    if (keyword === 'TYPE' && !TYPES.has(text)) throw reader.error('expected one of the types of OpenMetrics', textAt)
    this.text = keyword === 'HELP' ? unescapeText(text, true) : text
    return true
  }
}

/** The unit, of which the Prometheus server, too, demands that the name ends in it. */
function unitOf(reader: PageReader, { name, text, start }: Line): string {
  if (text !== '' && !name.endsWith(`_${text}`)) throw reader.error('expected a unit that the name ends in', start)
  return text
}

import type { Exemplar } from '../family.ts'
import { type Labels, NO_LABELS, setLabel } from '../labels.ts'
import { PageCursor } from './page-cursor.ts'
import { unescapeText } from './unescape-text.ts'

/** What one text format allows on a line and another does not. */
export interface Dialect {
  /** Blanks and tabs between any two tokens of a line (text 0.0.4). Without it: one space, where the grammar has it. */
  readonly blanks: boolean
  /** `{a="b",}`. */
  readonly trailingComma: boolean
  /** `{a="b" c="d"}`, which only the Prometheus server reads. */
  readonly optionalComma: boolean
  /** `\x` in quotes is a backslash and an x. Without it: an error. */
  readonly anyEscape: boolean
}

const LINE_FEED = 0x0a
const SPACE = 0x20
const QUOTE = 0x22
const HASH = 0x23
const COMMA = 0x2c
const COLON = 0x3a
const EQUALS = 0x3d
const BACKSLASH = 0x5c
const BRACE_OPEN = 0x7b
const BRACE_CLOSE = 0x7d

/** Values up to this length are looked up among recent ones, of which there are this many (a power of two). */
const LONGEST_RECENT = 32
const RECENT_SLOTS = 256

/** Label sets up to this size are searched for duplicates pair by pair. */
const FEW_LABELS = 12

/**
 * Reads names, labels and exemplars of a text page in one pass: it never looks back and never searches ahead of the
 * token at hand, so any page costs time in proportion to its length. What a line holds stands in fields that the next
 * line overwrites. Lines resemble the line before: what is spelled as it was there is recognised in one comparison
 * (`parse` in benchmarks), and is the same string.
 */
export class PageReader extends PageCursor {
  readonly #dialect: Dialect
  /** The metric name that {@link readSeries} found. */
  name = ''
  readonly labelNames: string[] = []
  readonly labelValues: string[] = []
  /** How many of the two arrays belong to this line. */
  labelCount = 0
  /** The last metric name without quotes, and where it stood. */
  #bareName = ''
  #bareNameAt = 0
  /** Where each label name and value was spelled last; below 0 where it needed quotes or escapes. */
  readonly #labelAt: number[] = []
  readonly #valueAt: number[] = []
  /** Recent values without escapes, and where each stood. */
  readonly #recent: (string | undefined)[] = Array<string | undefined>(RECENT_SLOTS).fill(undefined)
  readonly #recentAt: number[] = Array<number>(RECENT_SLOTS).fill(0)
  /** All labels but the last, where the line before had them: the lines of a histogram differ in the last one only. */
  #prefixAt = 0
  #prefixLength = 0
  #prefixCount = 0
  /** As many of the label names are known to be different. */
  #distinctCount = 0

  constructor(page: string | Uint8Array, dialect: Dialect) {
    super(page)
    this.#dialect = dialect
  }

  /** The name in a line of metadata: bare, or in quotes where it is not legacy-valid. */
  readMetadataName(): string {
    const start = this.at
    if (this.codes[start] === QUOTE) {
      const name = this.#readQuoted()
      if (name === '') throw this.error('expected a metric name that is not empty', start)
      return name
    }
    const end = this.#metricNameEnd(start)
    if (end === start) throw this.error('expected a metric name')
    this.at = end
    return this.page.slice(start, end)
  }

  /** `name{label="value"}` or `{"name",label="value"}`, into `name` and the label arrays. */
  readSeries(): void {
    const { codes } = this
    const start = this.at
    this.labelCount = 0
    if (codes[start] === BRACE_OPEN) this.name = ''
    else this.#readMetricName()
    if (this.#dialect.blanks) this.skipBlanks()
    if (codes[this.at] === BRACE_OPEN) {
      this.at += 1
      this.#readLabels(this.name === '')
    }
    if (this.name === '') throw this.error('expected a metric name within the braces', start)
  }

  /** Whether ` # {` follows, which starts an exemplar. */
  get atExemplar(): boolean {
    return this.codes[this.at] === SPACE && this.codes[this.at + 1] === HASH
  }

  /** ` # {trace_id="…"} 0.5 1620000000.123` (OpenMetrics 1.0 ABNF "exemplar"); its code points come back as well. */
  readExemplar(): { exemplar: Exemplar; codePoints: number } {
    const { labelNames, labelValues, labelCount } = this
    this.at += 2
    this.readSpace()
    if (this.codes[this.at] !== BRACE_OPEN) throw this.error('expected the labels of an exemplar')
    this.at += 1
    // The exemplar's labels go behind those of the sample, which are still needed.
    this.#readLabels(false)
    let codePoints = 0
    const labels: Record<string, string> = {}
    for (let index = labelCount; index < this.labelCount; index++) {
      const name = labelNames[index] as string
      const value = labelValues[index] as string
      codePoints += codePointsOf(name) + codePointsOf(value)
      if (value !== '') setLabel(labels, name, value)
    }
    this.labelCount = labelCount
    this.readSpace()
    const value = this.readNumber()
    if (this.codes[this.at] !== SPACE) return { exemplar: { labels, value }, codePoints }
    this.at += 1
    return { exemplar: { labels, value, timestamp: this.readSeconds() }, codePoints }
  }

  /** Where the label called `name` stands, -1 where it does not. */
  indexOfLabel(name: string): number {
    for (let index = this.labelCount - 1; index >= 0; index--) if (this.labelNames[index] === name) return index
    return -1
  }

  /** The labels of the line as an object, but for the one at `skip` and those whose value is empty. */
  labels(skip: number): Labels {
    const labels: Record<string, string> = {}
    let empty = true
    for (let index = 0; index < this.labelCount; index++) {
      const value = this.labelValues[index] as string
      if (index === skip || value === '') continue
      setLabel(labels, this.labelNames[index] as string, value)
      empty = false
    }
    return empty ? NO_LABELS : labels
  }

  #readMetricName(): void {
    const start = this.at
    const { length } = this.#bareName
    const from = length > 0 && this.#repeats(this.#bareNameAt, length, start) ? start + length : start
    const end = this.#metricNameEnd(from, from > start)
    if (end === start) throw this.error('expected a metric name')
    if (from === start || end > from) {
      this.#bareName = this.page.slice(start, end)
      this.#bareNameAt = start
    }
    this.name = this.#bareName
    this.at = end
  }

  /** Whether what stands at `at` begins with the `length` characters at `before`. */
  #repeats(before: number, length: number, at: number): boolean {
    const { codes } = this
    for (let index = 0; index < length; index++) if (codes[before + index] !== codes[at + index]) return false
    return true
  }

  #metricNameEnd(start: number, digits = false): number {
    const { codes } = this
    let at = start
    let code = codes[at] as number
    while (isWordCode(code, digits || at > start) || code === COLON) code = codes[++at] as number
    return at
  }

  /** Reads labels up to the brace, behind those that are there already. */
  #readLabels(nameAllowed: boolean): void {
    const { codes } = this
    const { blanks, trailingComma, optionalComma } = this.#dialect
    const first = this.labelCount
    const blockStart = this.at
    const known = !nameAllowed && first === 0 && this.#prefixCount > 0
    const matched = known && this.#repeats(this.#prefixAt, this.#prefixLength, blockStart)
    if (matched) {
      this.labelCount = this.#prefixCount
      this.at += this.#prefixLength
    }
    let lastStart = this.at
    let afterComma = matched
    let sameNames = first === 0
    for (;;) {
      if (blanks && (codes[this.at] as number) <= SPACE) this.skipBlanks()
      const start = this.at
      const code = codes[start]
      if (code === BRACE_CLOSE && (!afterComma || trailingComma)) break
      const index = this.labelCount
      let name: string
      if (this.#repeatsLabel(index, start)) {
        name = this.labelNames[index] as string
        this.at = start + name.length
      } else if (code === QUOTE) {
        name = this.#readQuoted()
        this.#labelAt[index] = -1
        sameNames = false
        if (blanks && (codes[this.at] as number) <= SPACE) this.skipBlanks()
        const next = codes[this.at]
        if (next === COMMA || next === BRACE_CLOSE) {
          if (!nameAllowed || this.name !== '') throw this.error('expected a label, not another name', start)
          if (name === '') throw this.error('expected a metric name that is not empty', start)
          this.name = name
          afterComma = next === COMMA
          if (afterComma) {
            this.at += 1
            // No specification has the quoted name in OpenMetrics 1.0; the Python client writes a space behind it.
            this.skipBlanks()
          }
          continue
        }
      } else {
        name = this.#readLabelName()
        this.#labelAt[index] = start
        sameNames = false
      }
      lastStart = start
      if (name === '' || name === '__name__') throw this.error('expected the name of a label', start)
      if (blanks && (codes[this.at] as number) <= SPACE) this.skipBlanks()
      if (codes[this.at] !== EQUALS) throw this.error('expected `=`')
      this.at += 1
      if (blanks && (codes[this.at] as number) <= SPACE) this.skipBlanks()
      if (codes[this.at] !== QUOTE) throw this.error('expected a label value in quotes')
      this.labelNames[index] = name
      this.labelValues[index] = this.#readValue(index)
      this.labelCount = index + 1
      if (blanks && (codes[this.at] as number) <= SPACE) this.skipBlanks()
      const next = codes[this.at]
      afterComma = next === COMMA
      if (afterComma) this.at += 1
      else if (next !== BRACE_CLOSE && !optionalComma) throw this.error('expected `,` or `}`')
    }
    if (!sameNames || this.labelCount > this.#distinctCount) this.#refuseDuplicates(first)
    this.at += 1
    if (matched || first > 0) return
    this.#prefixCount = nameAllowed || this.labelCount === 0 ? 0 : this.labelCount - 1
    this.#prefixAt = blockStart
    this.#prefixLength = lastStart - blockStart
  }

  #refuseDuplicates(first: number): void {
    const { labelNames, labelCount } = this
    this.#distinctCount = Math.min(this.#distinctCount, first)
    const seen = labelCount - first > FEW_LABELS ? new Set<string>() : undefined
    for (let index = first; index < labelCount; index++) {
      const name = labelNames[index] as string
      let twice = false
      if (seen === undefined) {
        for (let before = first; before < index; before++) if (labelNames[before] === name) twice = true
      } else {
        twice = seen.size === seen.add(name).size
      }
      if (twice) throw this.error('expected each label once')
    }
    if (first === 0) this.#distinctCount = labelCount
  }

  /** Whether the label name that stood at this place last stands at `at`. */
  #repeatsLabel(index: number, at: number): boolean {
    const before = this.#labelAt[index] ?? -1
    if (before < 0) return false
    const { length } = this.labelNames[index] as string
    return this.codes[at + length] === EQUALS && this.#repeats(before, length, at)
  }

  #readLabelName(): string {
    const { codes, at: start } = this
    let at = start
    for (let code = codes[at] as number; isWordCode(code, at > start); code = codes[++at] as number);
    this.at = at
    return this.page.slice(start, at)
  }

  /** The value in quotes at the cursor: the string that stood at this place last, where it is the same. */
  #readValue(index: number): string {
    const start = this.at + 1
    const before = this.#valueAt[index] ?? -1
    if (before >= 0) {
      const known = this.labelValues[index] as string
      const end = start + known.length
      if (this.codes[end] === QUOTE && this.#repeats(before, known.length, start)) {
        this.at = end + 1
        return known
      }
    }
    const value = this.#recentValue(start) ?? this.#readQuoted()
    this.#valueAt[index] = value.length === this.at - start - 1 ? start : -1
    return value
  }

  /**
   * The value at `start`, where it is short and needs no unescaping: one string for all that are equal and not long ago,
   * for the bounds of buckets and the like come again with each series.
   */
  #recentValue(start: number): string | undefined {
    const { codes } = this
    const limit = start + LONGEST_RECENT
    let at = start
    let hash = 0
    for (let code = codes[at] as number; code !== QUOTE; code = codes[++at] as number) {
      if (code === BACKSLASH || code === LINE_FEED || at >= limit) return undefined
      hash = (Math.imul(hash, 31) + code) | 0
    }
    if (at >= this.page.length) return undefined
    const slot = (hash ^ (hash >>> 8)) & (RECENT_SLOTS - 1)
    const length = at - start
    let value = this.#recent[slot]
    if (
      value === undefined ||
      value.length !== length ||
      !this.#repeats(this.#recentAt[slot] as number, length, start)
    ) {
      value = this.page.slice(start, at)
      this.#recent[slot] = value
      this.#recentAt[slot] = start
    }
    this.at = at + 1
    return value
  }

  /** The text in quotes at the cursor. */
  #readQuoted(): string {
    const { codes, page } = this
    const start = this.at + 1
    let at = start
    let escaped = false
    for (let code = codes[at]; code !== QUOTE; code = codes[at]) {
      if (code === BACKSLASH) {
        escaped = true
        const next = codes[at + 1]
        const defined = next === BACKSLASH || next === QUOTE || next === 0x6e
        if (!defined && (!this.#dialect.anyEscape || next === LINE_FEED)) {
          throw this.error('expected one of the escapes `\\\\`, `\\"` and `\\n`', at)
        }
        at += 2
      } else {
        if (code === LINE_FEED) throw this.error('expected `"` before the end of the line', at)
        at += 1
      }
      if (at >= page.length) throw this.error('expected `"`', page.length)
    }
    this.at = at + 1
    return escaped ? unescapeText(page.slice(start, at), true) : page.slice(start, at)
  }
}

/** Letters and underscores, digits where they may stand. */
function isWordCode(code: number, digits: boolean): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    code === 0x5f ||
    (digits && code >= 0x30 && code <= 0x39)
  )
}

function codePointsOf(text: string): number {
  let count = 0
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0xdc00 || unit > 0xdfff) count += 1
  }
  return count
}

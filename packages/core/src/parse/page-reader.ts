import type { Exemplar } from '../family.ts'
import { type Labels, NO_LABELS, setLabel } from '../labels.ts'
import { numberOf, realNumberOf } from './number.ts'
import { type ParseError, parseErrorAt } from './parse-error.ts'

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

const TAB = 0x09
const LINE_FEED = 0x0a
const SPACE = 0x20
const QUOTE = 0x22
const HASH = 0x23
const COMMA = 0x2c
const POINT = 0x2e
const EQUALS = 0x3d
const BACKSLASH = 0x5c
const BRACE_OPEN = 0x7b
const BRACE_CLOSE = 0x7d

const POWERS_OF_TEN = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent)

/** Label sets up to this size are searched for duplicates pair by pair. */
const FEW_LABELS = 12

/**
 * Reads the tokens of a text page, front to back, one pass: it never looks back and never searches ahead of the token
 * at hand, so any page costs time in proportion to its length. What a line holds stands in fields that the next line
 * overwrites; a name or value equal to the one at the same place of the line before is the same string.
 */
export class PageReader {
  readonly page: string
  readonly #dialect: Dialect
  /** Index of the next character. */
  at = 0
  /** The metric name that {@link readSeries} found. */
  name = ''
  readonly labelNames: string[] = []
  readonly labelValues: string[] = []
  /** How many of the two arrays belong to this line. */
  labelCount = 0
  /** Text of all labels but the last, as the line before had it: the lines of a histogram differ in the last one only. */
  #prefix = ''
  #prefixCount = 0

  constructor(page: string, dialect: Dialect) {
    this.page = page
    this.#dialect = dialect
  }

  get atEnd(): boolean {
    return this.at >= this.page.length
  }

  /** The error to throw for what stands at `index`. */
  error(message: string, index: number = this.at): ParseError {
    return parseErrorAt(this.page, index, message)
  }

  skipBlanks(): void {
    const { page } = this
    let at = this.at
    for (let code = page.charCodeAt(at); code === SPACE || code === TAB; code = page.charCodeAt(++at));
    this.at = at
  }

  /** Steps over one space; the page is refused where there is none. */
  readSpace(): void {
    if (this.page.charCodeAt(this.at) !== SPACE) throw this.error('expected a space')
    this.at += 1
  }

  /** Steps over the end of a line, which the page's end is not. */
  readLineFeed(): void {
    if (this.page.charCodeAt(this.at) !== LINE_FEED) throw this.error('expected the end of the line')
    this.at += 1
  }

  /** Everything up to the end of the line, which stays; the page is refused where it ends without one. */
  readRestOfLine(): string {
    const end = this.page.indexOf('\n', this.at)
    if (end < 0) throw this.error('expected a line feed at the end of the line', this.page.length)
    const text = this.page.slice(this.at, end)
    this.at = end
    return text
  }

  /** A run of characters up to a blank or the end of the line. */
  readWord(): string {
    const start = this.at
    this.#skipWord()
    return this.page.slice(start, this.at)
  }

  /** The name in a line of metadata: bare, or in quotes where it is not legacy-valid. */
  readMetadataName(): string {
    const start = this.at
    if (this.page.charCodeAt(start) === QUOTE) {
      const name = this.#readQuoted('')
      if (name === '') throw this.error('expected a metric name that is not empty', start)
      return name
    }
    const end = this.#nameEnd()
    if (end === start) throw this.error('expected a metric name')
    this.at = end
    return this.page.slice(start, end)
  }

  /** `name{label="value"}` or `{"name",label="value"}`, into `name` and the label arrays. */
  readSeries(): void {
    const { page } = this
    const start = this.at
    this.labelCount = 0
    const { name } = this
    const end = name !== '' && page.startsWith(name, start) ? this.#nameEnd(start + name.length) : this.#nameEnd(start)
    if (end > start) {
      if (name.length !== end - start || !isNameCode(page.charCodeAt(start), false)) this.name = page.slice(start, end)
      this.at = end
    } else if (page.charCodeAt(start) === BRACE_OPEN) {
      this.name = ''
    } else {
      throw this.error('expected a metric name')
    }
    if (this.#dialect.blanks) this.skipBlanks()
    if (page.charCodeAt(this.at) === BRACE_OPEN) {
      this.at += 1
      this.#readLabels(this.name === '')
    }
    if (this.name === '') throw this.error('expected a metric name within the braces', start)
  }

  /** The value of a sample. */
  readNumber(): number {
    const { page } = this
    const start = this.at
    let value = 0
    let at = start
    let code = page.charCodeAt(at)
    for (; code >= 0x30 && code <= 0x39; code = page.charCodeAt(++at)) value = value * 10 + code - 0x30
    let digits = at - start
    let fraction = 0
    if (code === POINT) {
      const point = at
      for (code = page.charCodeAt(++at); code >= 0x30 && code <= 0x39; code = page.charCodeAt(++at)) {
        value = value * 10 + code - 0x30
      }
      fraction = at - point - 1
      digits += fraction
    }
    if ((code === LINE_FEED || code === SPACE) && digits > 0 && digits <= 15) {
      this.at = at
      // Both are exact, so the quotient is the nearest number there is.
      return fraction === 0 ? value : value / (POWERS_OF_TEN[fraction] as number)
    }
    const parsed = numberOf(this.readWord())
    if (parsed === undefined) throw this.error('expected a number', start)
    return parsed
  }

  /** A time in seconds, cut to nanoseconds (OpenMetrics 1.0, "Timestamps"). */
  readSeconds(): number {
    const start = this.at
    const word = this.readWord()
    const point = word.indexOf('.')
    const plain = point < 0 || word.length <= point + 10 || word.includes('e', point) || word.includes('E', point)
    const seconds = realNumberOf(word)
    if (seconds === undefined) throw this.error('expected a time in seconds', start)
    return plain ? seconds : Number(word.slice(0, point + 10))
  }

  /** A time in whole milliseconds, as seconds (text 0.0.4: an int64). */
  readMilliseconds(): number {
    const start = this.at
    const word = this.readWord()
    const digits = word.startsWith('-') || word.startsWith('+') ? 1 : 0
    let valid = word.length > digits
    for (let index = digits; valid && index < word.length; index++) {
      const code = word.charCodeAt(index)
      valid = code >= 0x30 && code <= 0x39
    }
    const milliseconds = Number(word)
    if (!valid || Math.abs(milliseconds) > 2 ** 63) throw this.error('expected a time in whole milliseconds', start)
    return milliseconds === 0 ? 0 : milliseconds / 1000
  }

  /** Whether ` # {` follows, which starts an exemplar. */
  get atExemplar(): boolean {
    return this.page.charCodeAt(this.at) === SPACE && this.page.charCodeAt(this.at + 1) === HASH
  }

  /** ` # {trace_id="…"} 0.5 1620000000.123` (OpenMetrics 1.0 ABNF "exemplar"); its code points come back as well. */
  readExemplar(): { exemplar: Exemplar; codePoints: number } {
    const { labelNames, labelValues, labelCount } = this
    this.at += 2
    this.readSpace()
    if (this.page.charCodeAt(this.at) !== BRACE_OPEN) throw this.error('expected the labels of an exemplar')
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
    if (this.page.charCodeAt(this.at) !== SPACE) return { exemplar: { labels, value }, codePoints }
    this.at += 1
    return { exemplar: { labels, value, timestamp: this.readSeconds() }, codePoints }
  }

  /** Where the label called `name` stands, -1 where it does not. */
  indexOfLabel(name: string): number {
    for (let index = 0; index < this.labelCount; index++) if (this.labelNames[index] === name) return index
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

  #readLabels(nameAllowed: boolean): void {
    const { page } = this
    const { blanks, trailingComma, optionalComma } = this.#dialect
    const first = this.labelCount
    const blockStart = this.at
    let lastStart = blockStart
    let afterComma = false
    const matched = !nameAllowed && first === 0 && this.#prefixCount > 0 && page.startsWith(this.#prefix, blockStart)
    if (matched) {
      this.labelCount = this.#prefixCount
      this.at = lastStart = blockStart + this.#prefix.length
      afterComma = true
    }
    for (;;) {
      if (blanks) this.skipBlanks()
      const start = this.at
      const code = page.charCodeAt(start)
      if (code === BRACE_CLOSE && (!afterComma || trailingComma)) {
        this.at += 1
        this.#refuseDuplicates(first, start)
        if (!matched && first === 0) {
          this.#prefixCount = nameAllowed ? 0 : this.labelCount - 1
          if (this.#prefixCount > 0) this.#prefix = page.slice(blockStart, lastStart)
        }
        return
      }
      const known = this.labelNames[this.labelCount] ?? ''
      let name: string
      if (code === QUOTE) {
        name = this.#readQuoted(known)
        if (blanks) this.skipBlanks()
        const next = page.charCodeAt(this.at)
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
        name = this.#readLabelName(known)
      }
      lastStart = start
      if (name === '' || name === '__name__') throw this.error('expected the name of a label', start)
      if (blanks) this.skipBlanks()
      if (page.charCodeAt(this.at) !== EQUALS) throw this.error('expected `=`')
      this.at += 1
      if (blanks) this.skipBlanks()
      if (page.charCodeAt(this.at) !== QUOTE) throw this.error('expected a label value in quotes')
      this.labelNames[this.labelCount] = name
      this.labelValues[this.labelCount] = this.#readQuoted(this.labelValues[this.labelCount] ?? '')
      this.labelCount += 1
      if (blanks) this.skipBlanks()
      const next = page.charCodeAt(this.at)
      afterComma = next === COMMA
      if (afterComma) this.at += 1
      else if (next !== BRACE_CLOSE && !optionalComma) throw this.error('expected `,` or `}`')
    }
  }

  #readLabelName(known: string): string {
    const { page } = this
    const start = this.at
    let at = start
    for (let code = page.charCodeAt(at); isWordCode(code, at > start); code = page.charCodeAt(++at));
    this.at = at
    return known.length === at - start && page.startsWith(known, start) ? known : page.slice(start, at)
  }

  #refuseDuplicates(first: number, at: number): void {
    const { labelNames, labelCount } = this
    const count = labelCount - first
    if (count < 2) return
    const seen = count > FEW_LABELS ? new Set<string>() : undefined
    for (let index = first; index < labelCount; index++) {
      const name = labelNames[index] as string
      let twice = false
      if (seen === undefined) {
        for (let before = first; before < index; before++) if (labelNames[before] === name) twice = true
      } else {
        twice = seen.size === seen.add(name).size
      }
      if (twice) throw this.error('expected each label once', at)
    }
  }

  /** The text in quotes at the cursor: `known`, where it is the same. */
  #readQuoted(known: string): string {
    const { page } = this
    const start = this.at + 1
    let at = start
    let escaped = false
    for (let code = page.charCodeAt(at); code !== QUOTE; code = page.charCodeAt(at)) {
      if (code === BACKSLASH) {
        escaped = true
        const next = page.charCodeAt(at + 1)
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
    if (escaped) return unescapeText(page.slice(start, at), true)
    return known.length === at - start && page.startsWith(known, start) ? known : page.slice(start, at)
  }

  #nameEnd(): number {
    const { page } = this
    const start = this.at
    let at = start
    for (let code = page.charCodeAt(at); isWordCode(code, at > start) || code === 0x3a; code = page.charCodeAt(++at));
    return at
  }

  #skipWord(): void {
    const { page } = this
    let at = this.at
    for (; at < page.length; at++) {
      const code = page.charCodeAt(at)
      if (code === SPACE || code === LINE_FEED || code === TAB) break
    }
    this.at = at
  }
}

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

/** Code units that are turned into a string in one call. */
const UNIT_BLOCK = 8192

/**
 * Undoes `\\`, `\n` and, where `quotes`, `\"`; a backslash before anything else stays what it is. Goes over a buffer
 * because a string put together from a million pieces keeps every piece alive.
 */
export function unescapeText(text: string, quotes: boolean): string {
  if (!text.includes('\\')) return text
  const units = new Uint16Array(text.length)
  let length = 0
  for (let index = 0; index < text.length; index++) {
    let unit = text.charCodeAt(index)
    if (unit === BACKSLASH) {
      const next = text.charCodeAt(index + 1)
      if (next === BACKSLASH || next === 0x6e || (quotes && next === QUOTE)) {
        unit = next === 0x6e ? LINE_FEED : next
        index += 1
      }
    }
    units[length++] = unit
  }
  let unescaped = ''
  for (let start = 0; start < length; start += UNIT_BLOCK) {
    const block = units.subarray(start, Math.min(start + UNIT_BLOCK, length))
    unescaped += String.fromCharCode.apply(null, block as unknown as number[])
  }
  return unescaped
}

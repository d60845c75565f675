import { numberOf, realNumberOf } from './number.ts'
import { pageText } from './page.ts'
import { type ParseError, parseErrorAt } from './parse-error.ts'

const TAB = 0x09
const LINE_FEED = 0x0a
const SPACE = 0x20
const POINT = 0x2e

const POWERS_OF_TEN = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent)

/** Reads words and numbers of a text page, front to back. */
export class PageCursor {
  readonly page: string
  /** The code units of the page, and a 0 behind them: an array is read several times as fast as a string. */
  readonly codes: Uint8Array | Uint16Array
  /** Index of the next character. */
  at = 0

  /** Throws what {@link pageText} throws. */
  constructor(page: string | Uint8Array) {
    this.page = pageText(page)
    this.codes = codeUnitsOf(this.page, page)
  }

  get atEnd(): boolean {
    return this.at >= this.page.length
  }

  /** The error to throw for what stands at `index`. */
  error(message: string, index: number = this.at): ParseError {
    return parseErrorAt(this.page, index, message)
  }

  skipBlanks(): void {
    const { codes } = this
    let at = this.at
    for (let code = codes[at]; code === SPACE || code === TAB; code = codes[++at]);
    this.at = at
  }

  /** Steps over one space; the page is refused where there is none. */
  readSpace(): void {
    if (this.codes[this.at] !== SPACE) throw this.error('expected a space')
    this.at += 1
  }

  /** Steps over the end of a line, which the page's end is not. */
  readLineFeed(): void {
    if (this.codes[this.at] !== LINE_FEED) throw this.error('expected the end of the line')
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

  /** The value of a sample. */
  readNumber(): number {
    const { codes } = this
    const start = this.at
    let value = 0
    let at = start
    let code = codes[at] as number
    for (; code >= 0x30 && code <= 0x39; code = codes[++at] as number) value = value * 10 + code - 0x30
    let digits = at - start
    let fraction = 0
    if (code === POINT) {
      const point = at
      for (code = codes[++at] as number; code >= 0x30 && code <= 0x39; code = codes[++at] as number) {
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

  #skipWord(): void {
    const { codes } = this
    const { length } = this.page
    let at = this.at
    for (; at < length; at++) {
      const code = codes[at]
      if (code === SPACE || code === LINE_FEED || code === TAB) break
    }
    this.at = at
  }
}

function codeUnitsOf(text: string, page: string | Uint8Array): Uint8Array | Uint16Array {
  const { length } = text
  // In ASCII, which nearly every page is, bytes and code units are the same.
  if (typeof page !== 'string' && page.length === length) {
    const bytes = new Uint8Array(length + 1)
    bytes.set(page)
    return bytes
  }
  if (typeof page === 'string') {
    const bytes = new Uint8Array(length + 1)
    const { read, written } = new TextEncoder().encodeInto(page, bytes)
    if (read === length && written === length) return bytes
  }
  const units = new Uint16Array(length + 1)
  for (let index = 0; index < length; index++) units[index] = text.charCodeAt(index)
  return units
}

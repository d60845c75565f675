/** Where a page stopped making sense. */
export interface ParsePosition {
  /** 1-based line of a text page. */
  readonly line?: number
  /** 1-based column of a text page, in UTF-16 code units, as editors count. */
  readonly column?: number
  /** 0-based byte of a protobuf page. */
  readonly offset?: number
}

/**
 * The one error that parsers throw: the page is not what its format allows. Nothing of the page is kept
 * (OpenMetrics 1.0: a partial or invalid exposition is erroneous in its entirety).
 *
 * Its message reads: line 3, column 12: expected a number, got `blubb`
 */
export class ParseError extends Error {
  override readonly name: string = 'ParseError'
  /** 1-based line of a text page; `undefined` for protobuf. */
  readonly line: number | undefined
  /** 1-based column of a text page, in UTF-16 code units; `undefined` for protobuf. */
  readonly column: number | undefined
  /** 0-based byte of a protobuf page; `undefined` for text. */
  readonly offset: number | undefined

  constructor(message: string, position: ParsePosition) {
    const place =
      position.line === undefined ? `byte ${position.offset}` : `line ${position.line}, column ${position.column}`
    super(`${place}: ${message}`)
    this.line = position.line
    this.column = position.column
    this.offset = position.offset
  }
}

/** Characters of a page that an error message quotes at most. */
const EXCERPT_LENGTH = 40

/** Makes the error for what stands at `index` of a text page. Counts lines, so it costs a pass over the page. */
export function parseErrorAt(page: string, index: number, message: string): ParseError {
  const at = Math.min(index, page.length)
  let line = 1
  let lineStart = 0
  for (let feed = page.indexOf('\n'); feed >= 0 && feed < at; feed = page.indexOf('\n', feed + 1)) {
    line += 1
    lineStart = feed + 1
  }
  return new ParseError(`${message}, got ${excerptAt(page, at)}`, { line, column: at - lineStart + 1 })
}

function excerptAt(page: string, at: number): string {
  if (at >= page.length) return 'the end of the page'
  if (page[at] === '\n') return 'the end of the line'
  const feed = page.slice(at, at + EXCERPT_LENGTH).indexOf('\n')
  const end = feed >= 0 ? at + feed : at + EXCERPT_LENGTH
  return `\`${page.slice(at, end).toWellFormed()}${feed < 0 && end < page.length ? '…' : ''}\``
}

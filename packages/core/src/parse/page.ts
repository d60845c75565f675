import { ParseError, parseErrorAt } from './parse-error.ts'

/**
 * The text of a page. Throws {@link ParseError} for bytes that are not UTF-8, and for a string with a lone surrogate,
 * which has no UTF-8 form; both at their position. A byte order mark stays: no format allows one.
 */
export function pageText(page: string | Uint8Array): string {
  if (typeof page === 'string') {
    if (page.isWellFormed()) return page
    throw parseErrorAt(page, loneSurrogateOf(page), 'expected well-formed Unicode')
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(page)
  } catch {
    throw invalidBytes(page)
  }
}

/** Text of a field of a binary page: `undefined` where the bytes are not UTF-8. */
export function utf8TextOf(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start
  if (length <= 32) {
    let text = ''
    for (let index = start; index < end; index++) {
      const byte = bytes[index] as number
      if (byte >= 0x80) return decodeField(bytes, start, end)
      text += String.fromCharCode(byte)
    }
    return text
  }
  return decodeField(bytes, start, end)
}

const fieldDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeField(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    return fieldDecoder.decode(bytes.subarray(start, end))
  } catch {
    return undefined
  }
}

function loneSurrogateOf(page: string): number {
  for (let index = 0; index < page.length; index++) {
    const unit = page.charCodeAt(index)
    if (unit < 0xd800 || unit > 0xdfff) continue
    const next = unit < 0xdc00 ? page.charCodeAt(index + 1) : 0
    if (!(next >= 0xdc00 && next <= 0xdfff)) return index
    index += 1
  }
  return page.length
}

function invalidBytes(page: Uint8Array): ParseError {
  let line = 1
  let lineStart = 0
  let at = 0
  while (at < page.length) {
    const length = sequenceLength(page, at)
    if (length === 0) break
    if (page[at] === 0x0a) {
      line += 1
      lineStart = at + 1
    }
    at += length
  }
  if (at >= page.length) return new ParseError('the page is too long for a string', { line: 1, column: 1 })
  const before = new TextDecoder('utf-8', { ignoreBOM: true }).decode(page.subarray(lineStart, at))
  const byte = (page[at] as number).toString(16).padStart(2, '0')
  return new ParseError(`expected UTF-8, got the byte 0x${byte}`, { line, column: before.length + 1 })
}

/** Bytes of the UTF-8 sequence at `at`; 0 where there is none (RFC 3629). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number
  if (first < 0x80) return 1
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
  const second = bytes[at + 1] ?? 0
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < low || second > high) return 0
  for (let index = 2; index < length; index++) {
    const byte = bytes[at + index] ?? 0
    if (byte < 0x80 || byte > 0xbf) return 0
  }
  return length
}

/** About this much goes out in one piece: big enough to keep the cost of a piece small, small enough to hold many. */
export const CHUNK_BYTES = 64 * 1024

const utf8 = new TextEncoder()

/** Where the words of literals are made: longer ones have a buffer of their own. */
const scratch = /* @__PURE__ */ new DataView(/* @__PURE__ */ new ArrayBuffer(256))

/**
 * Text that a page holds many times, ready to be written eight bytes at a time. No eight bytes of UTF-8 are a NaN, which
 * an engine may change in passing: its sign and exponent would need a byte that UTF-8 does not have at that place.
 */
export class Literal {
  /** Bytes of UTF-8. */
  readonly size: number
  /** The first UTF-16 code unit; NaN where there is no text. */
  readonly first: number
  /** The text as doubles, filled up with zero bytes. */
  readonly words: readonly number[]

  constructor(text: string) {
    const ascii = writeAscii(text, scratch)
    const view = ascii < 0 ? viewOf(utf8.encode(`${text}\0\0\0\0\0\0\0`)) : scratch
    const words: number[] = []
    this.size = ascii < 0 ? view.byteLength - 7 : ascii
    for (let at = 0; at < this.size; at += 8) words.push(view.getFloat64(at, true))
    this.first = text.charCodeAt(0)
    this.words = words
  }
}

/**
 * Writes text of ASCII with zero bytes after it; returns its length, or -1 where it is none or has no room. A page of
 * many small families has a literal for each few lines: a call into the engine's encoder, and buffers of their own, were
 * a third of the time of such a page (`runtime-metrics` in benchmarks).
 */
function writeAscii(text: string, view: DataView): number {
  const { length } = text
  if (length > view.byteLength - 8) return -1
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index)
    if (code >= 0x80) return -1
    view.setUint8(index, code)
  }
  view.setFloat64(length, 0)
  return length
}

/** What a writer has before the first byte. */
const NOTHING = /* @__PURE__ */ new Uint8Array(0)
const NO_VIEW = /* @__PURE__ */ new DataView(NOTHING.buffer)

/** Up to this many bytes a loop over words is faster than the engine's `copyWithin` (`scrape` in benchmarks). */
const LOOP_BYTES = 512

/**
 * A buffer that text and numbers are appended to. Written with loops, not with an encoder: most of a page is short
 * ASCII, for which a call into the engine's encoder costs more than the bytes (`scrape` in benchmarks). What is written
 * eight bytes at a time may spill over its end; what comes next is written over that.
 */
export class ByteWriter {
  bytes: Uint8Array = NOTHING
  view: DataView = NO_VIEW
  length = 0
  readonly #allocate: (size: number) => Uint8Array

  constructor(allocate: (size: number) => Uint8Array = allocateUncleared) {
    this.#allocate = allocate
  }

  /** What was written, as a view of the buffer; the writer goes on with a new one once there is more. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.length)
    this.bytes = NOTHING
    this.view = NO_VIEW
    this.length = 0
    return taken
  }

  /** Makes sure that `count` more bytes fit. */
  reserve(count: number): void {
    if (this.length + count > this.bytes.length) this.#grow(count)
  }

  byte(value: number): void {
    if (this.length >= this.bytes.length) this.#grow(1)
    this.bytes[this.length++] = value
  }

  /** Appends text as UTF-8. */
  text(text: string): void {
    const { length } = text
    if (this.length + length > this.bytes.length) this.#grow(length)
    const { bytes } = this
    let at = this.length
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index)
      if (code >= 0x80) {
        this.length = at
        this.#encode(index === 0 ? text : text.slice(index))
        return
      }
      bytes[at++] = code
    }
    this.length = at
  }

  /** Appends bytes as they are. */
  copy(source: Uint8Array): void {
    this.reserve(source.length)
    this.bytes.set(source, this.length)
    this.length += source.length
  }

  /** Appends text that is used again and again. */
  literal({ words, size }: Literal): void {
    this.reserve(size + 8)
    const { view, length } = this
    for (let index = 0; index < words.length; index++) view.setFloat64(length + index * 8, words[index] as number, true)
    this.length = length + size
  }

  /** Appends again what stands at `start` to `end` of the buffer. */
  repeat(start: number, end: number): void {
    const count = end - start
    this.reserve(count + 8)
    const { view } = this
    let at = this.length
    if (count > LOOP_BYTES) this.bytes.copyWithin(at, start, end)
    else for (let from = start; from < end; from += 8, at += 8) view.setFloat64(at, view.getFloat64(from, true), true)
    this.length += count
  }

  /** Appends a non-negative integer below 2 ** 53 in decimal digits. */
  integer(value: number): void {
    this.reserve(16)
    if (value > 0x7fffffff) this.text(String(value))
    else this.length = writeDigits(this.bytes, this.length, value | 0)
  }

  #encode(text: string): void {
    this.reserve(text.length * 3)
    const { written } = utf8.encodeInto(text, this.bytes.subarray(this.length))
    this.length += written
  }

  #grow(count: number): void {
    if (this.bytes === NOTHING) this.bytes = this.#allocate(CHUNK_BYTES)
    const needed = this.length + count
    if (needed > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, needed))
      larger.set(this.bytes.subarray(0, this.length))
      this.bytes = larger
    }
    this.view = viewOf(this.bytes)
  }
}

/** Writes a non-negative 32-bit integer at `start` of a buffer with room for it; returns where it ends. */
export function writeDigits(bytes: Uint8Array, start: number, value: number): number {
  if (value < 10) {
    bytes[start] = 48 + value
    return start + 1
  }
  let digits = 2
  for (let power = 100; value >= power && digits < 10; power *= 10) digits++
  let rest = value
  for (let at = start + digits - 1; at >= start; at--) {
    const quotient = (rest / 10) | 0
    bytes[at] = 48 + rest - quotient * 10
    rest = quotient
  }
  return start + digits
}

/** Node can leave out the zeros that the page is about to be written over: a tenth of the time of a scrape. */
function allocateUncleared(size: number): Uint8Array {
  const { Buffer } = globalThis as { Buffer?: { allocUnsafeSlow?(size: number): Uint8Array } }
  return Buffer?.allocUnsafeSlow?.(size) ?? new Uint8Array(size)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

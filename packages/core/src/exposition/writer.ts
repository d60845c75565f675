/** About this much goes out in one piece: big enough to keep the cost of a piece small, small enough to hold many. */
export const CHUNK_BYTES = 64 * 1024

const utf8 = new TextEncoder()

/**
 * Text that a page holds many times, ready to be written eight bytes at a time. No eight bytes of UTF-8 are a NaN, which
 * an engine may change in passing: its sign and exponent would need a byte that UTF-8 does not have at that place.
 */
export class Literal {
  readonly text: string
  readonly bytes: Uint8Array
  /** The text as doubles, filled up with zero bytes. */
  readonly words: readonly number[]

  constructor(text: string) {
    this.text = text
    this.bytes = utf8.encode(text)
    const padded = new Uint8Array(Math.ceil(this.bytes.length / 8) * 8)
    padded.set(this.bytes)
    const view = new DataView(padded.buffer)
    this.words = Array.from({ length: padded.length / 8 }, (_, index) => view.getFloat64(index * 8, true))
  }
}

/** Up to this many bytes a loop over words is faster than the engine's `copyWithin` (`scrape` in benchmarks). */
const LOOP_BYTES = 512

/**
 * A buffer that text and numbers are appended to. Written with loops, not with an encoder: most of a page is short
 * ASCII, for which a call into the engine's encoder costs more than the bytes (`scrape` in benchmarks). What is written
 * eight bytes at a time may spill over its end; what comes next is written over that.
 */
export class ByteWriter {
  bytes: Uint8Array
  view: DataView
  length = 0
  readonly #allocate: (size: number) => Uint8Array

  constructor(allocate: (size: number) => Uint8Array = allocateUncleared) {
    this.#allocate = allocate
    this.bytes = allocate(CHUNK_BYTES)
    this.view = viewOf(this.bytes)
  }

  /** What was written, as a view of the buffer; the writer goes on with a new one. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.length)
    this.bytes = this.#allocate(CHUNK_BYTES)
    this.view = viewOf(this.bytes)
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
  literal({ words, bytes }: Literal): void {
    this.reserve(bytes.length + 8)
    const { view, length } = this
    for (let index = 0; index < words.length; index++) view.setFloat64(length + index * 8, words[index] as number, true)
    this.length = length + bytes.length
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
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
    this.view = viewOf(larger)
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

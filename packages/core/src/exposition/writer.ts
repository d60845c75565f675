/** About this much goes out in one piece: big enough to keep the cost of a piece small, small enough to hold many. */
export const CHUNK_BYTES = 64 * 1024

const utf8 = new TextEncoder()

/**
 * A buffer that text and numbers are appended to. Written with loops, not with an encoder: most of a page is short
 * ASCII, for which a call into the engine's encoder costs more than the bytes (`scrape` in benchmarks).
 */
export class ByteWriter {
  bytes: Uint8Array
  length = 0
  readonly #allocate: (size: number) => Uint8Array

  constructor(allocate: (size: number) => Uint8Array = (size) => new Uint8Array(size)) {
    this.#allocate = allocate
    this.bytes = allocate(CHUNK_BYTES)
  }

  /** What was written, as a view of the buffer; the writer goes on with a new one. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.length)
    this.bytes = this.#allocate(CHUNK_BYTES)
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

  /** Appends again what stands at `start` to `end` of the buffer. */
  repeat(start: number, end: number): void {
    const count = end - start
    if (this.length + count > this.bytes.length) this.#grow(count)
    this.bytes.copyWithin(this.length, start, end)
    this.length += count
  }

  /** Appends a non-negative integer below 2 ** 53 in decimal digits. */
  integer(value: number): void {
    if (this.length + 16 > this.bytes.length) this.#grow(16)
    const { bytes } = this
    if (value < 10) {
      bytes[this.length++] = 48 + value
      return
    }
    if (value > 0x7fffffff) {
      this.text(String(value))
      return
    }
    let rest = value | 0
    let digits = 2
    for (let power = 100; rest >= power && digits < 10; power *= 10) digits++
    const end = this.length + digits
    for (let at = end - 1; at >= this.length; at--) {
      const quotient = (rest / 10) | 0
      bytes[at] = 48 + rest - quotient * 10
      rest = quotient
    }
    this.length = end
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
  }
}

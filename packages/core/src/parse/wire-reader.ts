import { utf8TextOf } from './page.ts'
import { ParseError } from './parse-error.ts'

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const GROUP_START = 3
const GROUP_END = 4
const FIXED32 = 5

/** Bytes of the longest varint: 64 bits in groups of seven. */
const LONGEST_VARINT = 10

/**
 * Reads the wire format of Protocol Buffers (protobuf.dev, "Encoding"): fields of messages, in any order, none of
 * them more than once. Throws {@link ParseError} with the offset for what is no message.
 */
export class WireReader {
  readonly bytes: Uint8Array
  readonly #view: DataView
  at: number
  /** End of the message being read. */
  end: number
  /** Number and wire type of the field that {@link next} stepped to. */
  field = 0
  #wire = 0
  /** The two halves of the varint read last. */
  #low = 0
  #high = 0

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = start
    this.end = end
  }

  error(message: string, offset: number = this.at): ParseError {
    return new ParseError(message, { offset })
  }

  /** Steps to the next field; false at the end of the message. */
  next(): boolean {
    if (this.at >= this.end) return false
    const start = this.at
    this.#readVarint()
    if (this.#high !== 0) throw this.error('expected the tag of a field', start)
    this.field = this.#low >>> 3
    this.#wire = this.#low & 7
    if (this.field === 0 || this.#wire === GROUP_END || this.#wire > FIXED32) {
      throw this.error('expected the tag of a field', start)
    }
    return true
  }

  /** Whether the field is a message or a string. */
  get isBytes(): boolean {
    return this.#wire === BYTES
  }

  /** Whether the field is an integer, as it stands, zig-zag or an enumeration. */
  get isVarint(): boolean {
    return this.#wire === VARINT
  }

  get isDouble(): boolean {
    return this.#wire === FIXED64
  }

  /** The message or string of the field: where it ends; it begins at `at`. */
  readLength(): number {
    const start = this.at
    this.#readVarint()
    const end = this.at + this.#low
    if (this.#high !== 0 || end > this.end) throw this.error('expected a field within its message', start)
    return end
  }

  readString(): string {
    const end = this.readLength()
    const text = utf8TextOf(this.bytes, this.at, end)
    if (text === undefined) throw this.error('expected UTF-8')
    this.at = end
    return text
  }

  readDouble(): number {
    if (this.at + 8 > this.end) throw this.error('expected eight bytes of a double')
    const value = this.#view.getFloat64(this.at, true)
    this.at += 8
    return value
  }

  /** A `uint64` or `uint32`, the nearest double where it is beyond 2 ** 53. */
  readUnsigned(): number {
    this.#readVarint()
    return this.#high * 2 ** 32 + this.#low
  }

  /** An `int64` or `int32`: two's complement. */
  readSigned(): number {
    this.#readVarint()
    if (this.#high < 2 ** 31) return this.#high * 2 ** 32 + this.#low
    return -((~this.#high >>> 0) * 2 ** 32 + (~this.#low >>> 0) + 1)
  }

  /** A `sint64` or `sint32`: zig-zag. */
  readZigZag(): number {
    this.#readVarint()
    const low = ((this.#low >>> 1) | (this.#high << 31)) >>> 0
    const magnitude = (this.#high >>> 1) * 2 ** 32 + low
    return (this.#low & 1) === 0 ? magnitude : -magnitude - 1
  }

  /** Appends the numbers of a repeated field: one, or as many as are packed. */
  readRepeated(values: number[], kind: 'zigzag' | 'double'): void {
    const read = (): number => (kind === 'double' ? this.readDouble() : this.readZigZag())
    if (this.#wire !== BYTES) {
      values.push(read())
      return
    }
    const outer = this.end
    this.end = this.readLength()
    while (this.at < this.end) values.push(read())
    this.end = outer
  }

  /** Whether the field can be read by {@link readRepeated}. */
  isRepeated(kind: 'zigzag' | 'double'): boolean {
    return this.#wire === BYTES || this.#wire === (kind === 'double' ? FIXED64 : VARINT)
  }

  /** Steps over a field that is not known. */
  skip(): void {
    const start = this.at
    switch (this.#wire) {
      case VARINT:
        this.#readVarint()
        return
      case FIXED64:
        this.at += 8
        break
      case FIXED32:
        this.at += 4
        break
      case BYTES:
        this.at = this.readLength()
        return
      default:
        this.#skipGroup(start)
        return
    }
    if (this.at > this.end) throw this.error('expected a field within its message', start)
  }

  /** Steps over a group, with the groups in it: counted, not called, for a page may nest millions. */
  #skipGroup(start: number): void {
    const open: number[] = [this.field]
    while (open.length > 0) {
      const tagAt = this.at
      if (this.at >= this.end) throw this.error('expected the end of a group', start)
      this.#readVarint()
      const field = this.#low >>> 3
      const wire = this.#low & 7
      if (this.#high !== 0 || field === 0 || wire > FIXED32) throw this.error('expected the tag of a field', tagAt)
      if (wire === GROUP_START) open.push(field)
      else if (wire !== GROUP_END) {
        this.#wire = wire
        this.skip()
      } else if (open.pop() !== field) throw this.error('expected the end of another group', tagAt)
    }
  }

  #readVarint(): void {
    const { bytes, end } = this
    const start = this.at
    let low = 0
    let high = 0
    for (let index = 0; index < LONGEST_VARINT; index++) {
      if (this.at >= end) throw this.error('expected the rest of a number', start)
      const byte = bytes[this.at++] as number
      const bits = byte & 0x7f
      if (index < 4) low |= bits << (7 * index)
      else if (index === 4) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (7 * index - 32)
      if (byte < 0x80) {
        if (index === LONGEST_VARINT - 1 && byte > 1) break
        this.#low = low >>> 0
        this.#high = high >>> 0
        return
      }
    }
    throw this.error('expected a number of at most 64 bits', start)
  }
}

import type { ByteWriter } from '@narthex/core'

/**
 * What remote write needs of the encoding of protobuf messages ("Protocol Buffers: Encoding"), appended to a
 * `ByteWriter`. Fields are given by number; all of them are below 16, so that a tag is one byte.
 */

const VARINT = 0
const FIXED64 = 1
const BYTES = 2

const scratch = new DataView(new ArrayBuffer(8))
const scratchBytes = new Uint8Array(scratch.buffer)

/** The NaN that ends a series (Prometheus, model/value, "StaleNaN"). No number of JavaScript can be trusted to keep it. */
const STALE_NAN = 0x7ff0000000000002n
/** What Prometheus writes for any other NaN: one read from elsewhere might have the bits of the stale one. */
const NORMAL_NAN = 0x7ff8000000000001n

/** Appends a field of whole numbers from 0 to below 2 ** 64. */
export function writeUnsigned(out: ByteWriter, field: number, value: number | bigint): void {
  out.byte((field << 3) | VARINT)
  varint(out, value)
}

/** Appends a field of signed whole numbers, negative ones in ten bytes: `int64`. */
export function writeSigned(out: ByteWriter, field: number, value: number): void {
  writeUnsigned(out, field, value < 0 ? BigInt.asUintN(64, BigInt(value)) : value)
}

/** Appends a field of signed whole numbers whose small magnitudes are short: `sint32`, `sint64`. */
export function writeZigzag(out: ByteWriter, field: number, value: number): void {
  out.byte((field << 3) | VARINT)
  zigzag(out, value)
}

/** Appends a double; undefined is the NaN that ends a series. */
export function writeDouble(out: ByteWriter, field: number, value: number | undefined): void {
  out.byte((field << 3) | FIXED64)
  double(out, value)
}

/** Appends text as UTF-8. */
export function writeString(out: ByteWriter, field: number, text: string): void {
  writeMessage(out, field, () => out.text(text))
}

/** Appends a message or string that is there already. */
export function writeBytes(out: ByteWriter, field: number, bytes: Uint8Array): void {
  out.byte((field << 3) | BYTES)
  varint(out, bytes.length)
  out.copy(bytes)
}

/** Appends a message whose fields `write` appends. */
export function writeMessage(out: ByteWriter, field: number, write: () => void): void {
  out.byte((field << 3) | BYTES)
  const start = out.length
  out.byte(0)
  write()
  const size = out.length - start - 1
  if (size < 0x80) {
    out.bytes[start] = size
    return
  }
  // The length takes more than the byte that was left for it: what was written moves on.
  const extra = varintSize(size) - 1
  out.reserve(extra)
  out.bytes.copyWithin(start + 1 + extra, start + 1, out.length)
  out.length = start
  varint(out, size)
  out.length += size
}

/** Appends numbers in one field, the way proto3 has them. */
export function writePackedZigzag(out: ByteWriter, field: number, values: readonly number[]): void {
  if (values.length > 0) writeMessage(out, field, () => values.forEach((value) => zigzag(out, value)))
}

/** The same for doubles. */
export function writePackedDoubles(out: ByteWriter, field: number, values: readonly number[]): void {
  if (values.length > 0) writeMessage(out, field, () => values.forEach((value) => double(out, value)))
}

function varint(out: ByteWriter, value: number | bigint): void {
  if (typeof value === 'bigint') {
    for (; value > 0x7fn; value >>= 7n) out.byte(Number(value & 0x7fn) | 0x80)
    out.byte(Number(value))
    return
  }
  if (!(value >= 0 && value < 2 ** 64)) throw new RangeError(`${value} is no whole number of 64 bits`)
  for (; value > 0x7f; value = Math.floor(value / 128)) out.byte((value % 128) | 0x80)
  out.byte(value)
}

function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++
  return size
}

function zigzag(out: ByteWriter, value: number): void {
  if (Math.abs(value) < 2 ** 51) varint(out, value < 0 ? -2 * value - 1 : 2 * value)
  else varint(out, BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n)))
}

function double(out: ByteWriter, value: number | undefined): void {
  if (value === undefined) scratch.setBigUint64(0, STALE_NAN, true)
  else if (Number.isNaN(value)) scratch.setBigUint64(0, NORMAL_NAN, true)
  else scratch.setFloat64(0, value, true)
  out.copy(scratchBytes)
}

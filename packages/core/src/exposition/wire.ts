import type { ByteWriter } from './writer.ts'

/**
 * The encoding of protobuf messages ("Protocol Buffers: Encoding"): what the exposition needs of it, appended to a
 * {@link ByteWriter}. A tag is a field's number and wire type, `number << 3 | type`: one byte for the first 15 fields.
 */

/** Wire types. */
export const VARINT = 0
export const FIXED64 = 1
export const BYTES = 2

const scratch = /* @__PURE__ */ new DataView(new ArrayBuffer(8))
const scratchBytes = /* @__PURE__ */ new Uint8Array(scratch.buffer)

/** Appends a whole number from 0 to below 2 ** 64 in groups of seven bits. */
export function writeVarint(page: ByteWriter, value: number): void {
  page.reserve(10)
  const { bytes } = page
  let at = page.length
  while (value > 0x7fffffff) {
    bytes[at++] = (value % 128) | 0x80
    value = Math.floor(value / 128)
  }
  let rest = value | 0
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  page.length = at
}

/** Appends a signed 64-bit whole number, negative ones in ten bytes. */
export function writeInt64(page: ByteWriter, value: number): void {
  if (value >= 0) writeVarint(page, value)
  else writeBigVarint(page, BigInt.asUintN(64, BigInt(value)))
}

/** Appends a signed whole number so that small magnitudes stay short: 0, -1, 1, -2 are 0, 1, 2, 3. */
export function writeZigzag(page: ByteWriter, value: number): void {
  if (value >= 0x80000000 || value < -0x80000000) {
    const big = BigInt(value)
    writeBigVarint(page, BigInt.asUintN(64, big < 0n ? -2n * big - 1n : 2n * big))
  } else writeVarint(page, value < 0 ? -2 * value - 1 : 2 * value)
}

function writeBigVarint(page: ByteWriter, value: bigint): void {
  let rest = value
  for (; rest > 0x7fn; rest >>= 7n) page.byte(Number(rest & 0x7fn) | 0x80)
  page.byte(Number(rest))
}

/** Appends a double with its tag. */
export function writeDouble(page: ByteWriter, tag: number, value: number): void {
  page.reserve(9)
  const { bytes } = page
  const at = page.length
  scratch.setFloat64(0, value, true)
  bytes[at] = tag
  for (let index = 0; index < 8; index++) bytes[at + 1 + index] = scratchBytes[index]
  page.length = at + 9
}

/** Opens a message or string whose length is not known yet, behind its tag; gives what {@link endBytes} wants. */
export function beginBytes(page: ByteWriter, tag: number): number {
  page.reserve(3)
  if (tag > 0x7f) {
    page.bytes[page.length++] = (tag & 0x7f) | 0x80
    tag >>>= 7
  }
  page.bytes[page.length] = tag
  page.length += 2
  return page.length
}

/** Writes the length where {@link beginBytes} left one byte for it; a longer one moves what was written. */
export function endBytes(page: ByteWriter, start: number): void {
  const count = page.length - start
  if (count < 0x80) {
    page.bytes[start - 1] = count
    return
  }
  let extra = 0
  for (let rest = count; rest > 0x7f; rest = Math.floor(rest / 128)) extra++
  page.reserve(extra + 10)
  page.bytes.copyWithin(start + extra, start, page.length)
  page.length = start - 1
  writeVarint(page, count)
  page.length += count
}

/** Appends text as UTF-8 with its tag and length. */
export function writeString(page: ByteWriter, tag: number, text: string): void {
  const start = beginBytes(page, tag)
  page.text(text)
  endBytes(page, start)
}

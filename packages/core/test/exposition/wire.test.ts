import { ByteWriter } from '@narthex/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  beginBytes,
  endBytes,
  writeDouble,
  writeInt64,
  writeString,
  writeVarint,
  writeZigzag,
} from '../../src/exposition/wire.ts'

function bytesOf(write: (page: ByteWriter) => void): number[] {
  const page = new ByteWriter()
  write(page)
  return [...page.take()]
}

/** Seven bits at a time, as the specification of the encoding has it. */
function varint(value: bigint): number[] {
  const bytes: number[] = []
  for (let rest = BigInt.asUintN(64, value); ; rest >>= 7n) {
    if (rest < 128n) return [...bytes, Number(rest)]
    bytes.push(Number(rest & 127n) | 128)
  }
}

describe('writeVarint()', () => {
  it.each([0, 1, 127, 128, 300, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, 2 ** 64 - 2048])(
    'writes %d',
    (value) => {
      expect(bytesOf((page) => writeVarint(page, value))).toEqual(varint(BigInt(value)))
    },
  )

  it('writes every safe whole number', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(bytesOf((page) => writeVarint(page, value))).toEqual(varint(BigInt(value)))
      }),
    )
  })
})

it('writeInt64() writes negative numbers in two’s complement', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      expect(bytesOf((page) => writeInt64(page, value))).toEqual(varint(BigInt(value)))
    }),
  )
})

it('writeZigzag() folds the sign into the lowest bit', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const big = BigInt(value)
      expect(bytesOf((page) => writeZigzag(page, value))).toEqual(varint((big << 1n) ^ (big >> 63n)))
    }),
  )
})

it('writeDouble() writes eight bytes, the lowest first', () => {
  expect(bytesOf((page) => writeDouble(page, 9, 1))).toEqual([9, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f])
})

it.each([0, 1, 127, 128, 129, 16_383, 16_384, 70_000])(
  'endBytes() puts a length of %d before what was written',
  (size) => {
    const text = 'x'.repeat(size)
    const expected = [10, ...varint(BigInt(size)), ...new TextEncoder().encode(text)]
    expect(bytesOf((page) => writeString(page, 10, text))).toEqual(expected)
  },
)

it('a field above 15 has a tag of two bytes', () => {
  expect(bytesOf((page) => endBytes(page, beginBytes(page, (16 << 3) | 2)))).toEqual([0x82, 0x01, 0])
})

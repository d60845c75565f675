import { ByteWriter } from '@narthex/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const textOf = (writer: ByteWriter): string => Buffer.from(writer.take()).toString()

describe('text()', () => {
  it('is UTF-8, whatever comes in whatever pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (pieces) => {
        const writer = new ByteWriter()
        for (const piece of pieces) writer.text(piece)
        expect(textOf(writer)).toBe(pieces.join(''))
      }),
    )
  })

  it.each([
    ['ASCII', 'x'.repeat(200_000)],
    ['two bytes each', 'ä'.repeat(200_000)],
    ['three bytes each', '火'.repeat(200_000)],
    ['four bytes each', '😱'.repeat(100_000)],
    ['one more than a chunk, and one after it', `${'x'.repeat(65_535)}ä😱`],
  ])('grows for what is longer than a chunk: %s', (_, text) => {
    const writer = new ByteWriter()
    writer.text('<')
    writer.text(text)
    writer.text('>')
    expect(textOf(writer)).toBe(`<${text}>`)
  })

  it('writes U+FFFD for a lone surrogate', () => {
    const writer = new ByteWriter()
    writer.text('a\ud800b')
    expect(textOf(writer)).toBe('a\ufffdb')
  })
})

describe('integer()', () => {
  it.each([0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 12_345, 999_999, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1])(
    'writes %d',
    (value) => {
      const writer = new ByteWriter()
      writer.integer(value)
      expect(textOf(writer)).toBe(String(value))
    },
  )

  it('writes any non-negative safe integer', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeNat(), { minLength: 1 }), (values) => {
        const writer = new ByteWriter()
        for (const value of values) writer.integer(value)
        expect(textOf(writer)).toBe(values.join(''))
      }),
    )
  })

  it('grows at the end of the buffer', () => {
    const writer = new ByteWriter()
    for (let index = 0; index < 70_000; index++) writer.integer(index % 10)
    expect(textOf(writer)).toBe('0123456789'.repeat(7000))
  })
})

describe('byte(), copy() and repeat()', () => {
  it('append, and grow', () => {
    const writer = new ByteWriter()
    for (let index = 0; index < 65_536; index++) writer.byte(0x61)
    writer.byte(0x62)
    writer.copy(Uint8Array.of(0x63, 0x64))
    const { length } = writer
    writer.repeat(length - 3, length)
    expect(textOf(writer)).toBe(`${'a'.repeat(65_536)}bcdbcd`)
  })
})

describe('take()', () => {
  it('gives what was written and starts anew', () => {
    const writer = new ByteWriter()
    writer.text('one')
    const first = writer.take()
    writer.text('two')
    const second = writer.take()
    expect([Buffer.from(first).toString(), Buffer.from(second).toString()]).toEqual(['one', 'two'])
    expect(writer.length).toBe(0)
    expect(first.buffer).not.toBe(second.buffer)
  })

  it('writes to the buffers that it is given, and asks for one when there is something to write', () => {
    const given: Uint8Array[] = []
    const writer = new ByteWriter((size) => {
      given.push(new Uint8Array(size))
      return given.at(-1)!
    })
    expect(writer.take()).toHaveLength(0)
    expect(given).toHaveLength(0)
    writer.text('x')
    expect(writer.take().buffer).toBe(given[0]!.buffer)
    expect(given).toHaveLength(1)
    writer.text('y')
    expect(writer.take().buffer).toBe(given[1]!.buffer)
  })
})

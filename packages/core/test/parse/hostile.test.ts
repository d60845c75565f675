import { parseOpenMetrics, parseProtobuf, parseText } from '@narthex/core/parse'
import { describe, expect, it } from 'vitest'
import { refusalOf } from './refusal.ts'

/**
 * Pages that would take minutes, or the whole heap, of a parser that is not linear: at these sizes anything quadratic
 * runs into the tests' time limit.
 */
const MANY = 100_000

const labels = (name: (index: number) => string): string =>
  Array.from({ length: MANY }, (_, index) => `${name(index)}="v"`).join(',')
const lines = (line: (index: number) => string): string =>
  Array.from({ length: MANY }, (_, index) => line(index)).join('')

describe('a hostile page', () => {
  it.each(['{', '}', '"', '\\', '#', '# ', 'a', '1', ' ', ',', '=', '# HELP ', 'a{', 'a{b="', '\u0000'])(
    'of nothing but %j is refused or ignored at once',
    (piece) => {
      const page = piece.repeat(1_000_000)
      expect(refusalOf(() => parseText(page)).message.length).toBeLessThan(200)
      expect(refusalOf(() => parseOpenMetrics(page)).message.length).toBeLessThan(200)
    },
  )

  it('of nothing but line feeds is empty', () => {
    expect(parseText('\n'.repeat(1_000_000))).toEqual([])
  })

  it('with many labels in a line is read', () => {
    const page = `a{${labels((index) => `l${index}`)}} 1\n`
    expect(Object.keys([...(parseText(page)[0]?.series ?? [])][0]?.labels ?? {})).toHaveLength(MANY)
    expect(parseOpenMetrics(`${page}# EOF\n`)).toHaveLength(1)
  })

  it('with many labels in a line, the last twice, is refused', () => {
    const page = `a{${labels((index) => `l${index}`)},l0="v"} 1\n`
    expect(refusalOf(() => parseText(page)).message).toContain('expected each label once')
  })

  it('with many labels in falling order, line after line, is read', () => {
    const line = (quantile: string): string => `a{${labels((index) => `l${MANY - index}`)},quantile="${quantile}"} 1\n`
    const page = `# TYPE a summary\n${line('0.1')}a{x="y",quantile="0.5"} 1\n${line('0.9')}`
    expect(parseText(page)[0]?.series).toHaveLength(2)
  })

  it('with labels called like array indices is read', () => {
    expect(parseText(`{"a",${labels((index) => `"${index * 4000}"`)}} 1\n`)).toHaveLength(1)
  })

  it('with long escapes is read', () => {
    const [family] = parseText(`# HELP a ${'\\n'.repeat(500_000)}\na{b="${'\\\\'.repeat(500_000)}"} 1\n`)
    expect(family?.help).toHaveLength(500_000)
    expect([...(family?.series ?? [])][0]?.labels['b']).toHaveLength(500_000)
  })

  it('with one metric again and again is read as text and refused as OpenMetrics', () => {
    const page = 'a 1\n'.repeat(MANY)
    expect(parseText(page)[0]?.series).toHaveLength(MANY)
    expect(refusalOf(() => parseOpenMetrics(`${page}# EOF\n`)).line).toBe(2)
  })

  it('with many families is read', () => {
    const page = lines((index) => `# TYPE a${index} histogram\n`)
    expect(parseOpenMetrics(`${page}# EOF\n`)).toHaveLength(MANY)
    expect(parseText(lines((index) => `a${index}_count 1\n`))).toHaveLength(MANY)
  })

  it('with one bucket again and again, or in falling order, is read', () => {
    const again = '# TYPE a histogram\n' + 'a_bucket{le="1"} 1\n'.repeat(MANY)
    expect(parseText(again)[0]?.series).toHaveLength(MANY)
    const falling = `# TYPE a histogram\n${lines((index) => `a_bucket{le="${MANY - index}"} 1\n`)}`
    expect(parseText(falling)[0]?.series).toHaveLength(1)
  })

  it('with a number of millions of digits is read or refused', () => {
    expect(parseText(`a ${'0'.repeat(500_000)}1\n`)).toMatchObject([{ series: [{ value: 1 }] }])
    expect(refusalOf(() => parseText(`a 1${'0'.repeat(500_000)}\n`)).line).toBe(1)
  })

  it('of nested groups in protobuf is refused without a deep stack', () => {
    const depth = 1_000_000
    const message = new Uint8Array(depth + 3).fill(0x1b)
    message.set([0x0a, 1, 0x61])
    const page = new Uint8Array(message.length + 4)
    for (let index = 0; index < 4; index++) {
      page[index] = ((message.length >> (7 * index)) & 0x7f) | (index < 3 ? 0x80 : 0)
    }
    page.set(message, 4)
    expect(refusalOf(() => parseProtobuf(page)).message).toContain('expected the end of a group')
  })
})

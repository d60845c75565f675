import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { formatCount, formatSeconds, formatShare, paintFor, renderTable } from '../src/table.ts'

describe('A table', () => {
  it('sets its first column to the left and the others to the right', () => {
    const rows = [[{ text: 'a' }, { text: '1' }], [{ text: 'bcd' }, { text: '23' }], []]
    expect(renderTable([5, 4], rows, (_style, text) => text)).toEqual(['a       1', 'bcd    23', ''])
  })

  it('cuts what is wider than its column', () => {
    expect(renderTable([5], [[{ text: 'abcdef' }]], (_style, text) => text)).toEqual(['abcd…'])
  })

  it('paints a text and not the room around it', () => {
    const rows = [[{ text: 'a' }, { text: '1', style: 'red' as const }]]
    expect(renderTable([3, 3], rows, (style, text) => `<${style}>${text}`)).toEqual(['a    <red>1'])
  })

  it('is painted on a stream with colours only', () => {
    const terminal = (hasColors: boolean): NodeJS.WritableStream =>
      Object.assign(new PassThrough(), { hasColors: () => hasColors })
    expect(paintFor(new PassThrough())('red', 'x')).toBe('x')
    expect(paintFor(terminal(false))('red', 'x')).toBe('x')
    expect(paintFor(terminal(true))('red', 'x')).toBe('\u001B[31mx\u001B[39m')
  })

  it('spells numbers for people', () => {
    expect([formatCount(1234), formatCount(12.345, 1)]).toEqual(['1,234', '12.3'])
    expect([NaN, 0, 0.025, 1].map(formatShare)).toEqual(['–', '0%', '2.5%', '100.0%'])
    expect([NaN, 0.00085, 0.0042, 0.0999, 0.31, 0.9999, 1.239].map(formatSeconds)).toEqual([
      '–',
      '850 µs',
      '4.2 ms',
      '100 ms',
      '310 ms',
      '1.00 s',
      '1.24 s',
    ])
  })
})

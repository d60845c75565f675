import { describe, expect, it } from 'vitest'
import { negotiateEncoding } from '../../src/exposition/negotiate-encoding.ts'

const OFFERED = ['zstd', 'br', 'gzip'] as const

describe('negotiateEncoding()', () => {
  it.each([
    [undefined, 'identity'],
    [null, 'identity'],
    ['', 'identity'],
    ['gzip', 'gzip'],
    ['GZip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip;q=1.0, br;q=0.9', 'gzip'],
    ['gzip;q=0', 'identity'],
    ['gzip;q=0.000', 'identity'],
    ['gzip ; Q=0', 'identity'],
    ['gzip;q=0, *', 'zstd'],
    ['zstd;q=0, br;q=0, *', 'gzip'],
    ['*', 'zstd'],
    ['*;q=0', 'identity'],
    ['gzip, *;q=0', 'gzip'],
    ['identity', 'identity'],
    ['identity, gzip', 'gzip'],
    ['identity;q=1, gzip;q=0.5', 'identity'],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['identity;q=0', 'identity'],
    ['deflate', 'identity'],
    ['gzip;q=x', 'identity'],
    ['gzip;q=', 'identity'],
    ['gzip;q=2', 'identity'],
  ])('answers %j with %s', (header, encoding) => {
    expect(negotiateEncoding(header, OFFERED)).toBe(encoding)
  })

  it('never answers what is not offered', () => {
    expect(negotiateEncoding('br, gzip', ['gzip'])).toBe('gzip')
    expect(negotiateEncoding('br, gzip', [])).toBe('identity')
  })

  it.each([',', ';', '=', 'gzip,', 'gzip;q=0;'])('takes a megabyte of %j', (piece) => {
    expect(['gzip', 'identity']).toContain(negotiateEncoding(piece.repeat(1e6 / piece.length), OFFERED))
  })
})

import process from 'node:process'
import { describe, expect, it } from 'vitest'
import { fuzz } from './fuzz.ts'

const minutes = Number(process.env['NARTHEX_FUZZ_MINUTES'] ?? 0)

describe('any bytes', () => {
  it('parse or are refused with a ParseError', { timeout: minutes * 60_000 + 60_000 }, () => {
    const end = Date.now() + minutes * 60_000
    do expect(() => fuzz(600)).not.toThrow()
    while (Date.now() < end)
  })
})

import process from 'node:process'
import { describe, it } from 'vitest'
import { fuzz } from './fuzz.ts'

const minutes = Number(process.env['NARTHEX_FUZZ_MINUTES'] ?? 0)

describe('any bytes', () => {
  it('parse or are refused with a ParseError', () => fuzz(2000))

  if (minutes > 0) {
    it(`parse or are refused with a ParseError, for ${minutes} minutes`, { timeout: minutes * 60_000 + 60_000 }, () => {
      const end = Date.now() + minutes * 60_000
      while (Date.now() < end) fuzz(5000)
    })
  }
})

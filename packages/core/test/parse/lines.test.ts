import type { MetricFamily } from '@narthex/core'
import { ParseError, parseOpenMetrics, parseText } from '@narthex/core/parse'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** Few names and values, so that lines resemble one another: what the reader remembers of the line before is put to use. */
const NAME = fc.constantFrom('a', 'ab', 'a:b', 'b')
const LABEL = fc.constantFrom('l', 'lm', 'm', '"l"', '"l m"', 'le')
const VALUE = fc.constantFrom('', 'v', 'vw', '\\"', '\\\\', 'v\\n', 'é', '"', 'v"')
const LINE = fc
  .tuple(NAME, fc.array(fc.tuple(LABEL, VALUE), { maxLength: 4 }), fc.boolean(), fc.boolean())
  .map(([name, labels, quoted, bare]) => {
    const pairs = labels.map(([label, value]) => `${label}="${value}"`)
    if (bare && labels.length === 0) return `${name} 1`
    return quoted ? `{${[`"${name}"`, ...pairs].join(',')}} 1` : `${name}{${pairs.join(',')}} 1`
  })

type Parse = (page: string) => MetricFamily[]

const dialects: readonly (readonly [string, Parse, end: string])[] = [
  ['text', (page) => parseText(page), ''],
  ['lenient text', (page) => parseText(page, { lenient: true }), ''],
  ['lenient OpenMetrics', (page) => parseOpenMetrics(page, { lenient: true }), '# EOF\n'],
]

describe.each(dialects)('a line of %s', (_, parse, end) => {
  it('is read as if it stood alone, whatever the lines before', () => {
    fc.assert(
      fc.property(fc.array(LINE, { minLength: 2, maxLength: 6 }), (lines) => {
        const alone = seriesOf(
          parse,
          lines.map((line) => `${line}\n${end}`),
        )
        const together = seriesOf(parse, [`${lines.map((line) => `${line}\n`).join('')}${end}`])
        expect(together).toEqual(alone)
      }),
      { numRuns: 500 },
    )
  })
})

/** The series of all pages, sorted; `refused` where one of them is. */
function seriesOf(parse: Parse, pages: readonly string[]): string[] | 'refused' {
  try {
    return pages
      .flatMap(parse)
      .flatMap(({ name, series }) => [...series].map(({ labels }) => JSON.stringify([name, Object.entries(labels)])))
      .sort()
  } catch (error) {
    if (error instanceof ParseError) return 'refused'
    throw error
  }
}

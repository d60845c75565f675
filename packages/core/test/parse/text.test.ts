import { parseText } from '@narthex/core/parse'
import { describe, expect, it } from 'vitest'
import { TEXT_ACCEPTED, TEXT_REFUSED } from './cases.ts'
import { refusalOf } from './refusal.ts'

const NO_LABELS = {}

describe('parseText', () => {
  it.each(TEXT_ACCEPTED)('allows %s', (_, page) => {
    expect(parseText(new TextEncoder().encode(page))).toEqual(parseText(page))
  })

  it.each(TEXT_REFUSED)('refuses a page without: %s', (_, page) => {
    expect(refusalOf(() => parseText(page)).line).toBeGreaterThan(0)
  })

  it('strips the suffix of a counter, and tells of one that has none', () => {
    const series = [{ labels: NO_LABELS, value: 1 }]
    expect(parseText('# TYPE a_total counter\na_total 1\n# TYPE b counter\n# HELP b B\nb 1\n')).toEqual([
      { name: 'a', help: '', type: 'counter', series },
      { name: 'b', help: 'B', type: 'counter', totalSuffix: false, series },
    ])
  })

  it('keeps a counter called _total', () => {
    expect(parseText('# TYPE _total counter\n_total 1\n')).toMatchObject([{ name: '_total', totalSuffix: false }])
  })

  it('takes a metric without a type for one of unknown type', () => {
    expect(parseText('a 1 1500\n')).toEqual([
      { name: 'a', help: '', type: 'unknown', series: [{ labels: NO_LABELS, value: 1, timestamp: 1.5 }] },
    ])
  })

  it('puts the lines of a histogram together, wherever they stand and however their labels are ordered', () => {
    const page = [
      '# TYPE a histogram',
      'a_bucket{b="c",d="e",le="+Inf"} 3',
      'x 1',
      'a_sum{d="e",b="c"} 4',
      'a_bucket{le="1",d="e",b="c"} 2',
      'a_count{b="c",d="e"} 3 7000',
      '',
    ].join('\n')
    expect(parseText(page)[0]).toEqual({
      name: 'a',
      help: '',
      type: 'histogram',
      series: [
        {
          labels: { b: 'c', d: 'e' },
          timestamp: 7,
          count: 3,
          sum: 4,
          buckets: [
            { le: 1, count: 2 },
            { le: Infinity, count: 3 },
          ],
        },
      ],
    })
  })

  it('adds the bucket of +Inf that a page leaves to its count', () => {
    const [family] = parseText('# TYPE a histogram\na_bucket{le="1"} 2\na_count 3\n')
    expect(family?.series).toMatchObject([{ buckets: [{ le: 1 }, { le: Infinity, count: 3 }] }])
  })

  it('leaves out a count and a sum that the page leaves out', () => {
    const [family] = parseText('# TYPE a histogram\na_bucket{le="+Inf"} 2\n')
    expect(family?.series).toEqual([{ labels: NO_LABELS, buckets: [{ le: Infinity, count: 2 }] }])
  })

  it('makes an entry of each point of a series', () => {
    const [family] = parseText('# TYPE a summary\na_sum 1 1000\na_count 1 1000\na_sum 2 2000\na_count 3 2000\n')
    expect(family?.series).toEqual([
      { labels: NO_LABELS, timestamp: 1, sum: 1, count: 1, quantiles: [] },
      { labels: NO_LABELS, timestamp: 2, sum: 2, count: 3, quantiles: [] },
    ])
  })

  it('gives a sample to the family of its own name first', () => {
    const families = parseText('# TYPE a summary\n# TYPE a_sum gauge\na_sum 1\na_count 2\n')
    expect(families).toMatchObject([
      { name: 'a', type: 'summary', series: [{ count: 2 }] },
      { name: 'a_sum', type: 'gauge', series: [{ value: 1 }] },
    ])
  })

  it('leaves out families without samples, and keeps the order of the page', () => {
    const families = parseText('# HELP b B\n# HELP c C\na 1\nc 1\nb 1\n# HELP d D\n')
    expect(families.map(({ name }) => name)).toEqual(['b', 'c', 'a'])
  })

  it('leaves out labels that are empty', () => {
    expect(parseText('a{b="",c="d"} 1\n')).toMatchObject([{ series: [{ labels: { c: 'd' } }] }])
  })

  it('keeps labels called like members of objects', () => {
    const [family] = parseText('a{__proto__="b",constructor="c"} 1\n')
    const [series] = family?.series ?? []
    expect(Object.entries(series?.labels ?? {})).toEqual([
      ['__proto__', 'b'],
      ['constructor', 'c'],
    ])
  })

  it('keeps quotes and unknown escapes in help', () => {
    expect(parseText('# HELP a "b" \\n \\\\ \\" \\x \na 1\n')).toMatchObject([{ help: '"b" \n \\ \\" \\x ' }])
  })

  it('tells apart lines that share their first labels only', () => {
    const page =
      'a{b="c",d="e"} 1\na{b="c",d="f"} 2\na{b="c"} 3\na{x="y",d="e"} 4\na{b="c",d="e",f="g"} 5\na{b="c",} 6\n'
    expect([...(parseText(page)[0]?.series ?? [])].map(({ labels }) => labels)).toEqual([
      { b: 'c', d: 'e' },
      { b: 'c', d: 'f' },
      { b: 'c' },
      { x: 'y', d: 'e' },
      { b: 'c', d: 'e', f: 'g' },
      { b: 'c' },
    ])
  })

  it('reads leniently what the Prometheus server reads besides', () => {
    const page = '# TYPE a unknown\n# TYPE a gauge\n# HELP a b\n# HELP a c\na{b="\\t" c="d"} 1\n# TYPE a info\na 2'
    expect(parseText(page, { lenient: true })).toEqual([
      {
        name: 'a',
        help: 'b',
        type: 'unknown',
        series: [
          { labels: { b: '\\t', c: 'd' }, value: 1 },
          { labels: NO_LABELS, value: 2 },
        ],
      },
    ])
  })
})

describe('ParseError of a text page', () => {
  it('names the line and the column, and what stands there', () => {
    const error = refusalOf(() => parseText('a 1\nb{c="d"} blubb\n'))
    expect(error).toMatchObject({ name: 'ParseError', line: 2, column: 10, offset: undefined })
    expect(error.message).toBe('line 2, column 10: expected a number, got `blubb`')
  })

  it('quotes no more than a piece of a long line', () => {
    expect(refusalOf(() => parseText('{'.repeat(10_000))).message.length).toBeLessThan(120)
  })

  it('says where a page ends too early', () => {
    expect(refusalOf(() => parseText('a 1\nb 2')).message).toBe(
      'line 2, column 4: expected the end of the line, got the end of the page',
    )
  })

  it.each([
    ['a lone continuation byte', [0x61, 0x20, 0x31, 0x0a, 0xc3, 0xa9, 0x80], 2, 2],
    ['an overlong form', [0xc0, 0x80], 1, 1],
    ['a surrogate', [0x61, 0xed, 0xa0, 0x80], 1, 2],
    ['a sequence that ends early', [0x61, 0x62, 0xe2, 0x98], 1, 3],
    ['a code point beyond Unicode', [0xf4, 0x90, 0x80, 0x80], 1, 1],
  ])('names the place of %s', (_, bytes, line, column) => {
    expect(refusalOf(() => parseText(new Uint8Array(bytes)))).toMatchObject({ line, column })
  })

  it('names the place of a lone surrogate in a string', () => {
    expect(refusalOf(() => parseText('a 1\n\u{1f600}\ud800'))).toMatchObject({ line: 2, column: 3 })
  })
})

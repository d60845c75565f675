import { parseOpenMetrics } from '@narthex/core/parse'
import { describe, expect, it } from 'vitest'
import { OPENMETRICS_ACCEPTED, OPENMETRICS_REFUSED } from './cases.ts'
import { refusalOf } from './refusal.ts'

const lenient = { lenient: true }

describe('parseOpenMetrics', () => {
  it.each(OPENMETRICS_ACCEPTED)('allows %s', (_, page) => {
    expect(parseOpenMetrics(new TextEncoder().encode(page))).toEqual(parseOpenMetrics(page))
  })

  it.each(OPENMETRICS_REFUSED)('refuses a page against the rule: %s', (_, page) => {
    expect(refusalOf(() => parseOpenMetrics(page)).line).toBeGreaterThan(0)
  })

  it('reads every type', () => {
    const page = `# UNIT c_seconds seconds
# TYPE g gauge
g 1.5 2.25
# TYPE h histogram
# HELP h A \\"histogram\\"
h_bucket{le="1.0",x="y"} 1 # {trace_id="abc"} 0.5 7.5
h_bucket{le="+Inf",x="y"} 3
h_count{x="y"} 3
h_sum{x="y"} 12.5
h_created{x="y"} 1500000000.123
# TYPE s stateset
s{s="a",x="y"} 1
s{s="b",x="y"} 0
# TYPE i info
i_info{version="1"} 1
# EOF
`
    expect(parseOpenMetrics(page)).toEqual([
      { name: 'c_seconds', help: '', unit: 'seconds', type: 'unknown', series: [] },
      { name: 'g', help: '', type: 'gauge', series: [{ labels: {}, value: 1.5, timestamp: 2.25 }] },
      {
        name: 'h',
        help: 'A "histogram"',
        type: 'histogram',
        series: [
          {
            labels: { x: 'y' },
            count: 3,
            sum: 12.5,
            created: 1500000000.123,
            buckets: [
              { le: 1, count: 1, exemplar: { labels: { trace_id: 'abc' }, value: 0.5, timestamp: 7.5 } },
              { le: Infinity, count: 3 },
            ],
          },
        ],
      },
      {
        name: 's',
        help: '',
        type: 'stateset',
        series: [
          {
            labels: { x: 'y' },
            states: [
              { name: 'a', enabled: true },
              { name: 'b', enabled: false },
            ],
          },
        ],
      },
      { name: 'i', help: '', type: 'info', series: [{ labels: { version: '1' } }] },
    ])
  })

  it('cuts times to nanoseconds, and takes the first of lines with the same time', () => {
    const [family] = parseOpenMetrics('a 1 0.0000000000\na 2 0.0000000001\na 3 0.0000000010\n# EOF\n')
    expect(family?.series).toEqual([
      { labels: {}, timestamp: 0, value: 1 },
      { labels: {}, timestamp: 1e-9, value: 3 },
    ])
  })

  it('names the first line of what is wrong as a whole', () => {
    const error = refusalOf(() => parseOpenMetrics('# TYPE a histogram\na_bucket{le="1"} 1\nb 1\n# EOF\n'))
    expect(error.message).toBe('line 2, column 1: expected a bucket with the bound `+Inf`, got `a_bucket{le="1"} 1`')
  })
})

describe('parseOpenMetrics, lenient', () => {
  it.each(OPENMETRICS_ACCEPTED.filter(([clause]) => clause !== 'points of the same time'))(
    'reads what the specification allows in the same way: %s',
    (_, page) => expect(parseOpenMetrics(page, lenient)).toEqual(parseOpenMetrics(page)),
  )

  it('keeps lines that their type has no place for', () => {
    const page = `# TYPE i info
i{a="b"} 1
# TYPE s stateset
s{s="on"} 1
s{x="y"} 0
# TYPE c counter
c 5
# TYPE h histogram
h_bucket 1
h 2
h_count 3 # {a="b"} 1
# TYPE q summary
q 4
q_count 1
# TYPE n info
n_info{a="b"} 7
# EOF
`
    expect(parseOpenMetrics(page, lenient)).toEqual([
      { name: 'i', help: '', type: 'unknown', series: [{ labels: { a: 'b' }, value: 1 }] },
      {
        name: 's',
        help: '',
        type: 'unknown',
        series: [
          { labels: { s: 'on' }, value: 1 },
          { labels: { x: 'y' }, value: 0 },
        ],
      },
      { name: 'c', help: '', type: 'counter', totalSuffix: false, series: [{ labels: {}, value: 5 }] },
      {
        name: 'h',
        help: '',
        type: 'histogram',
        series: [{ labels: {}, count: 3, buckets: [{ le: Infinity, count: 3 }] }],
      },
      { name: 'h', help: '', type: 'unknown', series: [{ labels: {}, value: 2 }] },
      { name: 'h_bucket', help: '', type: 'unknown', series: [{ labels: {}, value: 1 }] },
      { name: 'q', help: '', type: 'summary', series: [{ labels: {}, count: 1, quantiles: [] }] },
      { name: 'q', help: '', type: 'unknown', series: [{ labels: {}, value: 4 }] },
      { name: 'n_info', help: '', type: 'unknown', series: [{ labels: { a: 'b' }, value: 7 }] },
    ])
  })

  it('puts a counter and its created time together, in either order', () => {
    const page = '# TYPE a counter\na_created{b="c"} 1\na_total 5\na_total{b="c"} 2\na_created 3\n# EOF\n'
    expect(parseOpenMetrics(page, lenient)).toMatchObject([
      {
        series: [
          { labels: { b: 'c' }, value: 2, created: 1 },
          { labels: {}, value: 5, created: 3 },
        ],
      },
    ])
  })

  it.each([
    ['no EOF', 'a 1\n'],
    ['an empty line', 'a 1\n\n# EOF\n'],
    ['two spaces', 'a  1\n# EOF\n'],
    ['a label twice', 'a{b="c",b="d"} 1\n# EOF\n'],
    ['a unit that the name does not end in', '# UNIT a b\n# EOF\n'],
    ['a time that is none', 'a 1 Inf\n# EOF\n'],
  ])('refuses %s', (_, page) => {
    expect(refusalOf(() => parseOpenMetrics(page, lenient)).line).toBeGreaterThan(0)
  })
})

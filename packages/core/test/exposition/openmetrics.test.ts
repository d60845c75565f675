import { encode, encodeStream, type EscapingScheme, type MetricFamily, openMetricsFormat } from '@narthex/core'
import { parseOpenMetrics } from '@narthex/core/parse'
import { describe, expect, it } from 'vitest'

function pageOf(family: MetricFamily, escaping: EscapingScheme = 'underscores'): string {
  const page = new TextDecoder().decode(encode([family], openMetricsFormat.withEscaping(escaping)))
  parseOpenMetrics(page)
  return page
}

const FAMILIES: readonly { title: string; family: MetricFamily; escaping?: EscapingScheme; lines: string[] }[] = [
  {
    title: 'a counter with unit, exemplar and created time',
    family: {
      name: 'a_seconds',
      help: 'say "A"\\',
      type: 'counter',
      unit: 'seconds',
      series: [
        {
          labels: { b: 'c' },
          value: 3,
          created: 1700000000.5,
          exemplar: { labels: { trace_id: 'x' }, value: 2, timestamp: 1700000001 },
        },
      ],
    },
    lines: [
      '# HELP a_seconds say \\"A\\"\\\\',
      '# TYPE a_seconds counter',
      '# UNIT a_seconds seconds',
      'a_seconds_total{b="c"} 3.0 # {trace_id="x"} 2.0 1700000001',
      'a_seconds_created{b="c"} 1700000000.5',
    ],
  },
  {
    title: 'a counter that has no _total in other formats',
    family: { name: 'a', help: '', type: 'counter', totalSuffix: false, series: [{ labels: {}, value: 1e6 }] },
    lines: ['# TYPE a counter', 'a_total 1e+06'],
  },
  {
    title: 'timestamps without an exponent, the same on each line of a series',
    family: {
      name: 'a',
      help: '',
      type: 'counter',
      series: [{ labels: {}, value: 0.25, timestamp: 1e-7, created: 1e-9 }],
    },
    lines: ['# TYPE a counter', 'a_total 0.25 0.000000100', 'a_created 0.000000001 0.000000100'],
  },
  {
    title: 'a histogram with the bucket that it implies',
    family: {
      name: 'h',
      help: '',
      type: 'histogram',
      series: [
        {
          labels: { a: '\\"\n' },
          count: 3,
          sum: 4,
          created: 5,
          buckets: [
            { le: 1, count: 1, exemplar: { labels: {}, value: 0.5 } },
            { le: 2e6, count: 2, exemplar: { labels: {}, value: 3e6 } },
          ],
        },
      ],
    },
    lines: [
      '# TYPE h histogram',
      'h_bucket{a="\\\\\\"\\n",le="1.0"} 1 # {} 0.5',
      'h_bucket{a="\\\\\\"\\n",le="2e+06"} 2',
      'h_bucket{a="\\\\\\"\\n",le="+Inf"} 3',
      'h_sum{a="\\\\\\"\\n"} 4.0',
      'h_count{a="\\\\\\"\\n"} 3',
      'h_created{a="\\\\\\"\\n"} 5',
    ],
  },
  {
    title: 'a histogram of negative values, which has no sum and count',
    family: {
      name: 'h',
      help: '',
      type: 'histogram',
      series: [{ labels: {}, count: 3, sum: 4, buckets: [{ le: -1, count: 1 }] }],
    },
    lines: ['# TYPE h histogram', 'h_bucket{le="-1.0"} 1', 'h_bucket{le="+Inf"} 3'],
  },
  {
    title: 'a native histogram without classic buckets',
    family: {
      name: 'h',
      help: '',
      type: 'histogram',
      series: [
        {
          labels: {},
          count: 2,
          sum: 3,
          buckets: [],
          native: {
            schema: 3,
            zeroThreshold: 0,
            zeroCount: 0,
            positive: { spans: [{ offset: 0, length: 1 }], deltas: [2] },
            negative: { spans: [], deltas: [] },
          },
        },
      ],
    },
    lines: ['# TYPE h histogram', 'h_bucket{le="+Inf"} 2', 'h_sum 3.0', 'h_count 2'],
  },
  {
    title: 'a gauge histogram',
    family: {
      name: 'g',
      help: '',
      type: 'gaugehistogram',
      series: [{ labels: {}, count: 2, sum: -3, created: 9, buckets: [{ le: -1, count: 1 }] }],
    },
    lines: ['# TYPE g gaugehistogram', 'g_bucket{le="-1.0"} 1', 'g_bucket{le="+Inf"} 2', 'g_gsum -3.0', 'g_gcount 2'],
  },
  {
    title: 'a summary',
    family: {
      name: 's',
      help: '',
      type: 'summary',
      series: [{ labels: { a: 'b' }, count: 2, sum: 3, created: 9, quantiles: [{ quantile: 1, value: Number.NaN }] }],
    },
    lines: [
      '# TYPE s summary',
      's{a="b",quantile="1.0"} NaN',
      's_sum{a="b"} 3.0',
      's_count{a="b"} 2',
      's_created{a="b"} 9',
    ],
  },
  {
    title: 'info and state set, which may have no unit',
    family: {
      name: 'state',
      help: '',
      type: 'stateset',
      unit: 'state',
      series: [
        {
          labels: { a: 'b' },
          states: [
            { name: 'on', enabled: true },
            { name: 'off', enabled: false },
          ],
        },
      ],
    },
    lines: ['# TYPE state stateset', 'state{a="b",state="on"} 1.0', 'state{a="b",state="off"} 0.0'],
  },
  {
    title: 'a family without series',
    family: { name: 'x', help: 'X', type: 'info', series: [] },
    lines: ['# HELP x X', '# TYPE x info'],
  },
  {
    title: 'UTF-8 names in quotes',
    family: { name: 'a.b', help: '', type: 'info', series: [{ labels: { 'c d': 'e', f: 'g' } }] },
    escaping: 'allow-utf-8',
    lines: ['# TYPE "a.b" info', '{"a.b_info","c d"="e",f="g"} 1.0'],
  },
  {
    title: 'the suffix behind an escaped name',
    family: { name: 'a.b', help: '', type: 'counter', series: [{ labels: {}, value: 1, created: 2 }] },
    escaping: 'values',
    lines: ['# TYPE U__a_2e_b_ counter', 'U__a_2e_b__total 1.0', 'U__a_2e_b__created 2'],
  },
  {
    title: 'a unit only where the name ends in it',
    family: { name: 'a', help: '', type: 'gauge', unit: 'seconds', series: [{ labels: {}, value: -0 }] },
    lines: ['# TYPE a gauge', 'a 0.0'],
  },
  {
    title: 'no exemplar where OpenMetrics has no place for one',
    family: {
      name: 'a',
      help: '',
      type: 'gauge',
      series: [{ labels: {}, value: 1, exemplar: { labels: {}, value: 1 } }],
    },
    lines: ['# TYPE a gauge', 'a 1.0'],
  },
  {
    title: 'no exemplar whose labels have more than 128 code points, 😱 being one',
    family: {
      name: 'a',
      help: '',
      type: 'counter',
      series: [
        { labels: { n: '127' }, value: 1, exemplar: { labels: { a: '😱'.repeat(127) }, value: 1 } },
        { labels: { n: '128' }, value: 1, exemplar: { labels: { a: '😱'.repeat(128) }, value: 1 } },
      ],
    },
    lines: ['# TYPE a counter', `a_total{n="127"} 1.0 # {a="${'😱'.repeat(127)}"} 1.0`, 'a_total{n="128"} 1.0'],
  },
]

describe('openMetricsFormat', () => {
  it.each(FAMILIES)('writes $title', ({ family, escaping, lines }) => {
    expect(pageOf(family, escaping)).toBe([...lines, '# EOF', ''].join('\n'))
  })

  it('names itself, and the escaping when one was chosen', () => {
    expect(openMetricsFormat.contentType).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
    expect(openMetricsFormat.withEscaping('dots').contentType).toBe(
      'application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=dots',
    )
  })

  const bucket = (le: number, count: number): { le: number; count: number } => ({ le, count })
  const UNFIT: readonly [title: string, family: MetricFamily][] = [
    ['a counter below zero', { name: 'x', help: '', type: 'counter', series: [{ labels: {}, value: -1 }] }],
    ['a counter that is NaN', { name: 'x', help: '', type: 'counter', series: [{ labels: {}, value: Number.NaN }] }],
    [
      'a timestamp that is none',
      { name: 'x', help: '', type: 'gauge', series: [{ labels: {}, value: 1, timestamp: Number.NaN }] },
    ],
    [
      'labels that escaping makes one',
      { name: 'x', help: '', type: 'gauge', series: [{ labels: { 'a.b': '1', a_b: '2' }, value: 1 }] },
    ],
    ['a label without a name', { name: 'x', help: '', type: 'gauge', series: [{ labels: { '': '1' }, value: 1 }] }],
    ['a label `__name__`', { name: 'x', help: '', type: 'gauge', series: [{ labels: { __name__: '1' }, value: 1 }] }],
    [
      'a label that the buckets have',
      { name: 'x', help: '', type: 'histogram', series: [{ labels: { le: '1' }, count: 0, sum: 0, buckets: [] }] },
    ],
    [
      'a label that the states have',
      {
        name: 'x',
        help: '',
        type: 'stateset',
        series: [{ labels: { x: '1' }, states: [{ name: 'a', enabled: true }] }],
      },
    ],
    [
      'states of one name',
      {
        name: 'x',
        help: '',
        type: 'stateset',
        series: [
          {
            labels: {},
            states: [
              { name: 'a', enabled: true },
              { name: 'a', enabled: true },
            ],
          },
        ],
      },
    ],
    [
      'states that no label can be named for',
      { name: 'x:y', help: '', type: 'stateset', series: [{ labels: {}, states: [{ name: 'a', enabled: true }] }] },
    ],
    [
      'buckets out of order',
      {
        name: 'x',
        help: '',
        type: 'histogram',
        series: [{ labels: {}, count: 2, sum: 0, buckets: [bucket(2, 1), bucket(1, 2)] }],
      },
    ],
    [
      'a bucket twice',
      {
        name: 'x',
        help: '',
        type: 'histogram',
        series: [{ labels: {}, count: 2, sum: 0, buckets: [bucket(2, 1), bucket(2, 2)] }],
      },
    ],
    [
      'a bucket for NaN',
      {
        name: 'x',
        help: '',
        type: 'histogram',
        series: [{ labels: {}, count: 2, sum: 0, buckets: [bucket(Number.NaN, 1)] }],
      },
    ],
    [
      'falling buckets',
      {
        name: 'x',
        help: '',
        type: 'histogram',
        series: [{ labels: {}, count: 2, sum: 0, buckets: [bucket(1, 2), bucket(2, 1)] }],
      },
    ],
    [
      'a count that its buckets exceed',
      { name: 'x', help: '', type: 'histogram', series: [{ labels: {}, count: 1, sum: 0, buckets: [bucket(1, 2)] }] },
    ],
    [
      'a count that +Inf differs from',
      {
        name: 'x',
        help: '',
        type: 'histogram',
        series: [{ labels: {}, count: 3, sum: 0, buckets: [bucket(Infinity, 2)] }],
      },
    ],
    [
      'fractions of observations',
      {
        name: 'x',
        help: '',
        type: 'gaugehistogram',
        series: [{ labels: {}, count: 1, sum: 0, buckets: [bucket(1, 0.5)] }],
      },
    ],
    [
      'a histogram without +Inf',
      { name: 'x', help: '', type: 'histogram', series: [{ labels: {}, buckets: [bucket(1, 2)] }] },
    ],
    [
      'a quantile above 1',
      { name: 'x', help: '', type: 'summary', series: [{ labels: {}, quantiles: [{ quantile: 1.1, value: 1 }] }] },
    ],
    [
      'a negative quantile',
      { name: 'x', help: '', type: 'summary', series: [{ labels: {}, quantiles: [{ quantile: 1, value: -1 }] }] },
    ],
    [
      'a negative sum',
      { name: 'x', help: '', type: 'summary', series: [{ labels: {}, count: 1, sum: -1, quantiles: [] }] },
    ],
    [
      'half a count',
      { name: 'x', help: '', type: 'summary', series: [{ labels: {}, count: 0.5, sum: 1, quantiles: [] }] },
    ],
  ]

  it.each(UNFIT)('leaves out a series with %s, and says so once', async (_title, unfit) => {
    const family = { ...unfit, series: [...unfit.series, ...unfit.series] } as MetricFamily
    const next: MetricFamily = { name: 'next', help: '', type: 'gauge', series: [{ labels: {}, value: 1 }] }
    const lost: string[] = []
    const onError = (error: unknown): number => lost.push((error as Error).message)
    let page = ''
    for await (const chunk of encodeStream([family, next], openMetricsFormat, { onError })) {
      page += new TextDecoder().decode(chunk)
    }
    expect(parseOpenMetrics(page).map(({ name, series }) => [name, [...series].length])).toEqual([
      [family.name, 0],
      ['next', 1],
    ])
    expect(lost).toEqual([expect.stringMatching(/^MetricFamily `x(:y)?`: expected `series` to /)])
  })

  it('keeps the good series of a family that has a bad one', () => {
    const series = [1, -1, 2].map((value, n) => ({ labels: { n: String(n) }, value }))
    expect(pageOf({ name: 'x', help: '', type: 'counter', series })).toBe(
      '# TYPE x counter\nx_total{n="0"} 1.0\nx_total{n="2"} 2.0\n# EOF\n',
    )
  })
})

it('leaves out a state set with a state that has no name, which readers would take for an absent label', () => {
  const series = [{ labels: {}, states: [{ name: '', enabled: true }] }]
  const page = new TextDecoder().decode(encode([{ name: 's', help: '', type: 'stateset', series }], openMetricsFormat))
  expect(page).toBe('# TYPE s stateset\n# EOF\n')
})

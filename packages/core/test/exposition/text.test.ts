import { encode, type MetricFamily, Registry, textFormat, textFormat1 } from '@narthex/core'
import { describe, expect, it } from 'vitest'
import { formatFloat } from '../../src/float.ts'
import { conformanceCases } from '../conformance.ts'
import { expectPromtoolAccepts } from '../promtool.ts'

function familyOf(type: string, series: object[], more: object = {}): MetricFamily {
  return { name: 'm', help: 'M', type, series, ...more } as unknown as MetricFamily
}

const pageOf = (family: MetricFamily, format = textFormat): string => Buffer.from(encode([family], format)).toString()

const CASES: [string, MetricFamily, string][] = [
  [
    'a counter',
    familyOf('counter', [{ labels: {}, value: 1 }]),
    '# HELP m_total M\n# TYPE m_total counter\nm_total 1\n',
  ],
  [
    'a counter without suffix',
    familyOf('counter', [{ labels: {}, value: 1 }], { totalSuffix: false }),
    '# HELP m M\n# TYPE m counter\nm 1\n',
  ],
  [
    'a counter without its exemplar and created time, which have no place here',
    familyOf('counter', [{ labels: {}, value: 1, created: 5, exemplar: { labels: { trace_id: 'x' }, value: 1 } }]),
    '# HELP m_total M\n# TYPE m_total counter\nm_total 1\n',
  ],
  [
    'labels in their order',
    familyOf('gauge', [{ labels: { b: '1', a: '2' }, value: 1 }]),
    '# HELP m M\n# TYPE m gauge\nm{b="1",a="2"} 1\n',
  ],
  [
    'no braces around nothing',
    familyOf('gauge', [{ labels: { a: '' }, value: 1 }]),
    '# HELP m M\n# TYPE m gauge\nm 1\n',
  ],
  ['no HELP where there is none', familyOf('gauge', [{ labels: {}, value: 1 }], { help: '' }), '# TYPE m gauge\nm 1\n'],
  ['no unit', familyOf('gauge', [{ labels: {}, value: 1 }], { unit: 'seconds' }), '# HELP m M\n# TYPE m gauge\nm 1\n'],
  [
    'in HELP only backslash and line feed escaped',
    familyOf('gauge', [{ labels: {}, value: 1 }], { help: 'a "quoted" \\ line\nnext' }),
    '# HELP m a "quoted" \\\\ line\\nnext\n# TYPE m gauge\nm 1\n',
  ],
  [
    'in label values quote, backslash and line feed escaped, and nothing else',
    familyOf('gauge', [{ labels: { a: '"\\\n\t\r\0{}=,é😱' }, value: 1 }]),
    '# HELP m M\n# TYPE m gauge\nm{a="\\"\\\\\\n\t\r\0{}=,é😱"} 1\n',
  ],
  [
    'a timestamp in milliseconds',
    familyOf('gauge', [
      { labels: {}, value: 1, timestamp: 1_700_000_000.5 },
      { labels: { a: 'x' }, value: 2, timestamp: 0 },
    ]),
    '# HELP m M\n# TYPE m gauge\nm 1 1700000000500\nm{a="x"} 2 0\n',
  ],
  [
    'each special number',
    familyOf(
      'gauge',
      [Number.NaN, Infinity, -Infinity, -0, 1e6, 999_999, 1e-5, 0.1 + 0.2, -1.5].map((value) => ({
        labels: {},
        value,
      })),
    ),
    '# HELP m M\n# TYPE m gauge\nm NaN\nm +Inf\nm -Inf\nm 0\nm 1e+06\nm 999999\nm 1e-05\nm 0.30000000000000004\nm -1.5\n',
  ],
  ['an unknown as untyped', familyOf('unknown', [{ labels: {}, value: 1 }]), '# HELP m M\n# TYPE m untyped\nm 1\n'],
  [
    'a histogram, its bounds as Go spells them',
    familyOf('histogram', [
      {
        labels: { a: 'x' },
        count: 1_234_567,
        sum: 1_756_047.3,
        buckets: [
          { le: 1e-5, count: 0 },
          { le: 1, count: 1 },
          { le: 1e6, count: 2 },
          { le: Infinity, count: 1_234_567 },
        ],
      },
    ]),
    '# HELP m M\n# TYPE m histogram\nm_bucket{a="x",le="1e-05"} 0\nm_bucket{a="x",le="1"} 1\nm_bucket{a="x",le="1e+06"} 2\n' +
      'm_bucket{a="x",le="+Inf"} 1234567\nm_sum{a="x"} 1.7560473e+06\nm_count{a="x"} 1234567\n',
  ],
  [
    "a histogram's missing +Inf bucket",
    familyOf('histogram', [{ labels: {}, count: 3, sum: 5, buckets: [{ le: 1, count: 2 }] }]),
    '# HELP m M\n# TYPE m histogram\nm_bucket{le="1"} 2\nm_bucket{le="+Inf"} 3\nm_sum 5\nm_count 3\n',
  ],
  [
    'a purely native histogram as its +Inf bucket',
    familyOf('histogram', [{ labels: { a: 'x' }, count: 3, sum: 5, buckets: [] }]),
    '# HELP m M\n# TYPE m histogram\nm_bucket{a="x",le="+Inf"} 3\nm_sum{a="x"} 5\nm_count{a="x"} 3\n',
  ],
  [
    'a gauge histogram as a histogram',
    familyOf('gaugehistogram', [{ labels: {}, count: 3, sum: -5, buckets: [{ le: Infinity, count: 3 }] }]),
    '# HELP m M\n# TYPE m histogram\nm_bucket{le="+Inf"} 3\nm_sum -5\nm_count 3\n',
  ],
  [
    'bounds that differ between series',
    familyOf('histogram', [
      {
        labels: { a: '1' },
        count: 1,
        sum: 1,
        buckets: [
          { le: 1, count: 1 },
          { le: Infinity, count: 1 },
        ],
      },
      {
        labels: { a: '2' },
        count: 1,
        sum: 1,
        buckets: [
          { le: 2, count: 1 },
          { le: Infinity, count: 1 },
        ],
      },
    ]),
    '# HELP m M\n# TYPE m histogram\nm_bucket{a="1",le="1"} 1\nm_bucket{a="1",le="+Inf"} 1\nm_sum{a="1"} 1\nm_count{a="1"} 1\n' +
      'm_bucket{a="2",le="2"} 1\nm_bucket{a="2",le="+Inf"} 1\nm_sum{a="2"} 1\nm_count{a="2"} 1\n',
  ],
  [
    'a summary',
    familyOf('summary', [
      {
        labels: { a: 'x' },
        count: 2,
        sum: 3,
        quantiles: [
          { quantile: 0.5, value: Number.NaN },
          { quantile: 1, value: 2 },
        ],
      },
    ]),
    '# HELP m M\n# TYPE m summary\nm{a="x",quantile="0.5"} NaN\nm{a="x",quantile="1"} 2\nm_sum{a="x"} 3\nm_count{a="x"} 2\n',
  ],
  [
    'an info as a gauge',
    familyOf('info', [{ labels: { version: '1' } }]),
    '# HELP m_info M\n# TYPE m_info gauge\nm_info{version="1"} 1\n',
  ],
  [
    'a state set as a gauge',
    familyOf('stateset', [
      {
        labels: { a: 'x' },
        states: [
          { name: 'of"f', enabled: false },
          { name: 'on', enabled: true },
        ],
      },
    ]),
    '# HELP m M\n# TYPE m gauge\nm{a="x",m="of\\"f"} 0\nm{a="x",m="on"} 1\n',
  ],
  ['nothing of a family without series', familyOf('gauge', []), ''],
]

describe('textFormat writes', () => {
  it.each(CASES)('%s', (_, family, page) => expect(pageOf(family)).toBe(page))
})

describe('promtool accepts', () => {
  // The linter wants help, a type and `_total`: what lacks those is written right all the same.
  const judged = CASES.filter(([, { help, type, totalSuffix }, page]) => {
    return page !== '' && type !== 'unknown' && help !== '' && totalSuffix !== false
  })
  for (const [title, family] of judged) it(`${title}`, (context) => expectPromtoolAccepts(pageOf(family), context))
})

describe('names that not every reader can spell', () => {
  const family = familyOf('counter', [{ labels: { 'straße.nr': 'x', plain: 'y' }, value: 1 }], { name: 'my.größe' })

  it.each([
    [
      'underscores',
      '# HELP my_gr__e_total M\n# TYPE my_gr__e_total counter\nmy_gr__e_total{stra_e_nr="x",plain="y"} 1\n',
    ],
    [
      'dots',
      '# HELP my_dot_gr____e__total M\n# TYPE my_dot_gr____e__total counter\nmy_dot_gr____e__total{stra__e_dot_nr="x",plain="y"} 1\n',
    ],
    [
      'values',
      '# HELP U__my_2e_gr_f6__df_e__total M\n# TYPE U__my_2e_gr_f6__df_e__total counter\n' +
        'U__my_2e_gr_f6__df_e__total{U__stra_df_e_2e_nr="x",plain="y"} 1\n',
    ],
    [
      'allow-utf-8',
      '# HELP "my.größe_total" M\n# TYPE "my.größe_total" counter\n{"my.größe_total","straße.nr"="x",plain="y"} 1\n',
    ],
  ] as const)('are written with %s', (scheme, page) => {
    expect(pageOf(family, textFormat1.withEscaping(scheme))).toBe(page)
    expect(pageOf(family, textFormat.withEscaping(scheme))).toBe(page)
  })

  it('are written with underscores unless said otherwise', () => {
    expect(pageOf(family, textFormat)).toBe(pageOf(family, textFormat1.withEscaping('underscores')))
    expect(pageOf(family, textFormat1)).toBe(pageOf(family, textFormat1.withEscaping('underscores')))
  })

  it('are escaped in quotes as label values are', () => {
    const odd = familyOf('gauge', [{ labels: { 'l"\\\n': 'x' }, value: 1 }], { name: 'n"\\\n' })
    expect(pageOf(odd, textFormat1.withEscaping('allow-utf-8'))).toContain('\n{"n\\"\\\\\\n","l\\"\\\\\\n"="x"} 1\n')
  })
})

it('names the format, and the escaping that was asked for, in its content type', () => {
  expect(textFormat.contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(textFormat.withEscaping('values').contentType).toBe(
    'text/plain; version=0.0.4; charset=utf-8; escaping=values',
  )
  expect(textFormat1.contentType).toBe('text/plain; version=1.0.0; charset=utf-8; escaping=underscores')
  expect(textFormat1.withEscaping('allow-utf-8').contentType).toBe(
    'text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8',
  )
})

describe('formatFloat()', () => {
  it.each([
    [0, '0'],
    [-0, '0'],
    [1, '1'],
    [999_999, '999999'],
    [1e6, '1e+06'],
    [1_234_567, '1.234567e+06'],
    [1e-4, '0.0001'],
    [0.000_099_9, '9.99e-05'],
    [1e21, '1e+21'],
    [1e100, '1e+100'],
    [5e-324, '5e-324'],
    [-1e6, '-1e+06'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
  ])('spells %d as Go does: %s', (value, text) => expect(formatFloat(value)).toBe(text))

  it('agrees with the conformance data', (context) => {
    const specials: Record<string, number> = { NaN: Number.NaN, '+Inf': Infinity, '-Inf': -Infinity, Inf: Infinity }
    const cases = conformanceCases<{ bits: string; prom_text: string }>('floats/float_format.json', context)
    for (const { bits, prom_text } of cases) {
      const value = specials[prom_text] ?? Buffer.from(bits, 'hex').readDoubleBE()
      expect(formatFloat(value)).toBe(prom_text)
    }
    expect(cases.length).toBeGreaterThan(50)
  })

  it('can be read back to the same number', () => {
    const digits = ['1', '1.7976931348623157', '4.9406564584124654', '9.999999999999999']
    const values = Array.from({ length: 631 }, (_, index) =>
      digits.map((text) => Number(`${text}e${index - 323}`)),
    ).flat()
    const finite = values.filter(Number.isFinite)
    expect(finite.map((value) => Number(formatFloat(value)))).toEqual(finite)
  })
})

describe('hostile label values', () => {
  const values: [string, string][] = [
    ['quotes', '"""'],
    ['backslashes', '\\\\\\'],
    ['a trailing backslash', 'x\\'],
    ['an escape that is none', '\\t\\x\\u0000'],
    ['line feeds', '\n\n'],
    ['carriage returns', '\r\n\r'],
    ['NUL', '\0'],
    ['every control character', Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join('')],
    ['lone surrogates', '\ud800 \udc00\ud800'],
    ['a byte order mark', '\ufeff'],
    ['line separators', '\u0085\u2028\u2029'],
    ['a line of its own', '"} 1\nevil_total{a="'],
    ['a comment', '\n# EOF\n# TYPE m counter\n'],
    ['__proto__', '__proto__'],
    ['constructor', 'constructor'],
    ['one megabyte', 'x'.repeat(1 << 20)],
    ['one megabyte of what is escaped', '"\\\n'.repeat(350_000)],
    ['one megabyte of four-byte characters', '😱'.repeat(1 << 18)],
  ]

  it.each(values)('of %s stay on their lines', async (_, value) => {
    const page = await pageWith(value)
    const escaped = value.toWellFormed().replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    expect(page.split('\n').filter((line) => !line.startsWith('#'))).toEqual([
      `m{a="${escaped}",constructor="${escaped}"} 1`,
      `h_bucket{a="${escaped}",le="1"} 1`,
      `h_bucket{a="${escaped}",le="+Inf"} 1`,
      `h_sum{a="${escaped}"} 1`,
      `h_count{a="${escaped}"} 1`,
      `i_info{version="${escaped}"} 1`,
      '',
    ])
  })

  for (const [title, value] of values) {
    it(`of ${title} give a page that promtool accepts`, async (context) =>
      expectPromtoolAccepts(await pageWith(value), context))
  }

  function pageWith(value: string): Promise<string> {
    const registry = new Registry()
    registry.gauge({ name: 'm', help: 'M', labelNames: ['a', 'constructor'] }).set({ a: value, constructor: value }, 1)
    registry.histogram({ name: 'h', help: 'H', labelNames: ['a'], buckets: [1] }).observe({ a: value }, 1)
    registry.info({ name: 'i', help: 'I' }).info({ version: value })
    return registry.metrics()
  }
})

it('writes the buckets of a histogram with a timestamp', () => {
  const series = [
    {
      labels: {},
      timestamp: 1.5,
      buckets: [
        { le: 1, count: 2 },
        { le: Infinity, count: 3 },
      ],
      count: 3,
      sum: 4,
    },
  ]
  const page = new TextDecoder().decode(encode([{ name: 'h', help: '', type: 'histogram', series }]))
  expect(page).toBe(
    '# TYPE h histogram\nh_bucket{le="1"} 2 1500\nh_bucket{le="+Inf"} 3 1500\nh_sum 4 1500\nh_count 3 1500\n',
  )
})

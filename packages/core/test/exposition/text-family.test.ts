import {
  encode,
  encodeStream,
  type EscapingScheme,
  type MetricFamily,
  textFormat,
  textFormat1,
  type ValueSeries,
} from '@narthex/core'
import { describe, expect, it } from 'vitest'

function pageOf(family: MetricFamily, escaping: EscapingScheme = 'underscores'): string {
  return new TextDecoder().decode(encode([family], textFormat1.withEscaping(escaping)))
}

describe('a family in text', () => {
  it('has the same labels on every line of a series', () => {
    const labels = { a: 'ä"\\\n', b: '' }
    const written = 'a="ä\\"\\\\\\n"'
    const quantiles = [
      { quantile: 0.5, value: 1 },
      { quantile: 1, value: 2 },
    ]
    expect(pageOf({ name: 's', help: '', type: 'summary', series: [{ labels, count: 2, sum: 3, quantiles }] })).toBe(
      [
        '# TYPE s summary',
        `s{${written},quantile="0.5"} 1`,
        `s{${written},quantile="1"} 2`,
        `s_sum{${written}} 3`,
        `s_count{${written}} 2`,
        '',
      ].join('\n'),
    )
  })

  it('has no line for what a parsed page left out of a histogram', () => {
    const series = [{ labels: { a: 'b' }, sum: 1, buckets: [] }]
    expect(pageOf({ name: 'h', help: '', type: 'histogram', series })).toBe('# TYPE h histogram\nh_sum{a="b"} 1\n')
  })

  const dotted: MetricFamily = {
    name: 'my.h',
    help: 'H',
    type: 'histogram',
    series: [{ labels: { 'a.b': 'c', 'd:e': 'f' }, count: 0, sum: 0, buckets: [] }],
  }

  it.each([
    ['underscores', 'my_h', 'a_b="c",d_e="f"'],
    ['dots', 'my_dot_h', 'a_dot_b="c",d__e="f"'],
    ['values', 'U__my_2e_h', 'U__a_2e_b="c",U__d_3a_e="f"'],
  ] as const)('escapes its name before the suffix with %s, and colons of labels', (scheme, name, labels) => {
    expect(pageOf(dotted, scheme)).toBe(
      [
        `# HELP ${name} H`,
        `# TYPE ${name} histogram`,
        `${name}_bucket{${labels},le="+Inf"} 0`,
        `${name}_sum{${labels}} 0`,
        `${name}_count{${labels}} 0`,
        '',
      ].join('\n'),
    )
  })

  it('quotes the names that only new readers can spell', () => {
    expect(pageOf(dotted, 'allow-utf-8')).toBe(
      [
        '# HELP "my.h" H',
        '# TYPE "my.h" histogram',
        '{"my.h_bucket","a.b"="c","d:e"="f",le="+Inf"} 0',
        '{"my.h_sum","a.b"="c","d:e"="f"} 0',
        '{"my.h_count","a.b"="c","d:e"="f"} 0',
        '',
      ].join('\n'),
    )
  })

  const good = { labels: { n: '1', a_b: '1' }, value: 1 }
  it.each<[string, MetricFamily['series']]>([
    ['labels that escaping makes one', [good, { labels: { 'a.b': '1', a_b: '2' }, value: 1 }]],
    ['a label `__name__`', [good, { labels: { __name__: 'y' }, value: 1 }]],
    ['a timestamp that is none', [good, { labels: {}, value: 1, timestamp: Infinity }]],
  ])('leaves out a series with %s, and says so', async (_title, series) => {
    const errors: string[] = []
    const onError = (error: unknown): number => errors.push((error as Error).message)
    let page = ''
    const family = { name: 'x', help: '', type: 'gauge', series } as MetricFamily
    for await (const chunk of encodeStream([family], textFormat, { onError })) page += new TextDecoder().decode(chunk)
    expect(page).toBe('# TYPE x gauge\nx{n="1",a_b="1"} 1\n')
    expect(errors).toEqual([expect.stringMatching(/^MetricFamily `x`: expected `series` to /)])
  })

  it('may have labels apart in one series that escaping makes one in another', () => {
    const series: ValueSeries[] = [
      { labels: { 'a.b': '1' }, value: 1 },
      { labels: { a_b: '2' }, value: 2 },
    ]
    expect(pageOf({ name: 'x', help: '', type: 'gauge', series })).toBe('# TYPE x gauge\nx{a_b="1"} 1\nx{a_b="2"} 2\n')
  })
})

import { Counter, Enum, Gauge, Histogram, Info, type MetricFamily, samplesOf, Summary } from '@narthex/core'
import { describe, expect, it } from 'vitest'

function familyOf(type: string, series: object[], more: object = {}): MetricFamily {
  return { name: 'm', help: 'M', type, series, ...more } as unknown as MetricFamily
}

function linesOf(family: MetricFamily): string[] {
  return [...samplesOf(family)].map(({ name, labels, value }) => `${name} ${JSON.stringify(labels)} ${value}`)
}

describe('samplesOf()', () => {
  it.each([
    ['counter', [{ labels: { a: 'x' }, value: 5 }], ['m_total {"a":"x"} 5']],
    ['gauge', [{ labels: {}, value: -5 }], ['m {} -5']],
    ['unknown', [{ labels: {}, value: Number.NaN }], ['m {} NaN']],
    [
      'histogram',
      [
        {
          labels: { a: 'x' },
          sum: 7,
          count: 3,
          buckets: [
            { le: 1, count: 1 },
            { le: 1e6, count: 2 },
            { le: Infinity, count: 3 },
          ],
        },
      ],
      [
        'm_bucket {"a":"x","le":"1"} 1',
        'm_bucket {"a":"x","le":"1e+06"} 2',
        'm_bucket {"a":"x","le":"+Inf"} 3',
        'm_sum {"a":"x"} 7',
        'm_count {"a":"x"} 3',
      ],
    ],
    [
      'gaugehistogram',
      [{ labels: {}, sum: 7, count: 3, buckets: [{ le: Infinity, count: 3 }] }],
      ['m_bucket {"le":"+Inf"} 3', 'm_gsum {} 7', 'm_gcount {} 3'],
    ],
    [
      'summary',
      [
        {
          labels: { a: 'x' },
          sum: 7,
          count: 3,
          quantiles: [
            { quantile: 0.5, value: 2 },
            { quantile: 1, value: 4 },
          ],
        },
      ],
      ['m {"a":"x","quantile":"0.5"} 2', 'm {"a":"x","quantile":"1"} 4', 'm_sum {"a":"x"} 7', 'm_count {"a":"x"} 3'],
    ],
    ['info', [{ labels: { version: '1' } }], ['m_info {"version":"1"} 1']],
    [
      'stateset',
      [
        {
          labels: { a: 'x' },
          states: [
            { name: 'off', enabled: false },
            { name: 'on', enabled: true },
          ],
        },
      ],
      ['m {"a":"x","m":"off"} 0', 'm {"a":"x","m":"on"} 1'],
    ],
  ])('gives every line of a %s', (type, series, lines) => {
    expect(linesOf(familyOf(type, series))).toEqual(lines)
  })

  it('gives a counter its bare name with totalSuffix: false', () => {
    expect(linesOf(familyOf('counter', [{ labels: {}, value: 1 }], { totalSuffix: false }))).toEqual(['m {} 1'])
  })

  it('leaves out a sum and a count that are absent', () => {
    expect(linesOf(familyOf('summary', [{ labels: {}, quantiles: [] }]))).toEqual([])
  })

  it('passes on timestamps and exemplars, and created times not', () => {
    const exemplar = { labels: { trace_id: 'x' }, value: 1 }
    const series = [{ labels: {}, value: 1, timestamp: 1.5, created: 1, exemplar }]
    expect([...samplesOf(familyOf('counter', series))]).toEqual([
      { name: 'm_total', labels: {}, value: 1, timestamp: 1.5, exemplar },
    ])
  })

  it('is lazy: nothing is read before it is asked for', () => {
    let read = 0
    const series = {
      *[Symbol.iterator]() {
        for (;;) yield { labels: {}, value: ++read }
      },
    }
    const samples = samplesOf(familyOf('gauge', series as unknown as object[]))
    expect(read).toBe(0)
    expect(samples.next().value).toMatchObject({ value: 1 })
    expect(read).toBe(1)
  })
})

it.each([
  ['counter', new Counter({ name: 'm', help: 'M', registry: null })],
  ['gauge', new Gauge({ name: 'm', help: 'M', registry: null })],
  ['histogram', new Histogram({ name: 'm', help: 'M', registry: null })],
  ['summary', new Summary({ name: 'm', help: 'M', registry: null })],
  ['info', new Info({ name: 'm', help: 'M', registry: null })],
  ['stateset', new Enum({ name: 'm', help: 'M', states: ['a'], registry: null })],
])('the family of a metric is plain, readonly and says %s', (type, metric) => {
  expect(metric.family).toMatchObject({ name: 'm', help: 'M', type })
  expect(Object.isFrozen(metric.family)).toBe(true)
  expect(Object.getPrototypeOf(metric.family)).toBe(Object.prototype)
})

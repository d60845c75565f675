import {
  CounterMetricFamily,
  GaugeHistogramMetricFamily,
  GaugeMetricFamily,
  HistogramMetricFamily,
  InfoMetricFamily,
  type MetricFamily,
  Registry,
  StateSetMetricFamily,
  SummaryMetricFamily,
  UnknownMetricFamily,
} from '@narthex/core'
import { describe, expect, it } from 'vitest'
import { caught } from './caught.ts'
import { expectPromtoolAccepts } from './promtool.ts'

async function pageOf(...families: MetricFamily[]): Promise<string> {
  const registry = new Registry()
  registry.register({ collect: () => families })
  return registry.metrics()
}

describe('a family of each type', () => {
  const families = (): MetricFamily[] => [
    new GaugeMetricFamily({ name: 'age', help: 'A', value: 7, unit: 'seconds' }),
    new CounterMetricFamily({ name: 'foo', help: 'F', labelNames: ['foo'] }).add(['bar'], 1.7).add(['baz'], 3.8),
    new UnknownMetricFamily({ name: 'odd', help: 'O', value: -1 }),
    new HistogramMetricFamily({ name: 'sizes', help: 'S' }).add(
      {},
      { buckets: [{ le: 1, count: 2 }], sum: 9, count: 3 },
    ),
    new GaugeHistogramMetricFamily({ name: 'ages', help: 'A' }).add([], {
      buckets: [{ le: Infinity, count: 3 }],
      sum: 9,
    }),
    new SummaryMetricFamily({ name: 'lags', help: 'L', labelNames: ['a'] }).add(['x'], {
      count: 2,
      sum: 5,
      quantiles: [{ quantile: 0.5, value: 1 }],
    }),
    new InfoMetricFamily({ name: 'build', help: 'B' }).add({}, { version: '1.2.3', cores: 4 }),
    new StateSetMetricFamily({ name: 'phase', help: 'P' }).add({ a: 'x' }, { off: false, on: true }),
  ]

  it('is written as its kind', async () => {
    expect(await pageOf(...families())).toBe(
      [
        '# HELP age_seconds A\n# TYPE age_seconds gauge\nage_seconds 7',
        '# HELP foo_total F\n# TYPE foo_total counter\nfoo_total{foo="bar"} 1.7\nfoo_total{foo="baz"} 3.8',
        '# HELP odd O\n# TYPE odd untyped\nodd -1',
        '# HELP sizes S\n# TYPE sizes histogram\nsizes_bucket{le="1"} 2\nsizes_bucket{le="+Inf"} 3\nsizes_sum 9\nsizes_count 3',
        '# HELP ages A\n# TYPE ages histogram\nages_bucket{le="+Inf"} 3\nages_sum 9\nages_count 3',
        '# HELP lags L\n# TYPE lags summary\nlags{a="x",quantile="0.5"} 1\nlags_sum{a="x"} 5\nlags_count{a="x"} 2',
        '# HELP build_info B\n# TYPE build_info gauge\nbuild_info{version="1.2.3",cores="4"} 1',
        '# HELP phase P\n# TYPE phase gauge\nphase{a="x",phase="off"} 0\nphase{a="x",phase="on"} 1',
        '',
      ].join('\n'),
    )
  })

  it('is accepted by promtool', async (context) => {
    expectPromtoolAccepts(await pageOf(...families().filter(({ type }) => type !== 'unknown')), context)
  })
})

describe('a name', () => {
  it.each([
    [() => new CounterMetricFamily({ name: 'a_total', help: 'A' }), 'a'],
    [() => new CounterMetricFamily({ name: 'a_total', help: 'A', totalSuffix: false }), 'a_total'],
    [() => new CounterMetricFamily({ name: 'a_total', help: 'A', unit: 'bytes' }), 'a_bytes'],
    [() => new InfoMetricFamily({ name: 'a_info', help: 'A' }), 'a'],
    [() => new GaugeMetricFamily({ name: 'a_total', help: 'A' }), 'a_total'],
    [() => new GaugeMetricFamily({ name: 'a_bytes', help: 'A', unit: 'bytes' }), 'a_bytes'],
  ])('loses the suffix of its samples and gains its unit: %s', (make, name) => {
    expect(make().name).toBe(name)
  })
})

describe('labels', () => {
  it('are values in order, or an object', async () => {
    const family = new GaugeMetricFamily({ name: 'g', help: 'G', labelNames: ['a', 'b'] })
      .add(['x', 1], 1)
      .add({ b: true, a: 'y' }, 2)
      .add({ b: 'z' }, 3)
    expect(await pageOf(family)).toContain('g{a="x",b="1"} 1\ng{b="true",a="y"} 2\ng{b="z"} 3\n')
  })

  it('may have any names where none were declared', async () => {
    const family = new GaugeMetricFamily({ name: 'g', help: 'G' }).add({ 'a.b': 'x' }, 1).add({ c: 'y' }, 2)
    expect(await pageOf(family)).toContain('g{a_b="x"} 1\ng{c="y"} 2\n')
  })

  it("leave the caller's object alone", () => {
    const labels = { a: 'x' }
    const family = new GaugeMetricFamily({ name: 'g', help: 'G' }).add(labels, 1)
    labels.a = 'y'
    expect(family.series[0]!.labels).toEqual({ a: 'x' })
  })
})

describe('refuses', () => {
  const gauge = (): GaugeMetricFamily => new GaugeMetricFamily({ name: 'g', help: 'G', labelNames: ['a'] })
  const histogram = (): HistogramMetricFamily => new HistogramMetricFamily({ name: 'h', help: 'H' })
  const summary = (): SummaryMetricFamily => new SummaryMetricFamily({ name: 's', help: 'S' })

  const misuses: [string, () => unknown, string?][] = [
    ['no options', () => new GaugeMetricFamily(undefined as never)],
    ['no name', () => new GaugeMetricFamily({ help: 'G' } as never)],
    ['no help', () => new GaugeMetricFamily({ name: 'g' } as never)],
    [
      'an unknown option',
      () => new GaugeMetricFamily({ name: 'g', help: 'G', values: 1 } as never),
      'ERR_NARTHEX_UNKNOWN_OPTION',
    ],
    ['label names in no array', () => new GaugeMetricFamily({ name: 'g', help: 'G', labelNames: 'a' as never })],
    ['a label name twice', () => new GaugeMetricFamily({ name: 'g', help: 'G', labelNames: ['a', 'a'] })],
    ['a unit that is no string', () => new GaugeMetricFamily({ name: 'g', help: 'G', unit: 5 as never })],
    ['a unit of an info', () => new InfoMetricFamily({ name: 'i', help: 'I', unit: 'seconds' })],
    ['a unit of a state set', () => new StateSetMetricFamily({ name: 'i', help: 'I', unit: 'seconds' })],
    ['a value that is no number', () => gauge().add(['x'], '5' as never)],
    ['a value option that is no number', () => new GaugeMetricFamily({ name: 'g', help: 'G', value: '5' as never })],
    ['a negative counter', () => new CounterMetricFamily({ name: 'c', help: 'C' }).add([], -1)],
    ['a NaN counter', () => new CounterMetricFamily({ name: 'c', help: 'C', value: Number.NaN })],
    ['too few values', () => gauge().add([], 1)],
    ['an unknown label', () => gauge().add({ b: 'x' }, 1)],
    ['a label without a name', () => new GaugeMetricFamily({ name: 'g', help: 'G' }).add({ '': 'x' }, 1)],
    ['labels that are none', () => gauge().add(null as never, 1)],
    ['a label value that is none', () => gauge().add([null as never], 1), 'ERR_NARTHEX_INVALID_LABEL_VALUE'],
    ['a timestamp that is no number', () => gauge().add(['x'], 1, { timestamp: 'now' as never })],
    ['a timestamp that is not finite', () => gauge().add(['x'], 1, { timestamp: Number.NaN })],
    [
      'buckets that do not increase',
      () =>
        histogram().add([], {
          buckets: [
            { le: 2, count: 1 },
            { le: 1, count: 1 },
          ],
        }),
    ],
    ['a NaN bound', () => histogram().add([], { buckets: [{ le: Number.NaN, count: 1 }] })],
    ['a bound that is no number', () => histogram().add([], { buckets: [{ le: '1' as never, count: 1 }] })],
    ['a count that is no number', () => histogram().add([], { buckets: [{ le: 1, count: '1' as never }] })],
    ['a histogram of nothing', () => histogram().add([], undefined as never)],
    ['a quantile above 1', () => summary().add([], { quantiles: [{ quantile: 2, value: 1 }] })],
    ['a quantile without a value', () => summary().add([], { quantiles: [{ quantile: 0.5 } as never] })],
    ['a summary of nothing', () => summary().add([], undefined as never)],
    ['a fact that is a label too', () => new InfoMetricFamily({ name: 'i', help: 'I' }).add({ a: 'x' }, { a: 'y' })],
    ['states that are none', () => new StateSetMetricFamily({ name: 'i', help: 'I' }).add([], null as never)],
  ]
  it.each(misuses)('%s', (_, misuse, code = 'ERR_NARTHEX_INVALID_FAMILY') => {
    expect(caught(misuse).code).toBe(code)
  })

  it('a wrong series without a trace of it', () => {
    const family = gauge().add(['x'], 1)
    expect(() => family.add(['y'], '5' as never)).toThrow('GaugeMetricFamily `g`: expected `value` to be a number')
    expect(family.series).toHaveLength(1)
  })
})

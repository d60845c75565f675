import {
  encode,
  Histogram,
  type HistogramSeries,
  type MetricFamily,
  openMetricsFormat,
  protobufFormat,
  Registry,
} from '@narthex/core'
import { parseOpenMetrics, parseProtobuf, parseText } from '@narthex/core/parse'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HistogramChild, HistogramLayout } from '../../src/metrics/histogram-child.ts'
import { caught } from '../caught.ts'
import { expectPromtoolAccepts } from '../promtool.ts'

const NOT_AN_OBSERVATION = [Number.NaN, -1, -Infinity, '5', '', null, true, 1n, [[]], undefined, Symbol('s')]

function snapshotOf(histogram: Histogram): { count?: number; sum?: number; buckets: number[] } {
  const [series] = [...histogram.family.series] as unknown as [
    { count: number; sum: number; buckets: { count: number }[] },
  ]
  return { count: series.count, sum: series.sum, buckets: series.buckets.map(({ count }) => count) }
}

describe('observe()', () => {
  it('counts a value in the bucket whose bound includes it, cumulatively', () => {
    const histogram = new Histogram({ name: 'h', help: 'H', buckets: [1, 2, 5], registry: null })
    for (const value of [0, 1, 1.5, 2, 5, 6]) histogram.observe(value)
    expect(snapshotOf(histogram)).toEqual({ count: 6, sum: 15.5, buckets: [2, 4, 5, 6] })
  })

  it('counts in the series of the labels', async () => {
    const registry = new Registry()
    const histogram = new Histogram({ name: 'h', help: 'H', labelNames: ['a'], buckets: [1], registry })
    histogram.observe({ a: 'x' }, 0.5)
    histogram.labels({ a: 'x' }).observe(2)
    histogram.labels('x').observe(3)
    expect(registry.getSampleValue('h_bucket', { a: 'x', le: '1' })).toBe(1)
    expect(registry.getSampleValue('h_bucket', { a: 'x', le: '+Inf' })).toBe(3)
    expect(registry.getSampleValue('h_sum', { a: 'x' })).toBe(5.5)
    expect(registry.getSampleValue('h_count', { a: 'x' })).toBe(3)
  })

  it('counts Infinity', () => {
    const histogram = new Histogram({ name: 'h', help: 'H', buckets: [1], registry: null })
    histogram.observe(Infinity)
    expect(snapshotOf(histogram)).toEqual({ count: 1, sum: Infinity, buckets: [0, 1] })
  })

  it('counts negatives and -Infinity where a bucket is negative', () => {
    const histogram = new Histogram({ name: 'h', help: 'H', buckets: [-1, 1], registry: null })
    histogram.observe(-2)
    histogram.observe(0)
    expect(snapshotOf(histogram)).toEqual({ count: 2, sum: -2, buckets: [1, 2, 2] })
    histogram.observe(-Infinity)
    expect(snapshotOf(histogram)).toEqual({ count: 3, sum: -Infinity, buckets: [2, 3, 3] })
    expect(caught(() => histogram.observe(Number.NaN)).code).toBe('ERR_NARTHEX_INVALID_VALUE')
  })

  it.each(NOT_AN_OBSERVATION)('refuses %s and changes nothing', (value) => {
    const histogram = new Histogram({ name: 'h', help: 'H', buckets: [1], registry: null })
    histogram.observe(1)
    const before = snapshotOf(histogram)
    const error = caught(() => histogram.labels().observe(value as number))
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_VALUE', metric: 'h', argument: 'value', value })
    expect(snapshotOf(histogram)).toEqual(before)
  })

  it.each(NOT_AN_OBSERVATION)('refuses %s for labels not seen before, and makes no series', (value) => {
    const histogram = new Histogram({ name: 'h', help: 'H', labelNames: ['a'], registry: null })
    expect(caught(() => histogram.observe({ a: 'x' }, value as number)).code).toBe('ERR_NARTHEX_INVALID_VALUE')
    expect([...histogram.family.series]).toEqual([])
  })

  it('says what it expected, and what it got', () => {
    const histogram = new Histogram({ name: 'h', help: 'H', registry: null })
    expect(caught(() => histogram.observe(-1)).message).toBe(
      'Histogram `h`: expected `value` to be a number >= 0, got `-1` (number)',
    )
  })
})

describe('buckets', () => {
  const refused: [string, unknown][] = [
    ['unsorted', [2, 1]],
    ['duplicate', [1, 1]],
    ['NaN', [1, Number.NaN]],
    ['strings', ['1', '2']],
    ['-Infinity', [-Infinity, 1]],
    ['an Infinity that is not the last', [Infinity, 1]],
    ['two Infinities', [1, Infinity, Infinity]],
    ['none', []],
    ['no array', 5],
    ['holes', Array.from({ length: 2 })],
    ['a typed array', new Float64Array([1, 2])],
  ]
  it.each(refused)('are refused: %s', async (_, buckets) => {
    const registry = new Registry()
    const error = caught(() => new Histogram({ name: 'h', help: 'H', buckets: buckets as number[], registry }))
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_BUCKETS', metric: 'h', argument: 'buckets' })
    expect(await registry.metrics()).toBe('')
  })

  it('are by default those that client libraries agree on', async () => {
    const registry = new Registry()
    new Histogram({ name: 'h', help: 'H', registry })
    const bounds = [...(await registry.metrics()).matchAll(/le="([^"]*)"/g)].map(([, bound]) => bound)
    expect(bounds.join(' ')).toBe('0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf')
  })

  it('take a trailing Infinity, which is implied', () => {
    const histogram = new Histogram({ name: 'h', help: 'H', buckets: [1, Infinity], registry: null })
    histogram.observe(3)
    expect(snapshotOf(histogram).buckets).toEqual([0, 1])
  })

  it("leave the caller's array as it is, and do not see its changes", () => {
    const buckets = [1, 2, Infinity]
    const histogram = new Histogram({ name: 'h', help: 'H', buckets, registry: null })
    expect(buckets).toEqual([1, 2, Infinity])
    expect(Object.isFrozen(buckets)).toBe(false)
    buckets[0] = 100
    histogram.observe(1.5)
    expect(snapshotOf(histogram).buckets).toEqual([0, 1, 1])
  })
})

it('refuses the label `le`, which its own lines carry', () => {
  const error = caught(() => new Histogram({ name: 'h', help: 'H', labelNames: ['le'], registry: null }))
  expect(error.code).toBe('ERR_NARTHEX_INVALID_LABEL_NAME')
})

it('keeps held children attached through reset()', () => {
  const histogram = new Histogram({ name: 'h', help: 'H', labelNames: ['a'], buckets: [1], registry: null })
  const held = histogram.labels('x')
  held.observe(1)
  histogram.reset()
  expect([...histogram.family.series]).toMatchObject([{ count: 0, sum: 0, buckets: [{ count: 0 }, { count: 0 }] }])
  held.observe(1)
  expect([...histogram.family.series]).toMatchObject([{ count: 1, sum: 1 }])
})

describe('startTimer() and time()', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('observe seconds', async () => {
    const histogram = new Histogram({ name: 'h', help: 'H', buckets: [1], registry: null })
    const end = histogram.startTimer()
    vi.advanceTimersByTime(250)
    expect(end()).toBe(0.25)
    histogram.time(() => void vi.advanceTimersByTime(500))()
    const call = histogram.time(() => new Promise((resolve) => void setTimeout(resolve, 3000)))()
    await vi.advanceTimersByTimeAsync(3000)
    await call
    expect(snapshotOf(histogram)).toEqual({ count: 3, sum: 3.75, buckets: [2, 3] })
  })

  it('join labels of the start with those of the end', () => {
    const histogram = new Histogram({ name: 'h', help: 'H', labelNames: ['method', 'code'], registry: null })
    const end = histogram.startTimer({ method: 'GET' })
    end({ code: 200 })
    expect([...histogram.family.series]).toMatchObject([{ labels: { method: 'GET', code: '200' }, count: 1 }])
  })
})

it('counts on past 32 bits', () => {
  const layout = new HistogramLayout('h', [1], 0, { source: undefined } as never)
  layout.claim()
  const child = new HistogramChild({}, layout)
  const [block] = layout.claim()
  block.counts[0] = 0xffff_ffff
  for (const value of [0.5, 0.5, 2]) child.observe(value)
  expect(child.snapshot()).toMatchObject({
    count: 2 ** 32 + 2,
    buckets: [{ count: 2 ** 32 + 1 }, { count: 2 ** 32 + 2 }],
  })
  child.zero()
  expect(child.snapshot()).toMatchObject({ count: 0, sum: 0 })
})

describe('setBuckets()', () => {
  const create = (registry: Registry, options: object = {}): Histogram<'route' | 'code'> =>
    new Histogram({ name: 'h', help: 'H', labelNames: ['route', 'code'], buckets: [1, 2], registry, ...options })

  it('gives the series with these labels buckets of their own, on every kind of page', async (context) => {
    const registry = new Registry()
    const histogram = create(registry)
    histogram.setBuckets({ route: '/slow' }, [10, 60, Infinity])
    for (const code of [200, 500]) histogram.observe({ route: '/slow', code }, 30)
    histogram.observe({ route: '/quick', code: 200 }, 1.5)
    const page = await registry.metrics()
    expect(page).toBe(
      [
        '# HELP h H',
        '# TYPE h histogram',
        ...['200', '500'].flatMap((code) => [
          `h_bucket{route="/slow",code="${code}",le="10"} 0`,
          `h_bucket{route="/slow",code="${code}",le="60"} 1`,
          `h_bucket{route="/slow",code="${code}",le="+Inf"} 1`,
          `h_sum{route="/slow",code="${code}"} 30`,
          `h_count{route="/slow",code="${code}"} 1`,
        ]),
        'h_bucket{route="/quick",code="200",le="1"} 0',
        'h_bucket{route="/quick",code="200",le="2"} 1',
        'h_bucket{route="/quick",code="200",le="+Inf"} 1',
        'h_sum{route="/quick",code="200"} 1.5',
        'h_count{route="/quick",code="200"} 1',
        '',
      ].join('\n'),
    )
    expectPromtoolAccepts(page, context)
    const counts = (families: readonly MetricFamily[]): unknown =>
      families.flatMap(({ series }) => [...(series as Iterable<HistogramSeries>)].map(({ buckets }) => buckets))
    const expected = counts([histogram.family])
    expect(counts(parseText(page))).toEqual(expected)
    expect(counts(parseOpenMetrics(await registry.metrics(openMetricsFormat)))).toEqual(expected)
    expect(counts(parseProtobuf(encode([histogram.family], protobufFormat)))).toEqual(expected)
  })

  it('leaves series as they are that are there already, until they are made anew', () => {
    const histogram = create(new Registry())
    const boundsOf = (): number[][] =>
      [...(histogram.family.series as Iterable<HistogramSeries>)].map(({ buckets }) => buckets.map(({ le }) => le))
    histogram.observe({ route: '/slow', code: 200 }, 1)
    histogram.setBuckets({ route: '/slow' }, [10])
    histogram.reset()
    expect(boundsOf()).toEqual([[1, 2, Infinity]])
    histogram.remove({ route: '/slow', code: 200 })
    histogram.init({ route: '/slow', code: 200 })
    expect(boundsOf()).toEqual([[10, Infinity]])
  })

  it('takes the first of several layouts that fit, and an empty value for an absent label', () => {
    const histogram = create(new Registry())
    histogram.setBuckets({ route: '/slow', code: 500 }, [5])
    histogram.setBuckets({ route: '/slow' }, [10])
    histogram.setBuckets({ code: '' }, [7])
    for (const code of [500, 200]) histogram.init({ route: '/slow', code })
    histogram.init({ route: '/x', code: '' })
    const first = [...(histogram.family.series as Iterable<HistogramSeries>)].map(({ buckets }) => buckets[0]?.le)
    expect(first).toEqual([5, 10, 7])
  })

  it('shows classic buckets beside the native ones of those series only', () => {
    const histogram = create(new Registry(), { buckets: undefined, native: { factor: 1.1 } })
    histogram.setBuckets({ route: '/slow' }, [10])
    for (const route of ['/slow', '/quick']) histogram.observe({ route, code: 200 }, 3)
    expect([...histogram.family.series]).toMatchObject([
      { buckets: [{ le: 10, count: 1 }, { count: 1 }], native: { schema: 3 } },
      { buckets: [], native: { schema: 3 } },
    ])
  })

  it('does not make two definitions differ', () => {
    const registry = new Registry()
    const define = (): Histogram<'a'> => registry.histogram({ name: 'h', help: 'H', labelNames: ['a'], buckets: [1] })
    const histogram = define()
    histogram.setBuckets({ a: 'x' }, [2])
    expect(define()).toBe(histogram)
  })

  it('accepts the same once more, and refuses what cannot be', () => {
    const histogram = create(new Registry())
    histogram.setBuckets({ route: '/slow' }, [10, 60])
    histogram.setBuckets({ route: '/slow' }, [10, 60, Infinity])
    const codeOf = (labels: object, buckets: unknown): string =>
      caught(() => histogram.setBuckets(labels, buckets as number[])).code
    expect(codeOf({ route: '/slow' }, [10])).toBe('ERR_NARTHEX_DEFINITION_DIFFERS')
    expect(codeOf({ route: '/x' }, [2, 1])).toBe('ERR_NARTHEX_INVALID_BUCKETS')
    expect(codeOf({ route: '/x' }, [-1, 1])).toBe('ERR_NARTHEX_INVALID_BUCKETS')
    expect(codeOf({ route: '/x' }, '1,2')).toBe('ERR_NARTHEX_INVALID_BUCKETS')
    expect(codeOf({ path: '/x' }, [1])).toBe('ERR_NARTHEX_INVALID_LABELS')
    histogram.init({ route: '/x', code: 200 })
    expect([...histogram.family.series]).toMatchObject([{ buckets: [{ le: 1 }, { le: 2 }, { le: Infinity }] }])
  })
})

import { Histogram, type HistogramSeries, type NativeHistogramOptions, Registry, textFormat } from '@narthex/core'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BucketSchema, schemaForFactor } from '../../src/metrics/bucket-schema.ts'
import { SparseCounts } from '../../src/metrics/sparse-counts.ts'
import { caught } from '../caught.ts'
import { conformanceCases } from '../conformance.ts'

const START = 1_700_000_000_000
const SCHEMAS = [-4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8]

beforeEach(() => {
  vi.useFakeTimers({ now: START })
})

afterEach(() => {
  vi.useRealTimers()
})

function nativeOf(histogram: Histogram): NonNullable<HistogramSeries['native']> {
  return seriesOf(histogram).native as NonNullable<HistogramSeries['native']>
}

function seriesOf(histogram: Histogram): HistogramSeries {
  const [series] = histogram.family.series
  return series as HistogramSeries
}

function native(options: NativeHistogramOptions): Histogram {
  return new Histogram({ name: 'h', help: 'H', native: options, registry: null })
}

/** Counts by bucket, the empty ones of the encoding left out. */
function countsOf({
  spans,
  deltas,
}: {
  spans: readonly { offset: number; length: number }[]
  deltas: readonly number[]
}) {
  const counts = new Map<number, number>()
  let key = 0
  let index = 0
  let count = 0
  for (const { offset, length } of spans) {
    key += offset
    for (const end = key + length; key < end; key++) {
      count += deltas[index++] as number
      if (count !== 0) counts.set(key, count)
    }
  }
  expect(index).toBe(deltas.length)
  return counts
}

/** The next double above a positive one. */
function nextAbove(value: number): number {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  view.setBigUint64(0, view.getBigUint64(0) + 1n)
  return view.getFloat64(0)
}

interface Case {
  readonly name: string
  readonly observations?: readonly (number | string)[]
  readonly factor: number
  readonly zero_threshold?: number
  readonly max_buckets?: number
  readonly max_zero_threshold?: number
  readonly min_reset_duration?: number
  readonly want: Record<string, unknown> & { bucket?: unknown; created_timestamp: { now_plus_s: number } }
}

function histogramOf(one: Case): Histogram {
  const { zero_threshold: zeroThreshold = 0 } = one
  if (one.factor <= 1) return new Histogram({ name: 'h', help: 'H', registry: null })
  return native({
    factor: one.factor,
    maxBuckets: one.max_buckets ?? 0,
    ...(zeroThreshold !== 0 && { zeroThreshold: Math.max(zeroThreshold, 0) }),
    maxZeroThreshold: one.max_zero_threshold ?? 0,
    minResetIntervalSeconds: one.min_reset_duration ?? 0,
  })
}

/** A series as the proto-JSON of io.prometheus.client.Histogram: empty repeated fields are absent, +Inf is implied. */
function protoJson(series: HistogramSeries): Record<string, unknown> {
  const { native: sparse } = series
  const sides = (['positive', 'negative'] as const).flatMap((side) => {
    const { spans, deltas } = (sparse?.[side] ?? { spans: [], deltas: [] }) as { spans: unknown[]; deltas: number[] }
    return [
      [`${side}_span`, spans],
      [`${side}_delta`, deltas],
    ]
  })
  const buckets = series.buckets.filter(({ le }) => le !== Infinity)
  return {
    sample_count: series.count,
    sample_sum: spelled(series.sum as number),
    ...(sparse && { schema: sparse.schema, zero_threshold: sparse.zeroThreshold, zero_count: sparse.zeroCount }),
    ...Object.fromEntries(sides.filter(([, list]) => (list as unknown[]).length > 0)),
    ...(buckets.length > 0 && {
      bucket: buckets.map(({ le, count }) => ({ cumulative_count: count, upper_bound: le })),
    }),
    created_timestamp: { now_plus_s: (series.created as number) - START / 1000 },
  }
}

function spelled(value: number): number | string {
  return Number.isFinite(value) ? value : value > 0 ? '+Inf' : '-Inf'
}

/** What a case gives, beside what it wants; a case with NaN, which `observe` refuses, wants that refusal. */
function outcomeOf(one: Case): { got: unknown; want: unknown } {
  vi.setSystemTime(START)
  const histogram = histogramOf(one)
  for (const [index, observation] of (one.observations ?? []).entries()) {
    vi.setSystemTime(START + (index + 1) * 60_000)
    const value = typeof observation === 'number' ? observation : Number(observation.replace('Inf', 'Infinity'))
    // client_golang counts NaN and spoils the sum; the rules that hold everywhere refuse it and change nothing.
    if (Number.isNaN(value)) {
      const before = seriesOf(histogram)
      const { code } = caught(() => histogram.observe(value))
      return { got: { code, series: seriesOf(histogram) }, want: { code: 'ERR_NARTHEX_INVALID_VALUE', series: before } }
    }
    histogram.observe(value)
  }
  const { sample_sum: sum } = one.want
  const want = { ...one.want, sample_sum: typeof sum === 'number' ? expect.closeTo(sum, 9) : sum }
  return { got: { name: one.name, ...protoJson(seriesOf(histogram)) }, want: { name: one.name, ...want } }
}

describe('conformance', () => {
  it.for(['client_golang_native_histogram', 'client_golang_const_native_histogram'])('passes %s', (file, context) => {
    for (const one of conformanceCases<Case>(`native-histogram/${file}.json`, context)) {
      const { got, want } = outcomeOf(one)
      expect(got).toEqual(want)
    }
  })

  it('has the upper bounds of client_golang', (context) => {
    type Bound = { key: number; schema: number; want: number | string }
    for (const { key, schema, want } of conformanceCases<Bound>(
      'native-histogram/client_golang_get_le.json',
      context,
    )) {
      expect([schema, key, spelled(BucketSchema.of(schema).upperBound(key))]).toEqual([schema, key, want])
    }
  })
})

describe('BucketSchema', () => {
  it('has a growth of at most the factor, and the coarsest schema with such', () => {
    const table: [factor: number, schema: number][] = [
      [1e300, -4],
      [65_536, -4],
      [65_535, -3],
      [256, -3],
      [16, -2],
      [4, -1],
      [2, 0],
      [1.999, 1],
      [1.5, 1],
      [1.2, 2],
      [1.1, 3],
      [1.05, 4],
      [1.03, 5],
      [1.02, 6],
      [1.01, 7],
      [1.005, 8],
      [1.000_000_1, 8],
    ]
    for (const [factor, schema] of table) expect([factor, schemaForFactor(factor)]).toEqual([factor, schema])
  })

  it('has, to the bit, the bounds that the Prometheus server has', () => {
    const quarters = [0, 1, 2, 3].map((key) => BucketSchema.of(2).upperBound(key))
    expect(quarters).toEqual([1, 1.189207115002721, Math.SQRT2 - Number.EPSILON, 1.6817928305074288])
    const finest = [1, 5, 128, 255].map((key) => BucketSchema.of(8).upperBound(key) / 2)
    expect(finest).toEqual([0.5013556375251013, 0.5068150424757447, 0.7071067811865475, 0.9972960560854698])
  })

  it('keeps every second bound when the resolution is halved', () => {
    for (const schema of SCHEMAS.slice(1)) {
      const fine = BucketSchema.of(schema)
      for (let key = -300; key <= 300; key++) expect(fine.coarser?.upperBound(key)).toBe(fine.upperBound(2 * key))
    }
    expect(BucketSchema.of(-4).coarser).toBeUndefined()
  })

  it.each(SCHEMAS)('puts a bound into the lower bucket and the next double into the upper one: schema %i', (schema) => {
    const buckets = BucketSchema.of(schema)
    const least = Math.ceil(-1022 * 2 ** schema)
    const last = buckets.keyOf(Number.MAX_VALUE)
    const check = (key: number): void => {
      const bound = buckets.upperBound(key)
      expect([key, buckets.keyOf(bound)]).toEqual([key, key])
      expect([key, buckets.keyOf(nextAbove(bound))]).toEqual([key, key + 1])
    }
    for (let key = -600; key <= 600; key++) if (key >= least && key <= last) check(key)
    fc.assert(fc.property(fc.integer({ min: least, max: last }), check))
    check(least)
    check(last)
  })

  it.each(SCHEMAS)('puts every positive double between the bounds of its bucket: schema %i', (schema) => {
    const buckets = BucketSchema.of(schema)
    const positive = fc.double({ min: 2 ** -1022, max: Number.MAX_VALUE, noNaN: true })
    const near = fc.double({ min: 0.001, max: 1000, noNaN: true })
    fc.assert(
      fc.property(fc.oneof(positive, near), (value) => {
        const key = buckets.keyOf(value)
        expect(value).toBeLessThanOrEqual(buckets.upperBound(key))
        expect(value).toBeGreaterThan(buckets.upperBound(key - 1))
      }),
    )
  })

  it('goes on below the least normal double', () => {
    expect(BucketSchema.of(0).keyOf(Number.MIN_VALUE)).toBe(-1074)
    expect(BucketSchema.of(0).keyOf(3 * Number.MIN_VALUE)).toBe(-1072)
    expect(BucketSchema.of(0).keyOf(4 * Number.MIN_VALUE)).toBe(-1072)
    expect(BucketSchema.of(3).keyOf(Number.MIN_VALUE)).toBe(-1074 * 8)
    expect(BucketSchema.of(3).keyOf(2 ** -1022)).toBe(-1022 * 8)
    expect(BucketSchema.of(-4).keyOf(Number.MIN_VALUE)).toBe(-67)
    expect(BucketSchema.of(0).upperBound(-1074)).toBe(Number.MIN_VALUE)
  })

  it('counts the greatest double in the last bucket and Infinity in the next', () => {
    for (const schema of SCHEMAS) {
      const buckets = BucketSchema.of(schema)
      const last = 1024 * 2 ** schema
      expect([buckets.keyOf(Number.MAX_VALUE), buckets.keyOf(Infinity)]).toEqual([last, last + 1])
      expect([buckets.upperBound(last), buckets.upperBound(last + 1)]).toEqual([Number.MAX_VALUE, Infinity])
    }
  })
})

describe('SparseCounts', () => {
  it('counts like a Map', () => {
    const step = fc.tuple(fc.integer({ min: -9000, max: 9000 }), fc.integer({ min: 1, max: 5 }))
    const commands = fc.array(fc.oneof(step, fc.tuple(fc.integer({ min: -20, max: 20 }), fc.constant(0))))
    fc.assert(
      fc.property(commands, (pairs) => {
        const counts = new SparseCounts()
        const map = new Map<number, number>()
        for (const [key, count] of pairs) {
          if (count === 0) {
            expect(counts.take(key)).toBe(map.get(key) ?? 0)
            map.delete(key)
          } else {
            expect(counts.add(key, count)).toBe(!map.has(key))
            map.set(key, (map.get(key) ?? 0) + count)
          }
        }
        expect(counts.size).toBe(map.size)
        expect(counts.entries()).toEqual([...map].sort(([a], [b]) => a - b))
      }),
    )
  })
})

describe('a native histogram', () => {
  it('counts each observation once: in the zero bucket or in that of its sign', () => {
    const values = fc.array(fc.oneof(fc.double({ noNaN: true }), fc.double({ min: -10, max: 10, noNaN: true })))
    fc.assert(
      fc.property(values, fc.double({ min: 1.001, max: 100_000, noNaN: true }), (observations, factor) => {
        const histogram = native({ factor, maxBuckets: 0, zeroThreshold: 1e-9 })
        for (const value of observations) histogram.observe(value)
        const { schema, zeroCount, zeroThreshold, positive, negative } = nativeOf(histogram)
        const buckets = BucketSchema.of(schema)
        const expected = { positive: new Map<number, number>(), negative: new Map<number, number>(), zero: 0 }
        for (const value of observations) {
          const key = Math.abs(value) <= zeroThreshold ? undefined : buckets.keyOf(Math.abs(value))
          const side = value > 0 ? expected.positive : expected.negative
          if (key === undefined) expected.zero += 1
          else side.set(key, (side.get(key) ?? 0) + 1)
        }
        expect(zeroCount).toBe(expected.zero)
        expect(countsOf(positive as never)).toEqual(new Map([...expected.positive].sort(([a], [b]) => a - b)))
        expect(countsOf(negative as never)).toEqual(new Map([...expected.negative].sort(([a], [b]) => a - b)))
        expect(seriesOf(histogram).count).toBe(observations.length)
      }),
    )
  })

  it('never has more buckets than it may, while its resolution can be halved', () => {
    const values = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { maxLength: 300 })
    fc.assert(
      fc.property(values, fc.integer({ min: 20, max: 40 }), (observations, maxBuckets) => {
        const histogram = native({ factor: 1.01, maxBuckets })
        for (const value of observations) {
          histogram.observe(value)
          expect(countsOf(nativeOf(histogram).positive as never).size).toBeLessThanOrEqual(maxBuckets)
        }
        const { schema, positive } = nativeOf(histogram)
        const expected = new Map<number, number>()
        for (const value of observations) {
          const key = BucketSchema.of(schema).keyOf(value)
          expected.set(key, (expected.get(key) ?? 0) + 1)
        }
        expect(countsOf(positive as never)).toEqual(new Map([...expected].sort(([a], [b]) => a - b)))
      }),
    )
  })

  it('stays within the coarsest schema, however many buckets there are', () => {
    const histogram = native({ factor: 2, maxBuckets: 1 })
    for (let power = -1000; power <= 1000; power += 100) histogram.observe(2 ** power)
    expect(nativeOf(histogram).schema).toBe(-4)
    expect([...countsOf(nativeOf(histogram).positive as never).values()].reduce((sum, count) => sum + count)).toBe(12)
    expect(nativeOf(histogram).zeroCount).toBe(9)
  })

  it('keeps classic buckets only where they are given', async () => {
    const registry = new Registry()
    const both = new Histogram({ name: 'both', help: 'B', native: { factor: 1.1 }, buckets: [1, 2], registry })
    const alone = new Histogram({ name: 'alone', help: 'A', native: { factor: 1.1 }, registry })
    for (const histogram of [both, alone]) for (const value of [-1, 1.5, 3]) histogram.observe(value)
    expect(seriesOf(both).buckets.map(({ count }) => count)).toEqual([1, 2, 3])
    expect(seriesOf(alone)).toMatchObject({ count: 3, sum: 3.5, buckets: [] })
    expect(nativeOf(both)).toEqual(nativeOf(alone))
    expect(await registry.metrics(textFormat)).toContain('alone_bucket{le="+Inf"} 3\nalone_sum 3.5\nalone_count 3\n')
  })

  it('says that it is native before anything is observed, with a zero threshold of 0 too', () => {
    expect(nativeOf(native({ factor: 1.1, zeroThreshold: 0 }))).toEqual({
      schema: 3,
      zeroThreshold: 0,
      zeroCount: 0,
      positive: { spans: [{ offset: 0, length: 0 }], deltas: [] },
      negative: { spans: [], deltas: [] },
    })
  })

  it('refuses NaN and what is no number, and counts the infinities and zeros of both signs', () => {
    const histogram = native({ factor: 2 })
    for (const value of [Number.NaN, '1', null, undefined, 1n]) {
      expect(caught(() => histogram.observe(value as number)).code).toBe('ERR_NARTHEX_INVALID_VALUE')
    }
    expect(seriesOf(histogram).count).toBe(0)
    for (const value of [Infinity, -Infinity, 0, -0]) histogram.observe(value)
    const { zeroCount, positive, negative } = nativeOf(histogram)
    expect([zeroCount, [...countsOf(positive as never)], [...countsOf(negative as never)]]).toEqual([
      2,
      [[1025, 1]],
      [[1025, 1]],
    ])
  })

  it('starts anew with the observation that was one bucket too many', () => {
    const histogram = new Histogram({
      name: 'h',
      help: 'H',
      buckets: [1, 100],
      native: { factor: 2, maxBuckets: 2, minResetIntervalSeconds: 60 },
      registry: null,
    })
    histogram.observe(1)
    histogram.observe(2)
    vi.setSystemTime(START + 60_000)
    histogram.observe(64, { trace_id: 'last' })
    expect(seriesOf(histogram)).toMatchObject({ count: 1, sum: 64, created: START / 1000 + 60 })
    expect(seriesOf(histogram).buckets.map(({ count, exemplar }) => [count, exemplar?.value])).toEqual([
      [0, undefined],
      [1, 64],
      [1, undefined],
    ])
    expect(nativeOf(histogram)).toMatchObject({
      schema: 0,
      positive: { spans: [{ offset: 6, length: 1 }], deltas: [1] },
    })
  })

  it('gets its resolution back when the interval is over, seen by a scrape without another observation', () => {
    const histogram = native({ factor: 2, maxBuckets: 2, maxZeroThreshold: 1, minResetIntervalSeconds: 60 })
    for (const value of [1, 8, 64, 512]) histogram.observe(value)
    expect(nativeOf(histogram)).toMatchObject({ schema: -1, zeroThreshold: 1, zeroCount: 1 })
    vi.setSystemTime(START + 59_999)
    expect(seriesOf(histogram).count).toBe(4)
    vi.setSystemTime(START + 90_000)
    expect(seriesOf(histogram)).toMatchObject({ count: 0, sum: 0, created: START / 1000 + 60 })
    expect(nativeOf(histogram)).toMatchObject({ schema: 0, zeroThreshold: 2 ** -128, zeroCount: 0 })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('goes back to the start with reset()', () => {
    const histogram = native({ factor: 2, maxBuckets: 2 })
    for (const value of [0, -1, 1, 8, 64, 512]) histogram.observe(value, { trace_id: 'x' })
    expect(nativeOf(histogram).schema).toBeLessThan(0)
    vi.setSystemTime(START + 1000)
    histogram.reset()
    expect(seriesOf(histogram)).toEqual({ ...seriesOf(native({ factor: 2 })), created: START / 1000 + 1 })
  })

  it('counts overflowing series too', () => {
    const histogram = new Histogram({
      name: 'h',
      help: 'H',
      labelNames: ['a'],
      native: { factor: 2 },
      maxSeries: 1,
      registry: null,
    })
    for (const a of ['x', 'y', 'z']) histogram.observe({ a }, 4)
    const [, overflow] = [...histogram.family.series] as HistogramSeries[]
    expect(overflow).toMatchObject({ labels: { a: '__overflow__' }, count: 2, native: { positive: { deltas: [2] } } })
  })

  it('has a definition of its own', () => {
    const registry = new Registry()
    const histogram = registry.histogram({ name: 'h', help: 'H', native: { factor: 1.1 } })
    expect(registry.histogram({ name: 'h', help: 'H', native: { factor: 1.1, maxBuckets: 160 } })).toBe(histogram)
    for (const options of [{}, { native: { factor: 2 } }, { native: { factor: 1.1 }, buckets: [Infinity] }]) {
      const error = caught(() => registry.histogram({ name: 'h', help: 'H', ...options }))
      expect(error.code).toBe('ERR_NARTHEX_DEFINITION_DIFFERS')
    }
  })

  it('refuses options that make no sense', () => {
    const table: [native: unknown, argument: string][] = [
      [true, 'native'],
      [null, 'native'],
      [{}, 'native.factor'],
      [{ factor: 1 }, 'native.factor'],
      [{ factor: Number.NaN }, 'native.factor'],
      [{ factor: Infinity }, 'native.factor'],
      [{ factor: '2' }, 'native.factor'],
      [{ factor: 2, maxBuckets: -1 }, 'native.maxBuckets'],
      [{ factor: 2, maxBuckets: 1.5 }, 'native.maxBuckets'],
      [{ factor: 2, maxBuckets: Infinity }, 'native.maxBuckets'],
      [{ factor: 2, zeroThreshold: -1 }, 'native.zeroThreshold'],
      [{ factor: 2, zeroThreshold: Infinity }, 'native.zeroThreshold'],
      [{ factor: 2, maxZeroThreshold: Number.NaN }, 'native.maxZeroThreshold'],
      [{ factor: 2, minResetIntervalSeconds: -1 }, 'native.minResetIntervalSeconds'],
      [{ factor: 2, minResetDuration: 1 }, 'minResetDuration'],
    ]
    for (const [options, argument] of table) {
      const error = caught(() => native(options as NativeHistogramOptions))
      const code = argument === 'minResetDuration' ? 'ERR_NARTHEX_UNKNOWN_OPTION' : 'ERR_NARTHEX_INVALID_OPTION'
      expect([error.code, error.argument]).toEqual([code, argument])
    }
    expect(caught(() => native({ factor: 0.5 })).message).toBe(
      'Histogram `h`: expected `native.factor` to be a finite number > 1, got `0.5` (number)',
    )
  })
})

describe('exemplars of a native histogram', () => {
  it('are at most ten, by value, each with its time', () => {
    const histogram = native({ factor: 1.1 })
    for (let index = 12; index >= 1; index--) histogram.observe(2 ** index, { trace_id: String(index) })
    const exemplars = nativeOf(histogram).exemplars ?? []
    expect(exemplars).toHaveLength(10)
    const values = exemplars.map(({ value }) => value)
    expect(values).toEqual([...values].sort((a, b) => a - b))
    for (const { timestamp } of exemplars) expect(timestamp).toBe(START / 1000)
  })

  it('lose the older one of the closest pair', () => {
    const histogram = native({ factor: 1.1 })
    const values = [1, 10, 100, 110, 1000, 1e4, 1e5, 1e6, 1e7, 1e8]
    for (const [index, value] of values.entries()) {
      vi.setSystemTime(START + index)
      histogram.observe(value, { trace_id: String(value) })
    }
    histogram.observe(1e9, { trace_id: 'new' })
    const kept = [1, 10, 110, 1000, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]
    expect(nativeOf(histogram).exemplars?.map(({ value }) => value)).toEqual(kept)
    histogram.observe(1001, { trace_id: 'closest of all' })
    const replaced = [1, 10, 110, 1001, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]
    expect(nativeOf(histogram).exemplars?.map(({ value }) => value)).toEqual(replaced)
  })

  it('lose one that is older than five minutes first', () => {
    const histogram = native({ factor: 1.1 })
    histogram.observe(50, { trace_id: 'old' })
    vi.setSystemTime(START + 300_000)
    for (let power = 1; power <= 10; power++) histogram.observe(10 ** power, { trace_id: 'young' })
    expect(nativeOf(histogram).exemplars?.some(({ value }) => value === 50)).toBe(false)
    expect(nativeOf(histogram).exemplars).toHaveLength(10)

    const expiring = native({ factor: 1.1 })
    expiring.observe(1e-9, { trace_id: 'old and far off' })
    vi.setSystemTime(START + 600_001)
    for (let power = 1; power <= 10; power++) expiring.observe(10 ** power, { trace_id: 'young' })
    expect(expiring.family.series && nativeOf(expiring).exemplars?.map(({ value }) => value)[0]).toBe(10)
  })

  it('tell signs apart, and zeros and infinities', () => {
    const histogram = native({ factor: 1.1 })
    const values = [-Infinity, -10, -1, 0, 1, 10, 100, 1000, 1e4, Infinity, 1e5, 1.01e4]
    for (const value of values) histogram.observe(value, { trace_id: String(value) })
    const kept = nativeOf(histogram).exemplars?.map(({ value }) => value) ?? []
    expect(kept).toHaveLength(10)
    for (const value of [-Infinity, 0, Infinity]) expect(kept).toContain(value)
  })
})

import { Registry, Summary } from '@narthex/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { caught } from '../caught.ts'

const NOT_AN_OBSERVATION = [Number.NaN, -1, -Infinity, '5', '', null, true, 1n, [[]], undefined, Symbol('s')]

describe('observe()', () => {
  it('adds to sum and count, and is only those without quantiles', async () => {
    const registry = new Registry()
    const summary = new Summary({ name: 's', help: 'S', registry })
    summary.observe(1)
    summary.observe(2.5)
    summary.observe(0)
    expect(await registry.metrics()).toBe('# HELP s S\n# TYPE s summary\ns_sum 3.5\ns_count 3\n')
  })

  it('adds to the series of the labels', () => {
    const registry = new Registry()
    const summary = new Summary({ name: 's', help: 'S', labelNames: ['a'], registry })
    summary.observe({ a: 'x' }, 1)
    summary.labels({ a: 'x' }).observe(2)
    summary.labels('x').observe(3)
    summary.observe({ a: 'y' }, 10)
    expect(registry.getSampleValue('s_sum', { a: 'x' })).toBe(6)
    expect(registry.getSampleValue('s_count', { a: 'x' })).toBe(3)
    expect(registry.getSampleValue('s_sum', { a: 'y' })).toBe(10)
  })

  it('counts Infinity', () => {
    const summary = new Summary({ name: 's', help: 'S', quantiles: [0.5], registry: null })
    summary.observe(Infinity)
    expect([...summary.family.series]).toMatchObject([
      { count: 1, sum: Infinity, quantiles: [{ quantile: 0.5, value: Infinity }] },
    ])
  })

  it.each(NOT_AN_OBSERVATION)('refuses %s and changes nothing', (value) => {
    const summary = new Summary({ name: 's', help: 'S', quantiles: [0.5], registry: null })
    summary.observe(1)
    const error = caught(() => summary.labels().observe(value as number))
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_VALUE', metric: 's', argument: 'value', value })
    expect([...summary.family.series]).toMatchObject([{ count: 1, sum: 1, quantiles: [{ value: 1 }] }])
  })

  it.each(NOT_AN_OBSERVATION)('refuses %s for labels not seen before, and makes no series', (value) => {
    const summary = new Summary({ name: 's', help: 'S', labelNames: ['a'], registry: null })
    expect(caught(() => summary.observe({ a: 'x' }, value as number)).code).toBe('ERR_NARTHEX_INVALID_VALUE')
    expect([...summary.family.series]).toEqual([])
  })

  it('says what it expected, and what it got', () => {
    const summary = new Summary({ name: 's', help: 'S', registry: null })
    expect(caught(() => summary.observe(-1)).message).toBe(
      'Summary `s`: expected `value` to be a number >= 0, got `-1` (number)',
    )
  })
})

describe('options', () => {
  const refused: [string, object, string, string][] = [
    ['a quantile above 1', { quantiles: [1.5] }, 'ERR_NARTHEX_INVALID_QUANTILES', 'quantiles'],
    ['a quantile below 0', { quantiles: [-0.1] }, 'ERR_NARTHEX_INVALID_QUANTILES', 'quantiles'],
    ['a NaN quantile', { quantiles: [Number.NaN] }, 'ERR_NARTHEX_INVALID_QUANTILES', 'quantiles'],
    ['a quantile as a string', { quantiles: ['0.5'] }, 'ERR_NARTHEX_INVALID_QUANTILES', 'quantiles'],
    ['a quantile twice', { quantiles: [0.5, 0.5] }, 'ERR_NARTHEX_INVALID_QUANTILES', 'quantiles'],
    ['quantiles in no array', { quantiles: 0.5 }, 'ERR_NARTHEX_INVALID_QUANTILES', 'quantiles'],
    ['maxAgeSeconds of zero', { maxAgeSeconds: 0 }, 'ERR_NARTHEX_INVALID_OPTION', 'maxAgeSeconds'],
    ['maxAgeSeconds of NaN', { maxAgeSeconds: Number.NaN }, 'ERR_NARTHEX_INVALID_OPTION', 'maxAgeSeconds'],
    ['maxAgeSeconds as a string', { maxAgeSeconds: '5' }, 'ERR_NARTHEX_INVALID_OPTION', 'maxAgeSeconds'],
    ['ageBuckets of zero', { ageBuckets: 0 }, 'ERR_NARTHEX_INVALID_OPTION', 'ageBuckets'],
    ['ageBuckets of one and a half', { ageBuckets: 1.5 }, 'ERR_NARTHEX_INVALID_OPTION', 'ageBuckets'],
    ['the option of another client', { percentiles: [0.5] }, 'ERR_NARTHEX_UNKNOWN_OPTION', 'percentiles'],
    ['the label `quantile`', { labelNames: ['quantile'] }, 'ERR_NARTHEX_INVALID_LABEL_NAME', 'labelNames'],
  ]
  it.each(refused)('refuse %s', async (_, options, code, argument) => {
    const registry = new Registry()
    expect(caught(() => new Summary({ name: 's', help: 'S', registry, ...options }))).toMatchObject({ code, argument })
    expect(await registry.metrics()).toBe('')
  })

  it("leave the caller's quantiles as they are, and expose them in order", async () => {
    const registry = new Registry()
    const quantiles = [0.99, 0, 1, 0.5]
    const summary = new Summary({ name: 's', help: 'S', quantiles, registry })
    expect(quantiles).toEqual([0.99, 0, 1, 0.5])
    expect(Object.isFrozen(quantiles)).toBe(false)
    summary.observe(1)
    const exposed = [...(await registry.metrics()).matchAll(/quantile="([^"]*)"/g)].map(([, quantile]) => quantile)
    expect(exposed).toEqual(['0', '0.5', '0.99', '1'])
  })
})

describe('quantiles', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  const quantileOf = (summary: Summary): number =>
    [...summary.family.series].map(
      (series) => (series as unknown as { quantiles: { value: number }[] }).quantiles[0]!.value,
    )[0]!

  it('are NaN before the first observation, while sum and count are 0', async () => {
    const registry = new Registry()
    new Summary({ name: 's', help: 'S', quantiles: [0.5], registry })
    expect(await registry.metrics()).toBe('# HELP s S\n# TYPE s summary\ns{quantile="0.5"} NaN\ns_sum 0\ns_count 0\n')
  })

  it('forget what is older than maxAgeSeconds; sum and count do not', () => {
    const summary = new Summary({
      name: 's',
      help: 'S',
      quantiles: [1],
      maxAgeSeconds: 60,
      ageBuckets: 6,
      registry: null,
    })
    summary.observe(100)
    vi.advanceTimersByTime(30_000)
    summary.observe(1)
    expect(quantileOf(summary)).toBe(100)
    vi.advanceTimersByTime(31_000)
    expect(quantileOf(summary)).toBe(1)
    vi.advanceTimersByTime(60_000)
    expect(quantileOf(summary)).toBeNaN()
    expect([...summary.family.series]).toMatchObject([{ count: 2, sum: 101 }])
  })

  it('keep an observation for most of maxAgeSeconds', () => {
    const summary = new Summary({
      name: 's',
      help: 'S',
      quantiles: [1],
      maxAgeSeconds: 60,
      ageBuckets: 6,
      registry: null,
    })
    summary.observe(100)
    vi.advanceTimersByTime(49_000)
    expect(quantileOf(summary)).toBe(100)
  })

  it('forget nothing where maxAgeSeconds is Infinity', () => {
    const summary = new Summary({ name: 's', help: 'S', quantiles: [1], maxAgeSeconds: Infinity, registry: null })
    summary.observe(100)
    vi.advanceTimersByTime(1e10)
    expect(quantileOf(summary)).toBe(100)
  })

  it('start anew on reset()', () => {
    const summary = new Summary({ name: 's', help: 'S', quantiles: [0.5], registry: null })
    summary.observe(100)
    summary.reset()
    expect(quantileOf(summary)).toBeNaN()
    expect([...summary.family.series]).toMatchObject([{ count: 0, sum: 0 }])
  })

  it('time() and startTimer() observe seconds', () => {
    const summary = new Summary({ name: 's', help: 'S', quantiles: [1], registry: null })
    summary.time(() => void vi.advanceTimersByTime(500))()
    expect(quantileOf(summary)).toBe(0.5)
    const end = summary.startTimer()
    vi.advanceTimersByTime(750)
    expect(end()).toBe(0.75)
    expect([...summary.family.series]).toMatchObject([{ count: 2, sum: 1.25 }])
  })
})

import { Counter, Registry } from '@narthex/core'
import { describe, expect, it, vi } from 'vitest'
import { caught } from '../caught.ts'

const NOT_AN_INCREMENT = [
  -1,
  -Number.MIN_VALUE,
  Number.NaN,
  Infinity,
  -Infinity,
  '5',
  '',
  null,
  true,
  1n,
  [[]],
  () => 1,
  Symbol('s'),
]

describe('inc()', () => {
  it('adds one, or the value', () => {
    const counter = new Counter({ name: 'c', help: 'C', registry: null })
    counter.inc()
    counter.inc(2.5)
    counter.inc(0)
    counter.inc(undefined)
    expect(counter.labels().value).toBe(4.5)
  })

  it('adds to the series of the labels', () => {
    const registry = new Registry()
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a', 'b'], registry })
    counter.inc({ a: 'x', b: 1 })
    counter.inc({ a: 'x', b: '1' }, 2)
    counter.labels({ a: 'x', b: 1 }).inc(4)
    counter.labels('x', 1).inc(8)
    counter.inc({ a: 'y', b: 1 }, 16)
    expect(registry.getSampleValue('c_total', { a: 'x', b: '1' })).toBe(15)
    expect(registry.getSampleValue('c_total', { a: 'y', b: '1' })).toBe(16)
  })

  it.each(NOT_AN_INCREMENT)('refuses %s and changes nothing', (value) => {
    const counter = new Counter({ name: 'c', help: 'C', registry: null })
    counter.inc(3)
    const child = counter.labels()
    for (const action of [() => child.inc(value as number), () => counter.labels().inc(value as number)]) {
      expect(caught(action)).toMatchObject({ code: 'ERR_NARTHEX_INVALID_VALUE', metric: 'c', argument: 'value', value })
    }
    expect(child.value).toBe(3)
  })

  it.each(NOT_AN_INCREMENT)('refuses %s for labels not seen before, and makes no series', (value) => {
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a'], registry: null })
    expect(caught(() => counter.inc({ a: 'x' }, value as number)).code).toBe('ERR_NARTHEX_INVALID_VALUE')
    expect([...counter.family.series]).toEqual([])
  })

  it('says what it expected, and what it got', () => {
    const counter = new Counter({ name: 'http_requests_total', help: 'C', registry: null })
    expect(caught(() => counter.inc(-1)).message).toBe(
      'Counter `http_requests_total`: expected `value` to be a finite number >= 0, got `-1` (number)',
    )
  })

  it('refuses a number where labels are declared', () => {
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a'], registry: null })
    expect(caught(() => (counter.inc as unknown as (value: number) => void)(5)).code).toBe('ERR_NARTHEX_INVALID_LABELS')
    expect([...counter.family.series]).toEqual([])
  })

  it('keeps an exemplar with the value observed and the time of now', () => {
    vi.useFakeTimers({ now: 1_700_000_000_500 })
    try {
      const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a'], registry: null })
      counter.inc({ a: 'x' }, 3, { trace_id: 'abc' })
      counter.labels('x').inc(2)
      const exemplar = { labels: { trace_id: 'abc' }, value: 3, timestamp: 1_700_000_000.5 }
      expect([...counter.family.series]).toMatchObject([{ value: 5, exemplar }])
    } finally {
      vi.useRealTimers()
    }
  })

  it('counts an exemplar that breaks the format, and counts on', () => {
    const registry = new Registry()
    const counter = new Counter({ name: 'c', help: 'C', registry })
    counter.inc(1, { trace_id: 'x'.repeat(200) })
    expect(counter.labels().value).toBe(1)
    expect(registry.getSampleValue('narthex_exemplars_dropped_total', { metric: 'c' })).toBe(1)
  })
})

describe('name', () => {
  it.each(['failures', 'failures_total'])('%s is exposed as failures_total', async (name) => {
    const registry = new Registry()
    const counter = new Counter({ name, help: 'F', registry })
    expect(counter.name).toBe('failures')
    expect(await registry.metrics()).toBe('# HELP failures_total F\n# TYPE failures_total counter\nfailures_total 0\n')
    expect(registry.get('failures')).toBe(counter)
    expect(registry.get('failures_total')).toBe(counter)
  })

  it('is exposed bare with totalSuffix: false', async () => {
    const registry = new Registry()
    const counter = new Counter({ name: 'failures', help: 'F', totalSuffix: false, registry })
    counter.inc()
    expect(await registry.metrics()).toBe('# HELP failures F\n# TYPE failures counter\nfailures 1\n')
    expect(counter.family.totalSuffix).toBe(false)
  })

  it('keeps a `_total` of its own with totalSuffix: false', async () => {
    const registry = new Registry()
    new Counter({ name: 'failures_total', help: 'F', totalSuffix: false, registry })
    expect(await registry.metrics()).toContain('\nfailures_total 0\n')
  })

  it('is not eaten by its own suffix', () => {
    expect(new Counter({ name: '_total', help: 'T', registry: null }).name).toBe('_total')
  })

  it('refuses a totalSuffix that is no boolean', () => {
    const error = caught(() => new Counter({ name: 'c', help: 'C', totalSuffix: 'no' as never, registry: null }))
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_OPTION', argument: 'totalSuffix' })
  })
})

it('goes back to zero and renews its created time on reset(); held children stay attached', () => {
  vi.useFakeTimers({ now: 1_000_000 })
  try {
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a'], registry: null })
    const held = counter.labels('x')
    held.inc(5, { trace_id: 'abc' })
    vi.advanceTimersByTime(2000)
    counter.reset()
    expect([...counter.family.series]).toEqual([{ labels: { a: 'x' }, value: 0, created: 1002, exemplar: undefined }])
    held.inc()
    expect([...counter.family.series]).toMatchObject([{ value: 1 }])
  } finally {
    vi.useRealTimers()
  }
})

describe('count()', () => {
  it('counts calls that return, throw, resolve and reject', async () => {
    const counter = new Counter({ name: 'c', help: 'C', registry: null })
    const call = counter.count((how: string): unknown => {
      if (how === 'throw') throw new Error(how)
      return how === 'reject' ? Promise.reject(new Error(how)) : Promise.resolve(how)
    })
    await call('resolve')
    expect(() => call('throw')).toThrow('throw')
    await expect(call('reject')).rejects.toThrow('reject')
    expect(counter.labels().value).toBe(3)
  })

  it('counts in the series of the labels', () => {
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a'], registry: null })
    counter.count({ a: 'x' }, () => 1)()
    expect(counter.labels('x').value).toBe(1)
  })

  it('refuses at once where labels are missing', () => {
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a'], registry: null })
    expect(caught(() => (counter.count as (fn: () => void) => void)(() => undefined)).code).toBe(
      'ERR_NARTHEX_INVALID_LABELS',
    )
  })
})

describe('countExceptions()', () => {
  const failing = (error: unknown) => (): never => {
    throw error
  }

  it('counts calls that throw or reject, and lets the error go on', async () => {
    const counter = new Counter({ name: 'c', help: 'C', registry: null })
    const error = new Error('no')
    expect(counter.countExceptions(() => 5)()).toBe(5)
    expect(await counter.countExceptions(async () => 6)()).toBe(6)
    expect(counter.labels().value).toBe(0)
    expect(counter.countExceptions(failing(error))).toThrow(error)
    await expect(counter.countExceptions(() => Promise.reject(error))()).rejects.toBe(error)
    expect(counter.labels().value).toBe(2)
  })

  it('counts what is thrown without being an Error', () => {
    const counter = new Counter({ name: 'c', help: 'C', registry: null })
    expect(counter.countExceptions(failing('text'))).toThrow('text')
    expect(counter.labels().value).toBe(1)
  })

  it('counts only errors of the class, subclasses included', () => {
    const counter = new Counter({ name: 'c', help: 'C', registry: null })
    class OwnError extends TypeError {}
    expect(counter.countExceptions(TypeError, failing(new RangeError('no')))).toThrow('no')
    expect(counter.countExceptions(TypeError, failing('text'))).toThrow('text')
    expect(counter.labels().value).toBe(0)
    expect(counter.countExceptions(TypeError, failing(new OwnError('no')))).toThrow('no')
    expect(counter.labels().value).toBe(1)
  })

  it('takes labels, class and function together', () => {
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a'], registry: null })
    expect(counter.countExceptions({ a: 'x' }, TypeError, failing(new TypeError('no')))).toThrow('no')
    expect(counter.countExceptions({ a: 'x' }, failing(new Error('no')))).toThrow('no')
    expect(counter.labels('x').value).toBe(2)
  })
})

it('counts single steps beside fractions, however many', () => {
  const counter = new Counter({ name: 'steps', help: 'Steps', registry: null })
  counter.inc(0.5)
  for (let step = 0; step < 200_000; step++) counter.inc()
  expect([...counter.family.series]).toMatchObject([{ value: 200_000.5 }])
})

import { Counter, Histogram, Registry } from '@narthex/core'
import { describe, expect, it } from 'vitest'
import { describeValue } from '../src/errors.ts'
import { caught } from './caught.ts'

describe('MetricError', () => {
  it('is an Error with a code and the facts', () => {
    const error = caught(() => new Counter({ name: 'c', help: 'C', registry: null }).inc(-1))
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'MetricError',
      code: 'ERR_NARTHEX_INVALID_VALUE',
      metric: 'c',
      argument: 'value',
      value: -1,
    })
    expect(error.stack).toContain('MetricError: Counter `c`')
  })

  it('says who, what was expected of what, and what came', () => {
    expect(
      caught(() => new Counter({ name: 'http_requests', help: 'H', registry: null }).inc('5' as never)).message,
    ).toBe('Counter `http_requests`: expected `value` to be a finite number >= 0, got `5` (string)')
    expect(caught(() => new Histogram({ name: 'h', help: 'H', buckets: [2, 1], registry: null })).message).toBe(
      'Histogram `h`: expected `buckets` to increase, got `[2,1]` (array)',
    )
    expect(caught(() => new Registry({ collectTimeout: -1 })).message).toBe(
      'Registry: expected `collectTimeout` to be a number of milliseconds > 0, got `-1` (number)',
    )
    expect(caught(() => new Counter({ help: 'H' } as never)).message).toBe(
      'Counter: expected `name` to be a non-empty, well-formed string, got `undefined`',
    )
  })

  it('names the options that exist where one does not', () => {
    const error = caught(() => new Counter({ name: 'c', help: 'C', registers: [], registry: null } as never))
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_UNKNOWN_OPTION', argument: 'registers', metric: 'c' })
    expect(error.message).toContain(
      'to be one of the options name, help, unit, labelNames, registry, maxSeries, collect, totalSuffix',
    )
  })

  it('does not invent a name where none was given', () => {
    expect(caught(() => new Counter({ registers: [] } as never)).message).toMatch(/^Counter: expected `registers`/)
  })

  it('carries the collector that stands in the way', () => {
    const registry = new Registry()
    const existing = registry.counter({ name: 'c', help: 'C' })
    expect(caught(() => new Counter({ name: 'c', help: 'C', registry })).existing).toBe(existing)
    expect(caught(() => registry.gauge({ name: 'c', help: 'C' })).existing).toBe(existing)
  })
})

describe('describeValue()', () => {
  class Hostile {
    toJSON(): never {
      throw new Error('no')
    }
  }
  const circular: { self?: object } = {}
  circular.self = circular

  it.each([
    [undefined, '`undefined`'],
    [null, '`null`'],
    [Number.NaN, '`NaN` (number)'],
    ['', '`` (string)'],
    [10n, '`10` (bigint)'],
    [Symbol('s'), '`Symbol(s)` (symbol)'],
    [[1, 'a'], '`[1,"a"]` (array)'],
    [{ a: 1 }, '`{"a":1}` (object)'],
    [Object.create(null), '`{}` (object)'],
    [new Hostile(), '`…` (object)'],
    [circular, '`…` (object)'],
    [{ big: 1n }, '`…` (object)'],
  ])('quotes %o', (value, expected) => {
    expect(describeValue(value)).toBe(expected)
  })

  it('cuts what is long', () => {
    const text = describeValue('x'.repeat(1_000_000))
    expect(text).toBe(`\`${'x'.repeat(117)}…\` (string)`)
  })
})

import { exponentialBuckets, exponentialBucketsRange, Histogram, linearBuckets } from '@narthex/core'
import { describe, expect, it } from 'vitest'
import { caught } from '../caught.ts'

describe('linearBuckets()', () => {
  it('gives count bounds from start on, each width above the one before', () => {
    expect(linearBuckets(0, 5, 4)).toEqual([0, 5, 10, 15])
    expect(linearBuckets(-10, 10, 3)).toEqual([-10, 0, 10])
    expect(linearBuckets(1, 1, 1)).toEqual([1])
  })

  it.each([
    ['start', [Number.NaN, 1, 1]],
    ['start', ['0', 1, 1]],
    ['width', [0, 0, 1]],
    ['width', [0, -1, 1]],
    ['width', [0, Infinity, 1]],
    ['count', [0, 1, 0]],
    ['count', [0, 1, 1.5]],
    ['count', [0, 1, '3']],
  ])('refuses a wrong %s: %j', (argument, args) => {
    const error = caught(() => linearBuckets(...(args as [number, number, number])))
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_ARGUMENT', argument })
    expect(error.message).toMatch(new RegExp(`^linearBuckets: expected \`${argument}\` to be `))
  })
})

describe('exponentialBuckets()', () => {
  it('gives count bounds from start on, each factor times the one before', () => {
    expect(exponentialBuckets(1, 2, 5)).toEqual([1, 2, 4, 8, 16])
    expect(exponentialBuckets(0.5, 10, 2)).toEqual([0.5, 5])
  })

  it.each([
    ['start', [0, 2, 3]],
    ['start', [-1, 2, 3]],
    ['factor', [1, 1, 3]],
    ['factor', [1, Number.NaN, 3]],
    ['count', [1, 2, 0]],
  ])('refuses a wrong %s: %j', (argument, args) => {
    const error = caught(() => exponentialBuckets(...(args as [number, number, number])))
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_ARGUMENT', argument })
  })
})

describe('exponentialBucketsRange()', () => {
  it('gives count bounds from min to max, both exact', () => {
    const bounds = exponentialBucketsRange(0.001, 7, 9)
    expect(bounds).toHaveLength(9)
    expect(bounds[0]).toBe(0.001)
    expect(bounds[8]).toBe(7)
    for (const [index, bound] of bounds.slice(1).entries()) {
      expect(bound / bounds[index]!).toBeCloseTo((7 / 0.001) ** (1 / 8), 9)
    }
  })

  it.each([
    ['min', [0, 1, 3]],
    ['max', [1, 1, 3]],
    ['max', [1, Infinity, 3]],
    ['count', [1, 2, 1]],
  ])('refuses a wrong %s: %j', (argument, args) => {
    const error = caught(() => exponentialBucketsRange(...(args as [number, number, number])))
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_ARGUMENT', argument })
  })
})

it('all give what a histogram takes', () => {
  for (const buckets of [
    linearBuckets(1, 1, 10),
    exponentialBuckets(1, 1.5, 20),
    exponentialBucketsRange(0.001, 60, 30),
  ]) {
    expect(() => new Histogram({ name: 'h', help: 'H', buckets, registry: null })).not.toThrow()
  }
})

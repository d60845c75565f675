import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { QuantileSketch, quantilesOf } from '../../src/metrics/quantiles.ts'

function sketchOf(values: readonly number[]): QuantileSketch {
  const sketch = new QuantileSketch()
  for (const value of values) sketch.observe(value)
  return sketch
}

/** The definition, word for word: the smallest value that at least that share of all values does not exceed. */
function exactQuantile(values: readonly number[], quantile: number): number {
  const sorted = Float64Array.from(values).toSorted()
  return sorted.find((_, index) => (index + 1) / sorted.length >= quantile) ?? Number.NaN
}

/** Half a percent, and what a double loses below its normal range. */
function expectClose(found: number, exact: number): void {
  if (found === exact) return
  expect(Math.abs(found - exact) / exact, `${found} for ${exact}`).toBeLessThan(0.005 + 1e-9)
}

const QUANTILES = [0, 0.01, 0.07, 0.25, 0.5, 0.55, 0.9, 0.99, 0.999, 1]
const NORMAL = 2 ** -1000

describe('quantilesOf()', () => {
  it('is NaN where nothing was seen', () => {
    expect(quantilesOf([new QuantileSketch()], [0, 0.5, 1])).toEqual([Number.NaN, Number.NaN, Number.NaN])
    expect(quantilesOf([], [0.5])).toEqual([Number.NaN])
  })

  it('is exact up to 256 values', () => {
    const value = fc.double({ min: 0, noNaN: true })
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 256 }), (values) => {
        const exact = QUANTILES.map((quantile) => exactQuantile(values, quantile))
        expect(quantilesOf([sketchOf(values)], QUANTILES)).toEqual(exact)
      }),
    )
  })

  it('takes the seventh of a hundred values for 0.07', () => {
    const values = Array.from({ length: 100 }, (_, index) => index + 1)
    expect(quantilesOf([sketchOf(values)], [0.07, 0.29, 0.55, 0.57])).toEqual([7, 29, 55, 57])
  })

  it('is within 0.5% of an observed value past that, whatever the values', () => {
    const value = fc.oneof(
      fc.double({ min: 0, max: 10, noNaN: true }),
      fc.double({ min: NORMAL, noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(0, 1, NORMAL, Number.MAX_VALUE, Infinity),
      fc.integer({ min: -300, max: 300 }).map((exponent) => 10 ** exponent),
    )
    fc.assert(
      fc.property(fc.array(value, { minLength: 257, maxLength: 1200 }), (drawn) => {
        const values = drawn.filter((one) => one === 0 || one >= NORMAL)
        const found = quantilesOf([sketchOf(values)], QUANTILES)
        for (const [index, quantile] of QUANTILES.entries()) expectClose(found[index]!, exactQuantile(values, quantile))
      }),
      { numRuns: 50 },
    )
  })

  it.each([
    ['the same value', (): number => 3.7],
    ['two far clusters', (index: number): number => (index % 2 === 0 ? 1e-9 : 1e9)],
    ['a geometric sequence', (index: number): number => 1.0001 ** index],
    ['bucket bounds', (index: number): number => (1.005 / 0.995) ** (index % 700)],
    ['a descending ramp', (index: number): number => 5000 - index],
    ['the largest doubles', (index: number): number => Number.MAX_VALUE * (1 - index / 1e5)],
    ['mostly zeros', (index: number): number => (index % 100 === 0 ? 1 : 0)],
  ])('is within 0.5%% for %s', (_, valueOf) => {
    const values = Array.from({ length: 5000 }, (__, index) => valueOf(index))
    const found = quantilesOf([sketchOf(values)], QUANTILES)
    for (const [index, quantile] of QUANTILES.entries()) expectClose(found[index]!, exactQuantile(values, quantile))
  })

  it('reads several sketches as their union, full or not', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), { maxLength: 400 }), {
          minLength: 1,
          maxLength: 4,
        }),
        (parts) => {
          const values = parts.flat()
          const found = quantilesOf(parts.map(sketchOf), QUANTILES)
          for (const [index, quantile] of QUANTILES.entries()) {
            if (values.length === 0) expect(found[index]).toBeNaN()
            else expectClose(found[index]!, exactQuantile(values, quantile))
          }
        },
      ),
      { numRuns: 50 },
    )
  })
})

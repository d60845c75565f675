import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExactSum } from '../../src/multiprocess/exact-sum.ts'

function sumOf(values: readonly number[]): ExactSum {
  const sum = new ExactSum()
  for (const value of values) sum.add(value)
  return sum
}

/** The sum as a fraction of whole numbers, rounded once. */
function roundedSum(values: readonly number[]): number {
  const scale = 2n ** 1074n
  let total = 0n
  for (const value of values) total += scaled(value)
  return toNumber(total, scale)
}

function scaled(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  const bits = view.getBigUint64(0)
  const exponent = Number((bits >> 52n) & 0x7ffn)
  const fraction = bits & 0xf_ffff_ffff_ffffn
  const magnitude = exponent === 0 ? fraction : (fraction | (1n << 52n)) << BigInt(exponent - 1)
  return bits >> 63n === 1n ? -magnitude : magnitude
}

/** The nearest double, ties to even. */
function toNumber(total: bigint, scale: bigint): number {
  if (total === 0n) return 0
  const negative = total < 0n
  let magnitude = negative ? -total : total
  const bits = magnitude.toString(2).length
  let shift = Math.max(0, bits - 53)
  if (shift > 0) {
    const half = 1n << BigInt(shift - 1)
    const rest = magnitude & ((1n << BigInt(shift)) - 1n)
    magnitude >>= BigInt(shift)
    if (rest > half || (rest === half && (magnitude & 1n) === 1n)) magnitude += 1n
  }
  if (magnitude === 1n << 53n) {
    magnitude >>= 1n
    shift += 1
  }
  const exponent = shift - (scale.toString(2).length - 1)
  const half = Math.trunc(exponent / 2)
  const value = Number(magnitude) * 2 ** half * 2 ** (exponent - half)
  return negative ? -value : value
}

const moderate = fc.double({ noNaN: true, min: -1e100, max: 1e100 })

describe('ExactSum', () => {
  it('is the sum, rounded once', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { maxLength: 30 }), (values) => {
        expect(sumOf(values).value).toBe(roundedSum(values) + 0)
      }),
    )
  })

  it('does not depend on order or grouping', () => {
    fc.assert(
      fc.property(fc.array(moderate, { maxLength: 20 }), fc.nat(20), fc.nat(), (values, cut, seed) => {
        const all = sumOf(values).value
        const shuffled = values.map((value, index) => [(index * 7919 + seed) % 997, value] as const)
        shuffled.sort(([a], [b]) => a - b)
        expect(sumOf(shuffled.map(([, value]) => value)).value).toBe(all)
        const [left, right] = [sumOf(values.slice(0, cut)), sumOf(values.slice(cut))]
        expect(sumOf([...left.addends(), ...right.addends()]).value).toBe(all)
      }),
    )
  })

  it('never goes down when something positive is added', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: 0, max: 1e12 }), { maxLength: 40 }), (values) => {
        const sum = new ExactSum()
        let last = 0
        for (const value of values) {
          sum.add(value)
          expect(sum.value).toBeGreaterThanOrEqual(last)
          last = sum.value
        }
      }),
    )
  })

  it('is plain for whole numbers', () => {
    expect(sumOf([1, 2, 3]).addends()).toEqual([6])
    expect(sumOf([]).value).toBe(0)
    expect(sumOf([2 ** 53 - 1, 1, 1]).value).toBe(2 ** 53)
    expect(sumOf([2 ** 53 - 1, 1, 1, -1]).value).toBe(2 ** 53)
  })

  it('keeps what is not finite', () => {
    expect(sumOf([1, Infinity]).value).toBe(Infinity)
    expect(sumOf([Infinity, -Infinity]).value).toBe(Number.NaN)
    expect(sumOf([0.1, Number.NaN]).value).toBe(Number.NaN)
    expect(sumOf([Number.MAX_VALUE, Number.MAX_VALUE]).value).toBe(Infinity)
  })
})

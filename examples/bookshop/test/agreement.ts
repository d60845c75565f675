import { expect } from 'vitest'
import { type Median, type Observation, WINDOW } from './observation.ts'

/**
 * A reader sees ten scrapes in its window. What came between the edges of the window and the scrapes next to them, a
 * second in all and more where it was late, it extrapolates: one part in ten, whatever the traffic did in that second.
 */
export function expectSameRate({ rate }: Observation): void {
  expect(rate.measured).toBeGreaterThan(20)
  const unknown = Math.max(rate.measured, rate.outside)
  expect(Math.abs(rate.read - rate.measured)).toBeLessThanOrEqual(unknown / WINDOW)
}

/**
 * The buckets of the shop double from one to the next, so an estimate may be off by the width of one bucket: a factor of
 * two either way. Customers measure more than the server does: on a busy machine they have to wait for themselves.
 */
export function expectSameMedian({ read, measured, served }: Median): void {
  expect(served).toBeGreaterThan(0)
  expect(read).toBeGreaterThanOrEqual(served / 2)
  expect(read).toBeLessThanOrEqual(served * 2)
  expect(measured).toBeGreaterThanOrEqual(read / 2)
}

/** Counters are exact: every request once, under its route. */
export function expectSameCounts({ counted }: Observation): void {
  const nonZero = new Map([...counted.measured].filter(([, count]) => count > 0).toSorted())
  expect(new Map([...counted.read].toSorted())).toEqual(nonZero)
}

import { expect } from 'vitest'
import { type Observation, WINDOW } from './observation.ts'

/**
 * A reader sees ten scrapes in its window. What came between the edges of the window and the scrapes next to them, a
 * second in all, it extrapolates: one part in ten, whatever the traffic did in that second.
 */
export function expectSameRate({ rate }: Observation): void {
  expect(rate.measured).toBeGreaterThan(20)
  expect(Math.abs(rate.read - rate.measured)).toBeLessThanOrEqual(rate.measured / WINDOW)
}

/**
 * The buckets of the shop double from one to the next, so an estimate may be off by the width of one bucket: a factor of
 * two either way. The customer's own time, on the same machine, is longer than the server's by far less.
 */
export function expectSameMedian({ read, measured }: Observation['median']): void {
  expect(measured).toBeGreaterThan(0)
  expect(read).toBeGreaterThanOrEqual(measured / 2)
  expect(read).toBeLessThanOrEqual(measured * 2)
}

/** Counters are exact: every request once, under its route. */
export function expectSameCounts({ counted }: Observation): void {
  const nonZero = new Map([...counted.measured].filter(([, count]) => count > 0).toSorted())
  expect(new Map([...counted.read].toSorted())).toEqual(nonZero)
}

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { quantilesOf } from '../../src/metrics/quantiles.ts'
import { SlidingWindow } from '../../src/metrics/sliding-window.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function contentOf(window: SlidingWindow): number[] {
  return [...window.sketches()].flatMap((sketch) => [...sketch.entries()].map(([value]) => value))
}

it('holds the observations of the last maxAgeSeconds, dropping the oldest step by step', () => {
  const window = new SlidingWindow(50, 5)
  for (let step = 0; step < 5; step++) {
    window.observe(step)
    vi.advanceTimersByTime(10_000)
  }
  expect(contentOf(window)).toEqual([1, 2, 3, 4])
  vi.advanceTimersByTime(20_000)
  expect(contentOf(window)).toEqual([3, 4])
})

it('is empty after a pause longer than maxAgeSeconds, and holds what comes then', () => {
  const window = new SlidingWindow(50, 5)
  window.observe(1)
  vi.advanceTimersByTime(1e9)
  expect(contentOf(window)).toEqual([])
  expect(quantilesOf(window.sketches(), [0.5])).toEqual([Number.NaN])
  window.observe(2)
  expect(contentOf(window)).toEqual([2])
})

it('never holds more sketches than ageBuckets', () => {
  const window = new SlidingWindow(30, 3)
  for (let second = 0; second < 200; second++) {
    window.observe(second)
    vi.advanceTimersByTime(1000)
    expect(window.sketches().length).toBeLessThanOrEqual(3)
  }
})

it('drops all at once with a single age bucket', () => {
  const window = new SlidingWindow(10, 1)
  window.observe(1)
  vi.advanceTimersByTime(10_000)
  expect(contentOf(window)).toEqual([])
})

it('starts no timer', () => {
  const window = new SlidingWindow(10, 5)
  window.observe(1)
  expect(vi.getTimerCount()).toBe(0)
})

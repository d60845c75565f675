import { Histogram } from '@narthex/core'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { startTimer } from '../src/timer.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('records the seconds since its start, and returns them', () => {
  const record = vi.fn()
  const end = startTimer(record)
  vi.advanceTimersByTime(1250)
  expect(end()).toBe(1.25)
  expect(record.mock.calls).toEqual([[1.25, undefined, undefined]])
})

it('does not jump with the time of day', () => {
  const end = startTimer(vi.fn())
  vi.setSystemTime(0)
  vi.advanceTimersByTime(500)
  expect(end()).toBe(0.5)
})

it('records again with each call', () => {
  const record = vi.fn()
  const end = startTimer(record)
  vi.advanceTimersByTime(1000)
  end()
  vi.advanceTimersByTime(1000)
  expect(end()).toBe(2)
  expect(record).toHaveBeenCalledTimes(2)
})

it('passes on labels and exemplar', () => {
  const record = vi.fn()
  startTimer(record)({ code: 200 }, { trace_id: 'abc' })
  expect(record).toHaveBeenCalledWith(0, { code: 200 }, { trace_id: 'abc' })
})

it('records at the end of a `using` block', () => {
  const record = vi.fn()
  const timer = startTimer(record)
  vi.advanceTimersByTime(750)
  timer[Symbol.dispose]()
  expect(record.mock.calls).toEqual([[0.75, undefined, undefined]])
})

it('records once where it is called within the `using` block', () => {
  const record = vi.fn()
  const timer = startTimer(record)
  timer()
  timer[Symbol.dispose]()
  expect(record).toHaveBeenCalledTimes(1)
})

it('of a histogram carries an exemplar', () => {
  const histogram = new Histogram({ name: 'h', help: 'H', labelNames: ['a'], buckets: [1], registry: null })
  histogram.startTimer()({ a: 'x' }, { trace_id: 'abc' })
  const [series] = [...histogram.family.series] as unknown as { buckets: { exemplar?: { labels: object } }[] }[]
  expect(series!.buckets[0]!.exemplar!.labels).toEqual({ trace_id: 'abc' })
})

it('keeps no timer of the process running', () => {
  startTimer(vi.fn())
  expect(vi.getTimerCount()).toBe(0)
})

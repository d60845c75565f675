import { Counter, Histogram, type HistogramSeries, Registry, traceExemplars, type ValueSeries } from '@narthex/core'
import { context, ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { caught } from '../caught.ts'

const START = 1_700_000_000_000

beforeEach(() => {
  vi.useFakeTimers({ now: START })
})

afterEach(() => {
  vi.useRealTimers()
})

function exemplarOf(counter: Counter): ValueSeries['exemplar'] {
  const [series] = counter.family.series as Iterable<ValueSeries>
  return series?.exemplar
}

function exemplarsOf(histogram: Histogram): unknown[] {
  const [series] = histogram.family.series as Iterable<HistogramSeries>
  return (series as HistogramSeries).buckets.map(({ exemplar }) => exemplar?.labels['trace_id'])
}

function droppedOf(registry: Registry, metric: string): number | undefined {
  return registry.getSampleValue('narthex_exemplars_dropped_total', { metric })
}

describe('exemplars of the caller', () => {
  it('keep labels, value and time, the last one of each bucket', () => {
    const histogram = new Histogram({ name: 'h', help: 'H', buckets: [1, 2], registry: null })
    histogram.observe(0.5, { trace_id: 'a' })
    histogram.observe(0.7, { trace_id: 'b' })
    histogram.observe(5, { trace_id: 'c' })
    histogram.observe(6)
    expect(exemplarsOf(histogram)).toEqual(['b', undefined, 'c'])
  })

  it('may have 128 code points, names and values together', () => {
    const registry = new Registry()
    const counter = registry.counter({ name: 'c', help: 'C' })
    counter.inc(1, { id: '😀'.repeat(126) })
    expect(exemplarOf(counter)?.labels).toEqual({ id: '😀'.repeat(126) })
    counter.inc(1, { id: '😀'.repeat(127) })
    counter.inc(1, { id: 'x'.repeat(1_000_000) })
    expect(exemplarOf(counter)?.labels).toEqual({ id: '😀'.repeat(126) })
    expect(droppedOf(registry, 'c')).toBe(2)
  })

  it('are dropped and counted where they break a rule, and the observation counts', () => {
    const registry = new Registry()
    const counter = registry.counter({ name: 'c', help: 'C' })
    const throwing = {
      get trace_id(): string {
        throw new Error('no trace')
      },
    }
    const broken = [null, 'x', { trace_id: 1 }, { trace_id: '\ud800' }, { 'trace id': 'x' }, ['x'], throwing]
    for (const labels of broken) counter.inc(1, labels as never)
    expect(exemplarOf(counter)).toBeUndefined()
    expect(registry.getSampleValue('c_total')).toBe(broken.length)
    expect(droppedOf(registry, 'c')).toBe(broken.length)
  })
})

describe('exemplars of a source', () => {
  it('come with observations that have none', () => {
    const registry = new Registry({ exemplars: () => ({ trace_id: 'found' }) })
    const counter = registry.counter({ name: 'c', help: 'C' })
    counter.inc(3)
    expect(exemplarOf(counter)).toEqual({ labels: { trace_id: 'found' }, value: 3, timestamp: START / 1000 })
  })

  it('are looked up at most once an interval for each bucket and for each counter series', () => {
    const find = vi.fn(() => ({ trace_id: String(find.mock.calls.length) }))
    const registry = new Registry({ exemplars: find })
    const histogram = registry.histogram({ name: 'h', help: 'H', buckets: [1, 2] })
    const counter = registry.counter({ name: 'c', help: 'C', labelNames: ['a'] })
    for (let index = 0; index < 100; index++) {
      for (const value of [0.5, 1.5, 2.5]) histogram.observe(value)
      counter.inc({ a: 'x' })
      counter.inc({ a: 'y' })
    }
    expect(find).toHaveBeenCalledTimes(5)
    expect(exemplarsOf(histogram)).toEqual(['1', '2', '3'])
    vi.advanceTimersByTime(999)
    histogram.observe(0.5)
    expect(find).toHaveBeenCalledTimes(5)
    vi.advanceTimersByTime(1)
    for (let index = 0; index < 100; index++) histogram.observe(0.5)
    expect(find).toHaveBeenCalledTimes(6)
    expect(exemplarsOf(histogram)).toEqual(['6', '2', '3'])
  })

  it('are not looked up again in the interval where there was none', () => {
    const find = vi.fn(() => undefined)
    const registry = new Registry({ exemplars: find })
    const counter = registry.counter({ name: 'c', help: 'C' })
    for (let index = 0; index < 100; index++) counter.inc()
    expect(find).toHaveBeenCalledTimes(1)
    expect(exemplarOf(counter)).toBeUndefined()
    expect(droppedOf(registry, 'c')).toBeUndefined()
  })

  it('have an interval of their own', () => {
    const find = vi.fn(() => undefined)
    const registry = new Registry({ exemplars: find, exemplarInterval: 10 })
    const counter = registry.counter({ name: 'c', help: 'C' })
    for (let index = 0; index < 5; index++) {
      counter.inc()
      vi.advanceTimersByTime(10)
    }
    expect(find).toHaveBeenCalledTimes(5)
    for (const exemplarInterval of [0, -1, Number.NaN, '1']) {
      const error = caught(() => new Registry({ exemplarInterval: exemplarInterval as number }))
      expect([error.code, error.argument]).toEqual(['ERR_NARTHEX_INVALID_OPTION', 'exemplarInterval'])
    }
  })

  it('give way to those of the caller until the interval is over', () => {
    const registry = new Registry({ exemplars: () => ({ trace_id: 'found' }) })
    const counter = registry.counter({ name: 'c', help: 'C' })
    counter.inc()
    counter.inc(1, { trace_id: 'given' })
    counter.inc()
    expect(exemplarOf(counter)?.labels).toEqual({ trace_id: 'given' })
    const other = registry.counter({ name: 'd', help: 'D' })
    other.inc(1, { trace_id: 'given first' })
    other.inc()
    expect(exemplarOf(other)?.labels).toEqual({ trace_id: 'given first' })
    vi.advanceTimersByTime(1000)
    counter.inc()
    expect(exemplarOf(counter)?.labels).toEqual({ trace_id: 'found' })
  })

  it('may be found from any time on, and no longer, by series that exist already', () => {
    const registry = new Registry()
    const child = registry.counter({ name: 'c', help: 'C', labelNames: ['a'] }).labels('x')
    const labels = (): unknown => child.snapshot().exemplar?.labels
    child.inc()
    expect(labels()).toBeUndefined()
    registry.exemplars = () => ({ trace_id: 'one' })
    child.inc()
    expect(labels()).toEqual({ trace_id: 'one' })
    const two = vi.fn(() => ({ trace_id: 'two' }))
    registry.exemplars = two
    expect(registry.exemplars).toBe(two)
    child.inc()
    child.inc()
    registry.exemplars = undefined
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(1000)
    child.inc()
    expect(labels()).toEqual({ trace_id: 'two' })
    expect(two).toHaveBeenCalledTimes(1)
  })

  it('are those of the first registry that has a source', () => {
    const counter = new Counter({ name: 'c', help: 'C', registry: null })
    const [none, one, two] = [undefined, 'one', 'two'].map(
      (id) => new Registry({ exemplars: id === undefined ? undefined : () => ({ trace_id: id }) }),
    ) as [Registry, Registry, Registry]
    for (const registry of [none, one, two]) registry.register(counter)
    counter.inc()
    expect(exemplarOf(counter)?.labels).toEqual({ trace_id: 'one' })
    one.unregister(counter)
    counter.inc()
    expect(exemplarOf(counter)?.labels).toEqual({ trace_id: 'two' })
    two.clear()
    none.clear()
    vi.advanceTimersByTime(1000)
    counter.reset()
    counter.inc()
    expect(exemplarOf(counter)).toBeUndefined()
  })

  it('cost a count where the source throws or breaks a rule, and nothing else', async () => {
    const answers = [
      () => {
        throw new Error('no context')
      },
      () => ({ trace_id: 'x'.repeat(200) }),
      () => ({ 'trace id': 'x' }),
      () => 5,
    ]
    const registry = new Registry()
    const histogram = registry.histogram({ name: 'h', help: 'H', buckets: [1] })
    for (const answer of answers) {
      registry.exemplars = answer as never
      histogram.observe(0.5)
      histogram.observe(0.5)
    }
    expect(exemplarsOf(histogram)).toEqual([undefined, undefined])
    expect(registry.getSampleValue('h_count')).toBe(2 * answers.length)
    expect(droppedOf(registry, 'h')).toBe(answers.length)
    expect(await registry.metrics()).toContain('narthex_exemplars_dropped_total{metric="h"} 4\n')
  })

  it('go to native histograms too: once a power of two and interval', () => {
    const find = vi.fn(() => ({ trace_id: String(find.mock.calls.length) }))
    const registry = new Registry({ exemplars: find })
    const alone = registry.histogram({ name: 'alone', help: 'A', native: { factor: 1.1 } })
    for (let index = 0; index < 10; index++) for (const value of [0, 0.7, 0.9, 3, 3.5]) alone.observe(value)
    expect(find).toHaveBeenCalledTimes(3)
    const [series] = alone.family.series as Iterable<HistogramSeries>
    expect(series?.native?.exemplars?.map(({ value }) => value)).toEqual([0, 0.7, 3])

    const both = registry.histogram({ name: 'both', help: 'B', native: { factor: 1.1 }, buckets: [1, 10] })
    for (let index = 0; index < 10; index++) for (const value of [0.7, 3, 3.5]) both.observe(value)
    expect(find).toHaveBeenCalledTimes(5)
    const [other] = both.family.series as Iterable<HistogramSeries>
    expect(other?.buckets.map(({ exemplar }) => exemplar?.value)).toEqual([0.7, 3, undefined])
    expect(other?.native?.exemplars?.map(({ value }) => value)).toEqual([0.7, 3])
  })

  it('are looked up once a native bucket and interval where a bucket holds many powers of two', () => {
    const find = vi.fn(() => undefined)
    const registry = new Registry({ exemplars: find })
    const histogram = registry.histogram({ name: 'h', help: 'H', native: { factor: 65_536 } })
    for (let power = 1; power <= 16; power++) histogram.observe(2 ** power)
    expect(find).toHaveBeenCalledTimes(1)
  })

  it('start one timer for all metrics, and none while nothing is observed', () => {
    const registry = new Registry({ exemplars: () => undefined })
    const counters = ['a', 'b', 'c'].map((name) => registry.counter({ name, help: name }))
    expect(vi.getTimerCount()).toBe(0)
    for (const counter of counters) counter.inc()
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(1000)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('must be found by a function', () => {
    const registry = new Registry()
    for (const source of [null, {}, 'x']) {
      const error = caught(() => (registry.exemplars = source as never))
      expect([error.code, error.argument]).toEqual(['ERR_NARTHEX_INVALID_OPTION', 'exemplars'])
      expect(caught(() => new Registry({ exemplars: source as never })).code).toBe('ERR_NARTHEX_INVALID_OPTION')
    }
  })
})

describe('traceExemplars()', () => {
  /** The least of a context manager: what is active is what was set. */
  function activate(traceFlags: number): void {
    const span = trace.wrapSpanContext({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags,
    })
    const active = trace.setSpan(ROOT_CONTEXT, span)
    context.setGlobalContextManager({
      active: () => active,
      with: (_, fn, self, ...args) => fn.call(self as never, ...args),
      bind: (_, target) => target,
      enable() {
        return this
      },
      disable() {
        return this
      },
    })
  }

  afterEach(() => {
    context.disable()
  })

  it('names the active sampled span of @opentelemetry/api', async () => {
    activate(TraceFlags.SAMPLED)
    const registry = new Registry({ exemplars: traceExemplars(await import('@opentelemetry/api')) })
    const counter = registry.counter({ name: 'c', help: 'C' })
    counter.inc()
    expect(exemplarOf(counter)?.labels).toEqual({
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      span_id: 'b7ad6b7169203331',
    })
  })

  it('names none where the span is not sampled, or where there is none', () => {
    activate(TraceFlags.NONE)
    expect(traceExemplars({ trace })()).toBeUndefined()
    context.disable()
    expect(traceExemplars({ trace })()).toBeUndefined()
  })

  it('refuses what is not the API', () => {
    for (const api of [undefined, {}, { trace: {} }]) {
      const error = caught(() => traceExemplars(api as never))
      expect([error.code, error.argument]).toEqual(['ERR_NARTHEX_INVALID_ARGUMENT', 'api'])
    }
  })
})

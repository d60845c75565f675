import { Counter, Enum, Gauge, GaugeMetricFamily, Histogram, openMetricsFormat, Registry, Summary } from '@narthex/core'
import { describe, expect, it, vi } from 'vitest'
import { caught } from './caught.ts'
import { expectPromtoolAccepts } from './promtool.ts'
import { recordWarnings } from './warnings.ts'

// What other clients for Node get wrong, each defect a test: named for it, with the issue where it was reported.

describe('wrong data', () => {
  it('keeps label sets apart whose joined strings would be equal (client_js#682)', () => {
    const registry = new Registry()
    const counter = registry.counter({ name: 'c', help: 'C', labelNames: ['a', 'b'] })
    counter.inc({ a: 'x,b:y', b: 'z' })
    counter.inc({ a: 'x', b: 'y,b:z' }, 2)
    expect(registry.getSampleValue('c_total', { a: 'x,b:y', b: 'z' })).toBe(1)
    expect(registry.getSampleValue('c_total', { a: 'x', b: 'y,b:z' })).toBe(2)
  })

  it('makes no second series of a label that is empty', async () => {
    const registry = new Registry()
    const gauge = registry.gauge({ name: 'g', help: 'G', labelNames: ['a'] })
    gauge.set({ a: '' }, 1)
    expect(caught(() => (gauge.set as (labels: object, value: number) => void)({}, 2)).code).toBe(
      'ERR_NARTHEX_INVALID_LABELS',
    )
    expect((await registry.metrics()).match(/^g.*$/gm)).toEqual(['g 1'])
  })

  it('writes no two lines that are the same for null and its text', async () => {
    const registry = new Registry()
    const gauge = registry.gauge({ name: 'g', help: 'G', labelNames: ['a'] })
    gauge.set({ a: 'null' }, 1)
    expect(caught(() => gauge.set({ a: null as never }, 2)).code).toBe('ERR_NARTHEX_INVALID_LABEL_VALUE')
    expect((await registry.metrics()).match(/^g.*$/gm)).toEqual(['g{a="null"} 1'])
  })

  it('counts 200 and "200" in one series', () => {
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['code'], registry: null })
    counter.inc({ code: 200 })
    counter.inc({ code: '200' })
    expect([...counter.family.series]).toMatchObject([{ labels: { code: '200' }, value: 2 }])
  })

  it('does not alias the label object of the caller', () => {
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a'], registry: null })
    const labels = { a: 'before' }
    counter.inc(labels)
    labels.a = 'after'
    counter.inc(labels)
    expect([...counter.family.series].map((series) => series.labels)).toEqual([{ a: 'before' }, { a: 'after' }])
  })

  it('looks no series up again for a held child (client_js#38)', () => {
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a'], registry: null })
    const held = counter.labels({ a: 'x' })
    const look = vi.spyOn(Map.prototype, 'get')
    try {
      held.inc()
      expect(look).not.toHaveBeenCalled()
    } finally {
      look.mockRestore()
    }
    expect(counter.labels({ a: 'x' })).toBe(held)
  })

  it.each([
    ['unsorted', [2, 1]],
    ['duplicate', [1, 1]],
    ['NaN', [1, Number.NaN]],
    ['text', ['1', '2']],
  ])('takes no %s buckets', (_, buckets) => {
    const error = caught(() => new Histogram({ name: 'h', help: 'H', buckets: buckets as number[], registry: null }))
    expect(error.code).toBe('ERR_NARTHEX_INVALID_BUCKETS')
  })

  it('prints a bucket for Infinity once', async () => {
    const registry = new Registry()
    registry.histogram({ name: 'h', help: 'H', buckets: [1, Infinity] })
    expect((await registry.metrics()).match(/le="\+Inf"/g)).toHaveLength(1)
  })

  it('does not freeze the bucket array of the caller', () => {
    const buckets = [1, 2]
    new Histogram({ name: 'h', help: 'H', buckets, registry: null })
    buckets.push(3)
    expect(buckets).toEqual([1, 2, 3])
  })

  it('does not end in +Inf after inc("")', () => {
    const counter = new Counter({ name: 'c', help: 'C', registry: null })
    expect(caught(() => counter.inc('' as never)).code).toBe('ERR_NARTHEX_INVALID_VALUE')
    counter.inc()
    expect(counter.labels().value).toBe(1)
  })

  it('lets no NaN poison a counter for ever', () => {
    const counter = new Counter({ name: 'c', help: 'C', registry: null })
    expect(caught(() => counter.inc(Number.NaN)).code).toBe('ERR_NARTHEX_INVALID_VALUE')
    counter.inc()
    expect(counter.labels().value).toBe(1)
  })

  it('lets no negative observation lower a sum in silence', () => {
    const histogram = new Histogram({ name: 'h', help: 'H', registry: null })
    const summary = new Summary({ name: 's', help: 'S', registry: null })
    expect(caught(() => histogram.observe(-1)).code).toBe('ERR_NARTHEX_INVALID_VALUE')
    expect(caught(() => summary.observe(-1)).code).toBe('ERR_NARTHEX_INVALID_VALUE')
    expect([...histogram.family.series, ...summary.family.series]).toMatchObject([{ sum: 0 }, { sum: 0 }])
  })

  it('gives each series of a summary a window of its own', () => {
    const registry = new Registry()
    const summary = registry.summary({ name: 's', help: 'S', labelNames: ['a'], quantiles: [0.5] })
    for (let index = 0; index < 100; index++) {
      summary.observe({ a: 'small' }, 1)
      summary.observe({ a: 'large' }, 1000)
    }
    expect(registry.getSampleValue('s', { a: 'small', quantile: 0.5 })).toBe(1)
    expect(registry.getSampleValue('s', { a: 'large', quantile: 0.5 })).toBe(1000)
  })

  it('reads a summary without changing it: two scrapes see the same', async () => {
    const registry = new Registry()
    const summary = registry.summary({ name: 's', help: 'S', quantiles: [0.5, 0.9] })
    for (let value = 1; value <= 1000; value++) summary.observe(value)
    expect(await registry.metrics()).toBe(await registry.metrics())
  })

  it('runs collect once for concurrent scrapes', async () => {
    const registry = new Registry()
    const collect = vi.fn(async () => [new GaugeMetricFamily({ name: 'g', help: 'G', value: 1 })])
    registry.register({ collect })
    await Promise.all([registry.metrics(), registry.metrics()])
    expect(collect).toHaveBeenCalledTimes(1)
  })

  it('leaves label-less histograms on the page after reset()', async () => {
    const registry = new Registry()
    registry.histogram({ name: 'h', help: 'H', buckets: [1] }).observe(1)
    registry.reset()
    expect(await registry.metrics()).toContain('h_bucket{le="1"} 0\nh_bucket{le="+Inf"} 0\nh_sum 0\nh_count 0\n')
  })

  it('wipes no data when a series is initialised at zero', () => {
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a'], registry: null })
    counter.inc({ a: 'x' }, 5)
    counter.init({ a: 'x' })
    expect(counter.labels('x').value).toBe(5)
  })
})

describe('broken scrapes', () => {
  it('lets one throwing collector cost its own families only', async () => {
    recordWarnings()
    const registry = new Registry()
    registry.register({
      name: 'bad',
      collect: () => {
        throw new Error('no')
      },
    })
    registry.gauge({
      name: 'bad_callback',
      help: 'B',
      collect: () => {
        throw new Error('no')
      },
    })
    registry.gauge({ name: 'good', help: 'G' })
    expect(await registry.metrics()).toContain('\ngood 0\n')
  })

  it('lets a hanging collector cost its own families only', async () => {
    recordWarnings()
    const registry = new Registry({ collectTimeout: 10 })
    registry.register({ name: 'hanging', collect: () => new Promise<never>(() => undefined) })
    registry.gauge({ name: 'good', help: 'G' })
    const page = await registry.metrics()
    expect(page).toContain('\ngood 0\n')
    expect(page).toContain('narthex_collector_errors_total{collector="hanging"} 1\n')
  })

  it('drops an over-long exemplar, not the page', async () => {
    const registry = new Registry()
    const counter = registry.counter({ name: 'c', help: 'C' })
    counter.inc(1, { trace_id: 'x'.repeat(130) })
    expect(await registry.metrics(openMetricsFormat)).toMatch(/^c_total 1\.0$/m)
    expect(registry.getSampleValue('narthex_exemplars_dropped_total', { metric: 'c' })).toBe(1)
  })

  it('escapes label values whatever they were before they were strings', async (context) => {
    const registry = new Registry()
    registry.register({
      collect: () => [
        {
          name: 'g',
          help: 'G',
          type: 'gauge',
          series: [{ labels: { a: true as never, b: 5 as never, c: '"\n\\' }, value: 1 }],
        },
      ],
    })
    const page = await registry.metrics()
    expect(page).toContain('g{a="true",b="5",c="\\"\\n\\\\"} 1\n')
    expectPromtoolAccepts(page, context)
  })

  it('refuses histogram x beside counter x_count', () => {
    const registry = new Registry()
    registry.histogram({ name: 'x', help: 'X' })
    expect(caught(() => registry.counter({ name: 'x_count', help: 'X' })).code).toBe('ERR_NARTHEX_NAME_CLASH')
  })

  it('renames no counter by being asked for OpenMetrics (client_js#829)', async () => {
    const registry = new Registry()
    registry.counter({ name: 'plain', help: 'P' }).inc()
    registry.counter({ name: 'suffixed_total', help: 'S' }).inc()
    const before = await registry.metrics()
    const openMetrics = await registry.metrics(openMetricsFormat)
    expect(await registry.metrics()).toBe(before)
    for (const page of [before, openMetrics]) {
      expect(page).toMatch(/^plain_total 1(\.0)?$/m)
      expect(page).toMatch(/^suffixed_total 1(\.0)?$/m)
    }
  })

  it('writes UNIT and created times in OpenMetrics', async () => {
    const registry = new Registry()
    registry.counter({ name: 'busy', help: 'B', unit: 'seconds' })
    const page = await registry.metrics(openMetricsFormat)
    expect(page).toContain('# UNIT busy_seconds seconds\n')
    expect(page).toMatch(/^busy_seconds_created \d+/m)
  })

  it('streams a page in chunks, where a whole one would block and be copied (client_js#543)', async () => {
    const registry = new Registry()
    const gauge = registry.gauge({ name: 'g', help: 'G', labelNames: ['a'], maxSeries: Infinity })
    for (let index = 0; index < 20_000; index++) gauge.set({ a: index }, index)
    let chunks = 0
    for await (const chunk of registry.stream()) {
      chunks += 1
      expect(chunk.length).toBeLessThan(128 * 1024)
    }
    expect(chunks).toBeGreaterThan(3)
  })
})

describe('what their users ask for', () => {
  it('bounds cardinality, with sums that stay right (client_js#741)', async (context) => {
    recordWarnings()
    const registry = new Registry()
    const counter = registry.counter({ name: 'c', help: 'C', labelNames: ['user'], maxSeries: 100 })
    for (let user = 0; user < 1000; user++) counter.inc({ user })
    const page = await registry.metrics()
    const values = [...page.matchAll(/^c_total\{.*\} (\d+)$/gm)].map(([, value]) => Number(value))
    expect(values).toHaveLength(101)
    expect(values.reduce((sum, value) => sum + value)).toBe(1000)
    expectPromtoolAccepts(page, context)
  })

  it('lets a metric be defined again by code that is loaded again (client_js#196)', () => {
    const registry = new Registry()
    const load = (): Counter => registry.counter({ name: 'c', help: 'C' })
    load().inc()
    load().inc()
    expect(registry.getSampleValue('c_total')).toBe(2)
  })

  it('lets a test read a value (client_js#245)', () => {
    const registry = new Registry()
    registry.gauge({ name: 'g', help: 'G', labelNames: ['a'] }).set({ a: 'x' }, 5)
    expect(registry.getSampleValue('g', { a: 'x' })).toBe(5)
  })

  it('lets a child have exemplars (client_js#777)', async () => {
    const registry = new Registry()
    const held = registry.counter({ name: 'c', help: 'C', labelNames: ['a'] }).labels({ a: 'x' })
    held.inc(2, { trace_id: 'abc' })
    expect(await registry.metrics(openMetricsFormat)).toMatch(/^c_total\{a="x"\} 2\.0 # \{trace_id="abc"\} 2\.0 \d/m)
  })

  it('reads many metrics with one query (client_js#241)', async () => {
    const registry = new Registry()
    const query = vi.fn(async () => ({ waiting: 3, running: 2 }))
    registry.register({
      async collect() {
        const { waiting, running } = await query()
        return [
          new GaugeMetricFamily({ name: 'jobs_waiting', help: 'W', value: waiting }),
          new GaugeMetricFamily({ name: 'jobs_running', help: 'R', value: running }),
        ]
      },
    })
    expect(await registry.metrics()).toMatch(/^jobs_waiting 3$[^]*^jobs_running 2$/m)
    expect(query).toHaveBeenCalledTimes(1)
  })

  it('has a page of every type that promtool accepts', async (context) => {
    const registry = new Registry()
    registry.counter({ name: 'a', help: 'A', labelNames: ['x'] }).inc({ x: '1' })
    registry.gauge({ name: 'b', help: 'B' }).set(Number.NaN)
    registry.histogram({ name: 'c', help: 'C' }).observe(0.3)
    registry.summary({ name: 'd', help: 'D', quantiles: [0.5, 0.99] }).observe(1)
    registry.info({ name: 'e', help: 'E' }).info({ version: '1' })
    new Enum({ name: 'f', help: 'F', states: ['on', 'off'], registry })
    new Gauge({ name: 'größe', help: 'G', registry })
    expectPromtoolAccepts(await registry.metrics(), context)
  })
})

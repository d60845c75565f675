import { CounterMetricFamily, type Gatherer, GaugeMetricFamily, MetricError, Registry } from '@narthex/core'
import { Exporter, type ExporterCollector, type ExporterOptions } from '@narthex/core/exporter'
import { expectNoLintProblems, getSampleValue } from '@narthex/core/testing'
import { describe, expect, it } from 'vitest'
import { caught } from '../caught.ts'
import { recordWarnings } from '../warnings.ts'

const family = (name: string, value = 1): GaugeMetricFamily => new GaugeMetricFamily({ name, help: 'Some.', value })
const never = (): Promise<never> => new Promise(() => {})
const soon = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

describe('an exporter', () => {
  it('is one collector of a registry, with what its collectors bring and how they did', async () => {
    const registry = exported({
      collectors: [
        { name: 'status', collect: () => [family('shop_open')] },
        {
          name: 'orders',
          collect: async () => [new CounterMetricFamily({ name: 'shop_orders', help: 'Some.', value: 7 })],
        },
        {
          name: 'stock',
          async *collect() {
            yield family('shop_books', 3)
            yield family('shop_shelves', 2)
          },
        },
      ],
    })
    const page = await registry.metrics()
    expect(page.replaceAll(/(_seconds\{.*\}) .*/g, '$1 …')).toBe(`# HELP shop_up Whether shop could be read.
# TYPE shop_up gauge
shop_up 1
# HELP shop_collector_success Whether the last run of a collector succeeded.
# TYPE shop_collector_success gauge
shop_collector_success{collector="status"} 1
shop_collector_success{collector="orders"} 1
shop_collector_success{collector="stock"} 1
# HELP shop_collector_duration_seconds Time that the last run of a collector took.
# TYPE shop_collector_duration_seconds gauge
shop_collector_duration_seconds{collector="status"} …
shop_collector_duration_seconds{collector="orders"} …
shop_collector_duration_seconds{collector="stock"} …
# HELP shop_open Some.
# TYPE shop_open gauge
shop_open 1
# HELP shop_orders_total Some.
# TYPE shop_orders_total counter
shop_orders_total 7
# HELP shop_books Some.
# TYPE shop_books gauge
shop_books 3
# HELP shop_shelves Some.
# TYPE shop_shelves gauge
shop_shelves 2
`)
    await expectNoLintProblems(registry)
  })

  it('loses the families of a collector that fails, and no others', async () => {
    const warnings = recordWarnings()
    const registry = exported({
      collectors: [
        { name: 'good', collect: () => [family('shop_good')] },
        { name: 'throws', collect: () => raise('no privilege') },
        { name: 'rejects', collect: () => Promise.reject(new Error('connection lost')) },
        { name: 'stops', collect: () => halfway() },
        { name: 'nothing', collect: () => undefined as never },
        { name: 'malformed', collect: () => [{ name: '', help: '', type: 'gauge', series: [] }] },
        {
          name: 'wrong',
          collect: () => [
            { name: 'shop_wrong', help: '', type: 'gauge', series: [{ labels: {}, value: 'x' as never }] },
          ],
        },
      ],
    })
    const page = await registry.metrics()
    expect(page).toContain('shop_good 1\n')
    expect(page).not.toContain('shop_half')
    expect(page).not.toContain('shop_wrong')
    expect(getSampleValue(page, 'shop_up')).toBe(1)
    for (const collector of ['throws', 'rejects', 'stops', 'nothing', 'malformed', 'wrong']) {
      expect(getSampleValue(page, 'shop_collector_success', { collector })).toBe(0)
      expect(getSampleValue(page, 'shop_collector_duration_seconds', { collector })).toBeGreaterThanOrEqual(0)
      expect(registry.getSampleValue('narthex_collector_errors_total', { collector: `shop/${collector}` })).toBe(1)
    }
    expect(getSampleValue(page, 'shop_collector_success', { collector: 'good' })).toBe(1)
    expect(warnings.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        'Collector `throws` of `shop` has failed: no privilege',
        'Collector `rejects` of `shop` has failed: connection lost',
      ]),
    )
    expect(warnings).toHaveLength(6)
  })

  it('is not up where all collectors fail, and comes back by itself', async () => {
    const warnings = recordWarnings()
    let isThere = true
    const read = (name: string) => (): GaugeMetricFamily[] => (isThere ? [family(name)] : raise('gone'))
    const registry = exported({
      collectors: [
        { name: 'a', collect: read('shop_a') },
        { name: 'b', collect: read('shop_b') },
      ],
    })
    const ups: unknown[] = []
    for (isThere of [true, false, false, true, false]) ups.push(getSampleValue(await registry.metrics(), 'shop_up'))
    expect(ups).toEqual([1, 0, 0, 1, 0])
    // One warning for each collector each time it begins to fail.
    expect(warnings.map(({ code }) => code)).toEqual(Array.from({ length: 4 }, () => 'NARTHEX_COLLECTOR_ERROR'))
  })

  it('says nothing twice to who listens to its errors', async () => {
    const warnings = recordWarnings()
    const errors: unknown[] = []
    const registry = exported({
      collectors: [{ name: 'a', collect: () => raise('gone') }],
      onError: (error, collector) => errors.push([collector, (error as Error).message]),
    })
    await registry.metrics()
    await registry.metrics()
    expect(errors).toEqual([
      ['a', 'gone'],
      ['a', 'gone'],
    ])
    expect(warnings).toEqual([])
  })

  it('counts an onError that throws', async () => {
    const registry = exported({
      collectors: [{ name: 'a', collect: () => raise('gone') }],
      onError: () => raise('too'),
    })
    expect(getSampleValue(await registry.metrics(), 'narthex_hook_errors_total', { hook: 'onError' })).toBe(1)
  })
})

describe('check', () => {
  it('keeps the collectors from running where nothing is there', async () => {
    const warnings = recordWarnings()
    let isThere: boolean | Promise<boolean> | undefined = true
    let runs = 0
    const registry = exported({
      check: () => isThere,
      collectors: [{ name: 'a', collect: () => [family('shop_runs', ++runs)] }],
    })
    const pages: string[] = []
    for (isThere of [undefined, false, Promise.resolve(false), Promise.reject(new Error('refused')), true]) {
      pages.push(await registry.metrics())
    }
    expect(pages.map((page) => getSampleValue(page, 'shop_up'))).toEqual([1, 0, 0, 0, 1])
    expect(pages.map((page) => getSampleValue(page, 'shop_collector_success', { collector: 'a' }))).toEqual([
      1, 0, 0, 0, 1,
    ])
    expect(pages[1]).not.toContain('shop_collector_duration_seconds')
    expect(runs).toBe(2)
    expect(warnings.map(({ message }) => message)).toEqual(['`shop` is not there: it gave `false`'])
    expect(registry.getSampleValue('narthex_collector_errors_total', { collector: 'shop/check' })).toBe(3)
  })

  it('decides alone: it is up though all collectors fail', async () => {
    recordWarnings()
    const registry = exported({ check: async () => 'pong', collectors: [{ name: 'a', collect: () => raise('gone') }] })
    expect(getSampleValue(await registry.metrics(), 'shop_up')).toBe(1)
  })

  it('that does not answer is given up when the time is up', async () => {
    recordWarnings()
    const registry = exported({ check: never, timeout: 20, collectors: [{ name: 'a', collect: () => [family('a')] }] })
    const page = await registry.metrics()
    expect(getSampleValue(page, 'shop_up')).toBe(0)
    expect(page).not.toMatch(/^a 1/m)
  })
})

describe('a time-out', () => {
  it('ends a collector, tells it so, and leaves the others theirs', async () => {
    const warnings = recordWarnings()
    const reasons: unknown[] = []
    const registry = exported({
      collectors: [
        {
          name: 'slow',
          timeout: 20,
          collect: ({ signal }) =>
            new Promise((_, reject) => {
              signal.addEventListener('abort', () => {
                reasons.push(signal.reason)
                reject(new Error('called off'))
              })
            }),
        },
        { name: 'slower', collect: async () => (await soon(60), [family('shop_slower')]) },
      ],
    })
    const page = await registry.metrics()
    expect(getSampleValue(page, 'shop_collector_success', { collector: 'slow' })).toBe(0)
    expect(getSampleValue(page, 'shop_slower')).toBe(1)
    expect(reasons).toEqual([expect.objectContaining({ message: 'it has not ended within 20 ms' })])
    expect(warnings.map(({ message }) => message)).toEqual([
      'Collector `slow` of `shop` has failed: it has not ended within 20 ms',
    ])
  })

  it('of the exporter ends all of them, and those that wait for their turn', async () => {
    recordWarnings()
    let begun = 0
    const collect = (): Promise<never> => (begun++, never())
    const registry = exported({
      timeout: 30,
      concurrency: 2,
      collectors: ['a', 'b', 'c'].map((name) => ({ name, collect })),
    })
    const page = await registry.metrics()
    expect(begun).toBe(2)
    expect(getSampleValue(page, 'shop_up')).toBe(0)
    expect(getSampleValue(page, 'shop_collector_success', { collector: 'c' })).toBe(0)
    expect(getSampleValue(page, 'shop_collector_duration_seconds', { collector: 'c' })).toBe(undefined)
    // The next time, the one that had no turn is the first.
    await registry.metrics()
    expect(begun).toBe(3)
  })

  it('is that of each scrape, also of one that joins the round of another', async () => {
    const warnings = recordWarnings()
    let begun = 0
    let end = (): void => {}
    const ended = new Promise<void>((resolve) => (end = resolve))
    const registry = exported({
      collectors: [
        { name: 'quick', collect: () => [family('shop_quick')] },
        { name: 'slow', collect: async () => (begun++, await ended, [family('shop_slow')]) },
      ],
    })
    const patient = registry.metrics()
    const hasty = await pageWithin(registry, 1_000)
    expect(getSampleValue(hasty, 'shop_up')).toBe(1)
    expect(getSampleValue(hasty, 'shop_quick')).toBe(1)
    expect(getSampleValue(hasty, 'shop_collector_success', { collector: 'quick' })).toBe(1)
    expect(getSampleValue(hasty, 'shop_collector_success', { collector: 'slow' })).toBe(0)
    expect(getSampleValue(hasty, 'shop_collector_duration_seconds', { collector: 'slow' })).toBeGreaterThan(0.8)
    expect(getSampleValue(hasty, 'shop_slow')).toBe(undefined)
    expect(getSampleValue(hasty, 'narthex_collector_errors_total', { collector: 'shop/slow' })).toBe(1)
    expect(warnings.map(({ message }) => message)).toEqual([
      'Collector `slow` of `shop` has failed: it has not ended within 900 ms',
    ])
    end()
    const page = await patient
    expect(getSampleValue(page, 'shop_collector_success', { collector: 'slow' })).toBe(1)
    expect(getSampleValue(page, 'shop_slow')).toBe(1)
    expect(begun).toBe(1)
  })

  it('is that of each scrape, also of one that is joined by another with more time', async () => {
    recordWarnings()
    let begun = 0
    let aborted = 0
    let end = (): void => {}
    const ended = new Promise<void>((resolve) => (end = resolve))
    const registry = exported({
      check: () => true,
      collectors: [
        { name: 'quick', collect: () => [family('shop_quick')] },
        {
          name: 'slow',
          collect: async ({ signal }) => {
            begun += 1
            signal.addEventListener('abort', () => (aborted += 1))
            await ended
            return [family('shop_slow')]
          },
        },
        { name: 'own', timeout: 100, collect: never },
      ],
    })
    const hasty = pageWithin(registry, 400)
    await soon(1)
    expect(begun).toBe(1)
    const patient = registry.metrics()
    const page = await hasty
    expect(getSampleValue(page, 'shop_up')).toBe(1)
    expect(getSampleValue(page, 'shop_quick')).toBe(1)
    expect(getSampleValue(page, 'shop_collector_success', { collector: 'slow' })).toBe(0)
    expect(getSampleValue(page, 'narthex_collector_errors_total', { collector: 'shop/slow' })).toBe(1)
    // The time that the run would have had for this page alone is over.
    await soon(50)
    end()
    const later = await patient
    expect(getSampleValue(later, 'shop_collector_success', { collector: 'slow' })).toBe(1)
    expect(getSampleValue(later, 'shop_slow')).toBe(1)
    expect(getSampleValue(later, 'narthex_collector_errors_total', { collector: 'shop/slow' })).toBe(1)
    // A collector's own time-out is nobody's to put off.
    for (const each of [page, later])
      expect(getSampleValue(each, 'narthex_collector_errors_total', { collector: 'shop/own' })).toBe(1)
    expect([begun, aborted]).toEqual([1, 0])
  })

  it('is put off by nobody who has no more: a round ends however many join it', async () => {
    recordWarnings()
    const aborted: boolean[] = []
    const registry = exported({
      timeout: 200,
      collectors: [
        {
          name: 'deaf',
          collect: ({ signal }) => (signal.addEventListener('abort', () => aborted.push(true)), never()),
        },
      ],
    })
    const first = registry.metrics()
    await soon(100)
    const second = registry.metrics()
    await first
    expect(aborted).toEqual([true])
    expect(getSampleValue(await second, 'shop_collector_success', { collector: 'deaf' })).toBe(0)
    expect(registry.getSampleValue('narthex_collector_errors_total', { collector: 'shop/deaf' })).toBe(1)
  })

  it('of a round that is over does not touch a scrape that comes at that moment', async () => {
    recordWarnings()
    let begun = 0
    const registry = exported({
      timeout: 50,
      collectors: [
        {
          name: 'obedient',
          collect: ({ signal }) =>
            ++begun > 1
              ? [family('shop_heard')]
              : new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        },
      ],
    })
    const first = registry.metrics()
    await soon(1)
    const until = performance.now() + 60
    while (performance.now() < until);
    const second = registry.metrics()
    expect(getSampleValue(await first, 'shop_heard')).toBe(undefined)
    expect(getSampleValue(await second, 'shop_heard')).toBe(1)
    expect(begun).toBe(2)
  })

  it('of a scrape that joins ends before any collector or the check: what is exported is not up for it', async () => {
    recordWarnings()
    let end = (): void => {}
    let ended = Promise.resolve()
    const collect = async (): Promise<GaugeMetricFamily[]> => (await ended, [family('shop_slow')])
    const collectors = [{ name: 'slow', collect }]
    const failed = { check: 'shop/check', slow: 'shop/slow' }
    for (const [collector, registry] of [
      [failed.slow, exported({ collectors })],
      [failed.check, exported({ collectors, check: () => ended })],
    ] as const) {
      ended = new Promise((resolve) => (end = resolve))
      const patient = registry.metrics()
      const hasty = await pageWithin(registry, 500)
      expect(getSampleValue(hasty, 'shop_up')).toBe(0)
      expect(getSampleValue(hasty, 'shop_collector_success', { collector: 'slow' })).toBe(0)
      expect(getSampleValue(hasty, 'narthex_collector_errors_total', { collector })).toBe(1)
      expect(getSampleValue(hasty, 'narthex_collector_errors_total', { collector: 'shop' })).toBe(undefined)
      end()
      const page = await patient
      expect(getSampleValue(page, 'shop_up')).toBe(1)
      expect(getSampleValue(page, 'shop_slow')).toBe(1)
    }
  })

  it('ignored by a collector: no second run joins it until it ends', async () => {
    recordWarnings()
    let begun = 0
    let end = (): void => {}
    const registry = exported({
      timeout: 20,
      collectors: [
        {
          name: 'deaf',
          collect: () =>
            ++begun > 1
              ? [family('shop_heard')]
              : new Promise((resolve) => {
                  end = () => resolve([family('shop_heard')])
                }),
        },
      ],
    })
    await registry.metrics()
    await registry.metrics()
    expect(begun).toBe(1)
    end()
    await soon(1)
    expect(getSampleValue(await registry.metrics(), 'shop_heard')).toBe(1)
    expect(begun).toBe(2)
  })

  it('ignored for good does not keep the collector from ever running again', async () => {
    recordWarnings()
    let begun = 0
    const registry = exported({
      timeout: 10,
      collectors: [{ name: 'deaf', collect: () => (++begun > 1 ? [family('shop_heard')] : never()) }],
    })
    await registry.metrics()
    await expect.poll(async () => getSampleValue(await registry.metrics(), 'shop_heard')).toBe(1)
  })

  it('leaves no timer behind', async () => {
    const registry = exported({ collectors: [{ name: 'a', collect: () => [family('a')] }] })
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()
    await registry.metrics()
    expect(timers()).toBe(before)
  })
})

describe('concurrency', () => {
  it('bounds how many collectors run at once', async () => {
    let running = 0
    let most = 0
    const collect = async (): Promise<[]> => {
      most = Math.max(most, ++running)
      await soon(2)
      running -= 1
      return []
    }
    const collectors = Array.from({ length: 12 }, (_, index) => ({ name: `c${index}`, collect }))
    await exported({ collectors, concurrency: 3 }).metrics()
    expect(most).toBe(3)
    most = 0
    await exported({ collectors }).metrics()
    expect(most).toBe(4)
    most = 0
    await exported({ collectors, concurrency: Infinity }).metrics()
    expect(most).toBe(12)
  })

  it('of scrapes makes one round, from whichever registry they come', async () => {
    let runs = 0
    const exporter = new Exporter({
      name: 'shop',
      collectors: [{ name: 'a', collect: async () => (await soon(5), [family('shop_runs', ++runs)]) }],
    })
    const [first, second] = [new Registry(), new Registry()]
    first.register(exporter)
    second.register(exporter)
    const pages = await Promise.all([first.metrics(), second.metrics(), first.metrics()])
    expect(pages.map((page) => getSampleValue(page, 'shop_runs'))).toEqual([1, 1, 1])
    await first.metrics()
    expect(runs).toBe(2)
  })
})

describe('minInterval', () => {
  it('gives scrapes in between what the last run brought', async () => {
    const runs = { often: 0, seldom: 0, check: 0 }
    const registry = exported({
      minInterval: 60_000,
      check: () => void runs.check++,
      collectors: [
        { name: 'often', minInterval: 0, collect: () => [family('shop_often', ++runs.often)] },
        { name: 'seldom', collect: () => [family('shop_seldom', ++runs.seldom)] },
      ],
    })
    const pages = [await registry.metrics(), await registry.metrics(), await registry.metrics()]
    expect(runs).toEqual({ often: 3, seldom: 1, check: 1 })
    expect(pages.map((page) => getSampleValue(page, 'shop_seldom'))).toEqual([1, 1, 1])
    const seconds = pages.map((page) =>
      getSampleValue(page, 'shop_collector_duration_seconds', { collector: 'seldom' }),
    )
    expect(new Set(seconds).size).toBe(1)
  })

  it('is counted from the beginning of a run, and over then', async () => {
    let runs = 0
    const registry = exported({
      collectors: [{ name: 'a', minInterval: 30, collect: () => [family('shop_runs', ++runs)] }],
    })
    await registry.metrics()
    await soon(40)
    await registry.metrics()
    expect(runs).toBe(2)
  })

  it('holds for failures too: what is in trouble is not asked more often', async () => {
    recordWarnings()
    let runs = 0
    const registry = exported({
      minInterval: 60_000,
      collectors: [{ name: 'a', collect: () => (runs++, raise('gone')) }],
    })
    const pages = [await registry.metrics(), await registry.metrics()]
    expect(pages.map((page) => getSampleValue(page, 'shop_up'))).toEqual([0, 0])
    expect(runs).toBe(1)
  })

  it('keeps families whose series can be read once only', async () => {
    const registry = exported({
      minInterval: 60_000,
      collectors: [
        { name: 'a', collect: () => [{ name: 'shop_once', help: '', type: 'gauge', series: generated() } as never] },
      ],
    })
    const pages = [await registry.metrics(), await registry.metrics()]
    expect(pages.map((page) => getSampleValue(page, 'shop_once'))).toEqual([5, 5])
  })
})

describe('options', () => {
  const collectors: ExporterCollector[] = [{ name: 'a', collect: () => [] }]
  it.each([
    ['options', undefined],
    ['name', { collectors }],
    ['name', { name: '', collectors }],
    ['collectors', { name: 'x' }],
    ['collectors', { name: 'x', collectors: [] }],
    ['collectors', { name: 'x', collectors: [{ name: 'a' }] }],
    ['collectors', { name: 'x', collectors: [{ collect: () => [] }] }],
    ['collectors', { name: 'x', collectors: [null] }],
    ['collectors', { name: 'x', collectors: [...collectors, ...collectors] }],
    ['collectors', { name: 'x', collectors: [{ name: 'check', collect: () => [] }] }],
    ['collectors[].timeout', { name: 'x', collectors: [{ name: 'a', collect: () => [], timeout: 0 }] }],
    ['collectors[].minInterval', { name: 'x', collectors: [{ name: 'a', collect: () => [], minInterval: -1 }] }],
    ['check', { name: 'x', collectors, check: true }],
    ['onError', { name: 'x', collectors, onError: 'log' }],
    ['timeout', { name: 'x', collectors, timeout: Infinity }],
    ['timeout', { name: 'x', collectors, timeout: '5s' }],
    ['minInterval', { name: 'x', collectors, minInterval: Number.NaN }],
    ['concurrency', { name: 'x', collectors, concurrency: 0 }],
    ['concurrency', { name: 'x', collectors, concurrency: 1.5 }],
  ])('refuse %s that cannot be right: %o', (argument, options) => {
    const error = caught(() => new Exporter(options as never))
    expect(error).toBeInstanceOf(MetricError)
    expect([error.code, error.argument]).toEqual(['ERR_NARTHEX_INVALID_OPTION', argument])
    expect(error.message).toMatch(/^Exporter: expected /)
  })

  it('refuse a name that there is none of', () => {
    expect(caught(() => new Exporter({ name: 'x', collectors, minIntervall: 5 } as never)).code).toBe(
      'ERR_NARTHEX_UNKNOWN_OPTION',
    )
  })
})

function exported(options: Omit<ExporterOptions, 'name'>): Registry & Gatherer {
  const registry = new Registry()
  registry.register(new Exporter({ name: 'shop', ...options }))
  return registry
}

/** The page that a scrape gets which waits no longer. */
async function pageWithin(registry: Registry, timeout: number): Promise<string> {
  let page = ''
  for await (const chunk of registry.stream(undefined, { timeout })) page += new TextDecoder().decode(chunk)
  return page
}

function raise(message: string): never {
  throw new Error(message)
}

function* halfway(): Generator<GaugeMetricFamily> {
  yield family('shop_half')
  raise('stopped halfway')
}

function* generated(): Generator<{ labels: Record<string, string>; value: number }> {
  yield { labels: {}, value: 5 }
}

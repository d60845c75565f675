import {
  type Collector,
  Counter,
  CounterMetricFamily,
  Enum,
  Gauge,
  GaugeMetricFamily,
  Histogram,
  type MetricFamily,
  Registry,
  Summary,
} from '@narthex/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { caught } from './caught.ts'
import { recordWarnings } from './warnings.ts'

function collectorOf(name: string, collect: () => unknown): Collector {
  return { name, collect: collect as Collector['collect'] }
}

function gaugeFamily(name: string, value = 1): GaugeMetricFamily {
  return new GaugeMetricFamily({ name, help: name, value })
}

async function namesOf(families: AsyncIterable<MetricFamily>): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of families) names.push(name)
  return names
}

const errorsOf = (registry: Registry, collector: string): number | undefined =>
  registry.getSampleValue('narthex_collector_errors_total', { collector })

describe('options', () => {
  const refused: [string, unknown, string, string][] = [
    ['null', null, 'ERR_NARTHEX_INVALID_ARGUMENT', 'options'],
    ['an unknown one', { timeout: 5 }, 'ERR_NARTHEX_UNKNOWN_OPTION', 'timeout'],
    ['labels that are null', { labels: null }, 'ERR_NARTHEX_INVALID_OPTION', 'labels'],
    ['labels that are a string', { labels: 'app' }, 'ERR_NARTHEX_INVALID_OPTION', 'labels'],
    ['labels in an array', { labels: ['app'] }, 'ERR_NARTHEX_INVALID_OPTION', 'labels'],
    ['a reserved label name', { labels: { __app: 'x' } }, 'ERR_NARTHEX_INVALID_LABEL_NAME', 'labels'],
    ['a label value that is none', { labels: { app: null } }, 'ERR_NARTHEX_INVALID_LABEL_VALUE', 'app'],
    ['a prefix that is no string', { prefix: 5 }, 'ERR_NARTHEX_INVALID_OPTION', 'prefix'],
    ['a collectTimeout of zero', { collectTimeout: 0 }, 'ERR_NARTHEX_INVALID_OPTION', 'collectTimeout'],
    ['a collectTimeout of NaN', { collectTimeout: Number.NaN }, 'ERR_NARTHEX_INVALID_OPTION', 'collectTimeout'],
    ['a collectTimeout as a string', { collectTimeout: '5' }, 'ERR_NARTHEX_INVALID_OPTION', 'collectTimeout'],
  ]
  it.each(refused)('refuse %s', (_, options, code, argument) => {
    const error = caught(() => new Registry(options as object))
    expect(error).toMatchObject({ code, argument })
    expect(error.message).toMatch(/^Registry: expected /)
  })
})

describe('register()', () => {
  it('takes a metric once, however often it comes', async () => {
    const registry = new Registry()
    const counter = new Counter({ name: 'c', help: 'C', registry })
    registry.register(counter)
    expect(await namesOf(registry.gather())).toEqual(['c'])
  })

  it('lets a metric be in several registries', async () => {
    const [first, second] = [new Registry(), new Registry()]
    const counter = new Counter({ name: 'c', help: 'C', registry: first })
    second.register(counter)
    counter.inc()
    expect(await second.metrics()).toBe(await first.metrics())
  })

  it.each([undefined, null, {}, 'c', { collect: 5 }])('refuses %s', (collector) => {
    const error = caught(() => new Registry().register(collector as never))
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_NOT_A_COLLECTOR', argument: 'collector' })
  })

  const histogram = (registry: Registry): unknown => new Histogram({ name: 'x', help: 'X', registry })
  const counter =
    (name: string, more = {}) =>
    (registry: Registry): unknown =>
      new Counter({ name, help: 'X', registry, ...more })
  const gauge =
    (name: string) =>
    (registry: Registry): unknown =>
      new Gauge({ name, help: 'X', registry })
  const summary = (registry: Registry): unknown => new Summary({ name: 'x', help: 'X', registry })
  const clashes: [string, (registry: Registry) => unknown, (registry: Registry) => unknown, string][] = [
    ['a name twice', gauge('x'), gauge('x'), 'x'],
    ['histogram x beside counter x_count', histogram, counter('x_count', { totalSuffix: false }), 'x_count'],
    ['histogram x beside counter x_count_total', histogram, counter('x_count_total'), 'x_count'],
    ['histogram x beside gauge x_sum', histogram, gauge('x_sum'), 'x_sum'],
    ['histogram x beside gauge x_bucket', histogram, gauge('x_bucket'), 'x_bucket'],
    ['histogram x beside gauge x_created', histogram, gauge('x_created'), 'x_created'],
    ['histogram x beside gauge x', histogram, gauge('x'), 'x'],
    ['summary x beside gauge x_count', summary, gauge('x_count'), 'x_count'],
    ['summary x beside histogram x', summary, histogram, 'x'],
    ['counter x beside gauge x_total', counter('x'), gauge('x_total'), 'x_total'],
    ['counter x beside counter x_total', counter('x'), counter('x_total'), 'x'],
    ['counter x beside gauge x_created', counter('x'), gauge('x_created'), 'x_created'],
    [
      'bare counter x beside gauge x_total, for OpenMetrics',
      counter('x', { totalSuffix: false }),
      gauge('x_total'),
      'x_total',
    ],
  ]
  it.each(
    clashes.flatMap(([title, first, second, name]) => [
      [title, first, second, name] as const,
      [`${title}, the other way round`, second, first, name] as const,
    ]),
  )('refuses %s', async (_, first, second, sampleName) => {
    const registry = new Registry()
    const existing = first(registry)
    const before = await registry.metrics()
    const error = caught(() => second(registry))
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_NAME_CLASH', existing, argument: 'name' })
    expect(error.message).toContain(`both would have \`${sampleName}\``)
    expect(await registry.metrics()).toBe(before)
  })

  it('lets names stand beside each other that only look alike', async () => {
    const registry = new Registry()
    for (const name of ['x', 'x_total_y', 'x_buckets', 'x_sum', 'x_count']) new Gauge({ name, help: 'X', registry })
    new Histogram({ name: 'y', help: 'Y', registry })
    expect(await namesOf(registry.gather())).toHaveLength(6)
  })

  it('knows the names that a custom collector describes', () => {
    const registry = new Registry()
    const custom: Collector = { collect: () => [], describe: () => [{ name: 'x', type: 'histogram' }] }
    registry.register(custom)
    expect(caught(() => gauge('x_count')(registry))).toMatchObject({ code: 'ERR_NARTHEX_NAME_CLASH', existing: custom })
  })

  it('refuses a metric label that is a label of the registry', () => {
    const registry = new Registry({ labels: { app: 'shop' } })
    const error = caught(() => new Gauge({ name: 'g', help: 'G', labelNames: ['app'], registry }))
    expect(error.code).toBe('ERR_NARTHEX_INVALID_LABEL_NAME')
    expect(registry.get('g')).toBeUndefined()
  })

  it.each([
    ['le', (registry: Registry) => new Histogram({ name: 'm', help: 'M', registry })],
    ['quantile', (registry: Registry) => new Summary({ name: 'm', help: 'M', quantiles: [0.5], registry })],
    ['m', (registry: Registry) => new Enum({ name: 'm', help: 'M', states: ['a'], registry })],
  ])("refuses a metric whose lines carry the registry's label %s themselves", (label, make) => {
    expect(caught(() => make(new Registry({ labels: { [label]: 'x' } }))).code).toBe('ERR_NARTHEX_INVALID_LABEL_NAME')
  })

  it('takes a metric with a label called constructor', async () => {
    const registry = new Registry({ labels: { app: 'shop' } })
    new Gauge({ name: 'g', help: 'G', labelNames: ['constructor'], registry }).set({ constructor: 'x' } as never, 1)
    expect(await registry.metrics()).toContain('g{app="shop",constructor="x"} 1\n')
  })
})

describe('get-or-create', () => {
  it('gives the existing metric where the definition is the same', () => {
    const registry = new Registry()
    const options = { name: 'm_total', help: 'M', labelNames: ['a'] } as const
    const counter = registry.counter(options)
    expect(registry.counter({ ...options, name: 'm' })).toBe(counter)
    expect(registry.get('m')).toBe(counter)
    expect(registry.histogram({ name: 'h', help: 'H', buckets: [1, Infinity] })).toBe(
      registry.histogram({ name: 'h', help: 'H', buckets: [1] }),
    )
    expect(registry.gauge({ name: 'g', help: 'G' })).toBe(registry.gauge({ name: 'g', help: 'G' }))
    expect(registry.summary({ name: 's', help: 'S', quantiles: [0.9, 0.5] })).toBe(
      registry.summary({ name: 's', help: 'S', quantiles: [0.5, 0.9] }),
    )
    expect(registry.info({ name: 'i', help: 'I' })).toBe(registry.info({ name: 'i', help: 'I' }))
    expect(registry.enum({ name: 'e', help: 'E', states: ['a'] })).toBe(
      registry.enum({ name: 'e', help: 'E', states: ['a'] }),
    )
  })

  it.each([
    ['help', (registry: Registry) => registry.counter({ name: 'm', help: 'Another' })],
    ['labels', (registry: Registry) => registry.counter({ name: 'm', help: 'M', labelNames: ['a'] })],
    ['type', (registry: Registry) => registry.gauge({ name: 'm', help: 'M' })],
    ['totalSuffix', (registry: Registry) => registry.counter({ name: 'm', help: 'M', totalSuffix: false })],
    ['buckets', (registry: Registry) => registry.histogram({ name: 'h', help: 'H', buckets: [1, 2] })],
    ['unit', (registry: Registry) => registry.gauge({ name: 'g_seconds', help: 'G', unit: 'seconds' })],
    ['quantiles', (registry: Registry) => registry.summary({ name: 's', help: 'S', quantiles: [0.5] })],
    ['window', (registry: Registry) => registry.summary({ name: 's', help: 'S', maxAgeSeconds: 5 })],
    ['states', (registry: Registry) => registry.enum({ name: 'e', help: 'E', states: ['b', 'a'] })],
  ])('throws where it differs in %s, and names the existing one', (_, again) => {
    const registry = new Registry()
    registry.counter({ name: 'm', help: 'M' })
    registry.histogram({ name: 'h', help: 'H', buckets: [1] })
    registry.gauge({ name: 'g_seconds', help: 'G' })
    registry.summary({ name: 's', help: 'S' })
    registry.enum({ name: 'e', help: 'E', states: ['a', 'b'] })
    const error = caught(() => again(registry))
    expect(error.code).toBe('ERR_NARTHEX_DEFINITION_DIFFERS')
    expect(error.existing).toBe(registry.get(error.metric as string))
  })

  it('throws for a clash as register() does', () => {
    const registry = new Registry()
    registry.histogram({ name: 'x', help: 'X' })
    expect(caught(() => registry.gauge({ name: 'x_count', help: 'X' })).code).toBe('ERR_NARTHEX_NAME_CLASH')
  })
})

describe('unregister(), clear() and reset()', () => {
  it('let a name be defined anew, as hot reload does', async () => {
    const registry = new Registry()
    for (let version = 1; version <= 3; version++) {
      registry.unregister('jobs_total')
      const counter = new Counter({ name: 'jobs', help: `Version ${version}`, registry })
      counter.inc(version)
      expect(await registry.metrics()).toBe(
        `# HELP jobs_total Version ${version}\n# TYPE jobs_total counter\njobs_total ${version}\n`,
      )
    }
  })

  it('frees every sample name', () => {
    const registry = new Registry()
    const histogram = new Histogram({ name: 'x', help: 'X', registry })
    expect(registry.unregister(histogram)).toBe(true)
    expect(registry.unregister(histogram)).toBe(false)
    expect(registry.unregister('x')).toBe(false)
    for (const name of ['x', 'x_count', 'x_sum', 'x_bucket']) new Gauge({ name, help: 'X', registry })
  })

  it('keep a metric working that was let go', () => {
    const registry = new Registry()
    const counter = new Counter({ name: 'c', help: 'C', registry })
    registry.unregister(counter)
    counter.inc()
    expect(counter.labels().value).toBe(1)
    registry.register(counter)
    expect(registry.getSampleValue('c_total')).toBe(1)
  })

  it('clear() lets go of everything, self-metrics included', async () => {
    recordWarnings()
    const registry = new Registry()
    new Counter({ name: 'c', help: 'C', registry })
    registry.register(
      collectorOf('bad', () => {
        throw new Error('no')
      }),
    )
    await registry.metrics()
    registry.clear()
    expect(await registry.metrics()).toBe('')
    new Gauge({ name: 'c_total', help: 'C', registry })
  })

  it('reset() sets every metric to zero and leaves the series on the page', async () => {
    const registry = new Registry()
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a'], registry })
    const histogram = new Histogram({ name: 'h', help: 'H', buckets: [1], registry })
    const held = counter.labels('x')
    held.inc(5)
    histogram.observe(3)
    registry.reset()
    expect(await registry.metrics()).toMatch(
      /^c_total\{a="x"\} 0$[^]*^h_bucket\{le="1"\} 0\nh_bucket\{le="\+Inf"\} 0\nh_sum 0\nh_count 0$/m,
    )
    held.inc()
    expect(registry.getSampleValue('c_total', { a: 'x' })).toBe(1)
  })
})

describe('get()', () => {
  it('finds a metric by its name, with or without the suffix of its samples', () => {
    const registry = new Registry()
    const counter = registry.counter({ name: 'c', help: 'C' })
    const histogram = registry.histogram({ name: 'h', help: 'H' })
    expect([registry.get('c'), registry.get('c_total'), registry.get('h')]).toEqual([counter, counter, histogram])
  })

  it('is undefined where there is nothing', () => {
    const registry = new Registry()
    registry.histogram({ name: 'h', help: 'H' })
    for (const name of ['g', 'h_count', 'h_total', '', 'constructor', '__proto__'])
      expect(registry.get(name)).toBeUndefined()
  })
})

describe('getSampleValue()', () => {
  it('reads one line as it is now', () => {
    const registry = new Registry()
    registry.histogram({ name: 'h', help: 'H', labelNames: ['a'], buckets: [0.5] }).observe({ a: 'x' }, 1)
    registry.info({ name: 'i', help: 'I' }).info({ version: '1' })
    expect(registry.getSampleValue('h_bucket', { a: 'x', le: 0.5 })).toBe(0)
    expect(registry.getSampleValue('h_bucket', { le: '+Inf', a: 'x' })).toBe(1)
    expect(registry.getSampleValue('h_count', { a: 'x' })).toBe(1)
    expect(registry.getSampleValue('i_info', { version: 1 })).toBe(1)
  })

  it('takes an empty label for an absent one', () => {
    const registry = new Registry()
    registry.gauge({ name: 'g', help: 'G', labelNames: ['a', 'b'] }).set({ a: 'x', b: '' }, 5)
    expect(registry.getSampleValue('g', { a: 'x' })).toBe(5)
    expect(registry.getSampleValue('g', { a: 'x', b: '' })).toBe(5)
  })

  it('is undefined where there is no such line, and runs no callback', () => {
    const registry = new Registry()
    const collect = vi.fn((): MetricFamily[] => [])
    registry.register({ collect })
    registry.gauge({ name: 'g', help: 'G', labelNames: ['a'], collect: () => void collect() }).set({ a: 'x' }, 5)
    expect(registry.getSampleValue('g')).toBeUndefined()
    expect(registry.getSampleValue('g', { a: 'y' })).toBeUndefined()
    expect(registry.getSampleValue('g', { a: 'x', b: 'y' })).toBeUndefined()
    expect(registry.getSampleValue('nothing')).toBeUndefined()
    expect(collect).not.toHaveBeenCalled()
  })

  it('knows names and labels as the page shows them', () => {
    const registry = new Registry({ prefix: 'shop_', labels: { app: 'a' } })
    registry.counter({ name: 'c', help: 'C' }).inc()
    expect(registry.getSampleValue('shop_c_total', { app: 'a' })).toBe(1)
    expect(registry.getSampleValue('c_total')).toBeUndefined()
  })
})

describe('labels and prefix', () => {
  it('are put on every line, self-metrics included', async () => {
    recordWarnings()
    const registry = new Registry({ prefix: 'shop_', labels: { app: 'a"b', zone: '', shard: 3 } })
    registry.counter({ name: 'c', help: 'C', labelNames: ['x'] }).inc({ x: '1' })
    registry.enum({ name: 'phase', help: 'P', states: ['on'] })
    registry.register(collectorOf('custom', () => [gaugeFamily('g')]))
    registry.register(
      collectorOf('bad', () => {
        throw new Error('no')
      }),
    )
    expect((await registry.metrics()).split('\n').filter((line) => !line.startsWith('#'))).toEqual([
      'shop_c_total{app="a\\"b",shard="3",x="1"} 1',
      'shop_phase{app="a\\"b",shard="3",shop_phase="on"} 1',
      'shop_g{app="a\\"b",shard="3"} 1',
      'shop_narthex_collector_errors_total{app="a\\"b",shard="3",collector="bad"} 1',
      '',
    ])
  })

  it('do not touch the metric: another registry shows it bare', async () => {
    const bare = new Registry()
    const counter = new Counter({ name: 'c', help: 'C', registry: new Registry({ prefix: 'p_', labels: { a: 'x' } }) })
    bare.register(counter)
    expect(await bare.metrics()).toContain('\nc_total 0\n')
  })

  it('give way to a label of the same name that a collector sets', async () => {
    const registry = new Registry({ labels: { app: 'registry' } })
    registry.register(
      collectorOf('custom', () => [new GaugeMetricFamily({ name: 'g', help: 'G' }).add({ app: 'own' }, 1)]),
    )
    expect(await registry.metrics()).toContain('\ng{app="own"} 1\n')
  })
})

describe('gather()', () => {
  it('gives families in the order of registration', async () => {
    const registry = new Registry()
    for (const name of ['b', 'a', 'c']) registry.gauge({ name, help: 'X' })
    expect(await namesOf(registry.gather())).toEqual(['b', 'a', 'c'])
  })

  it.each([
    ['iterable', () => [gaugeFamily('g')]],
    [
      'generator',
      function* () {
        yield gaugeFamily('g')
      },
    ],
    ['Promise', () => Promise.resolve([gaugeFamily('g')])],
    [
      'async generator',
      async function* () {
        yield gaugeFamily('g')
      },
    ],
    ['Promise of a Set', async () => new Set([gaugeFamily('g')])],
  ])('takes what a collector brings as an %s', async (_, collect) => {
    const registry = new Registry()
    registry.register(collectorOf('custom', collect))
    expect(await registry.metrics()).toBe('# HELP g g\n# TYPE g gauge\ng 1\n')
  })

  it('lets all collectors run at the same time', async () => {
    const registry = new Registry()
    let running = 0
    let most = 0
    for (let index = 0; index < 5; index++) {
      registry.register(
        collectorOf(`slow ${index}`, async () => {
          most = Math.max(most, ++running)
          await new Promise((resolve) => void setImmediate(resolve))
          running -= 1
          return []
        }),
      )
    }
    await registry.metrics()
    expect(most).toBe(5)
  })

  it('shares one collection between scrapes at the same time, and starts anew after it', async () => {
    const registry = new Registry()
    const collect = vi.fn(async () => {
      await new Promise((resolve) => void setImmediate(resolve))
      return [gaugeFamily('g', collect.mock.calls.length)]
    })
    registry.register({ collect })
    const pages = await Promise.all([registry.metrics(), registry.metrics(), registry.metrics()])
    expect(collect).toHaveBeenCalledTimes(1)
    expect(new Set(pages).size).toBe(1)
    expect(await registry.metrics()).toContain('\ng 2\n')
  })

  it('lets a scrape that shares a collection wait no longer than its own time-out', async () => {
    recordWarnings()
    const registry = new Registry()
    const collect = vi.fn(() => new Promise<MetricFamily[]>((done) => void setTimeout(done, 300, [gaugeFamily('g')])))
    registry.register({ name: 'slow', collect })
    const patient = registry.metrics()
    const hasty: string[] = []
    for await (const { name } of registry.gather({ timeout: 30 })) hasty.push(name)
    expect(hasty).toEqual(['narthex_collector_errors'])
    expect(registry.getSampleValue('narthex_collector_errors_total', { collector: 'slow' })).toBe(1)
    expect(await patient).toContain('\ng 1\n')
    expect(collect).toHaveBeenCalledTimes(1)
  })

  it('asks a concurrent collector for each scrape, with the time-out of that scrape', async () => {
    const registry = new Registry()
    const timeouts: unknown[] = []
    registry.register({
      concurrent: true,
      collect: async (options) => {
        timeouts.push(options?.timeout)
        await new Promise((resolve) => void setImmediate(resolve))
        return [gaugeFamily('g')]
      },
    })
    const page = async (timeout: number): Promise<number> => {
      let count = 0
      for await (const { name } of registry.gather({ timeout })) count += Number(name === 'g')
      return count
    }
    expect(await Promise.all([page(2_000), page(1_000)])).toEqual([1, 1])
    expect(timeouts).toEqual([2_000, 1_000])
  })

  it('shares a collection that is there at once between scrapes that begin together', async () => {
    const registry = new Registry()
    const collect = vi.fn(() => [gaugeFamily('g', collect.mock.calls.length)])
    registry.register({ collect })
    const pages = await Promise.all([registry.metrics(), registry.metrics()])
    expect(collect).toHaveBeenCalledTimes(1)
    expect(new Set(pages).size).toBe(1)
    expect(await registry.metrics()).toContain('\ng 2\n')
  })

  it('shares the asynchronous collect option of a metric too', async () => {
    const registry = new Registry()
    const collect = vi.fn(async () => new Promise<void>((resolve) => void setImmediate(resolve)))
    registry.gauge({ name: 'g', help: 'G', collect })
    await Promise.all([registry.metrics(), registry.metrics()])
    expect(collect).toHaveBeenCalledTimes(1)
  })

  it('collects in each registry for itself', async () => {
    const collect = vi.fn(async () => [gaugeFamily('g')])
    const registries = [new Registry(), new Registry()]
    for (const registry of registries) registry.register({ collect })
    await Promise.all(registries.map((registry) => registry.metrics()))
    expect(collect).toHaveBeenCalledTimes(2)
  })
})

describe('a failing collector', () => {
  const failures: [string, () => unknown][] = [
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    [
      'throws text',
      () => {
        throw 'no'
      },
    ], // oxlint-disable-line no-throw-literal
    [
      'throws what has no text',
      () => {
        throw Object.create(null)
      },
    ],
    [
      'throws nothing',
      () => {
        throw undefined
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
    ['rejects with what has no text', () => Promise.reject(Object.create(null))],
    [
      'throws while it is iterated',
      function* () {
        yield gaugeFamily('lost')
        throw new Error('no')
      },
    ],
    [
      'rejects while it is iterated',
      async function* () {
        yield gaugeFamily('lost')
        throw new Error('no')
      },
    ],
    ['gives nothing', () => undefined],
    ['gives a number', () => 5],
    ['gives a single family', () => gaugeFamily('lost')],
    ['gives null for a family', () => [null]],
    ['gives text for a family', () => ['# HELP lost\nlost 1']],
    ['gives a family without a name', () => [{ help: '', type: 'gauge', series: [] }]],
    ['gives a family of an unknown type', () => [{ name: 'lost', help: '', type: 'meter', series: [] }]],
    ['gives a family of type constructor', () => [{ name: 'lost', help: '', type: 'constructor', series: [] }]],
    ['gives a family without series', () => [{ name: 'lost', help: '', type: 'gauge' }]],
  ]
  it.each(failures)('that %s costs its own families only, is counted and warned about', async (_, collect) => {
    const warnings = recordWarnings()
    const registry = new Registry()
    registry.gauge({ name: 'before', help: 'B' })
    registry.register(collectorOf('bad', collect))
    registry.register(collectorOf('good', () => [gaugeFamily('after')]))
    const page = await registry.metrics()
    expect(page.split('\n').filter((line) => !line.startsWith('#'))).toEqual([
      'before 0',
      'after 1',
      'narthex_collector_errors_total{collector="bad"} 1',
      '',
    ])
    await registry.metrics()
    expect(errorsOf(registry, 'bad')).toBe(2)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatchObject({ code: 'NARTHEX_COLLECTOR_ERROR', type: 'NarthexWarning' })
    expect(warnings[0]!.message).toMatch(/^Collector `bad` has lost families of a page: /)
  })

  it('is known by its constructor where it has no name, and by less where it has no constructor', async () => {
    recordWarnings()
    const registry = new Registry()
    class QueueCollector implements Collector {
      collect(): never {
        throw new Error('no')
      }
    }
    registry.register(new QueueCollector())
    registry.register(
      Object.assign(Object.create(null) as object, {
        collect: () => {
          throw new Error('no')
        },
      }),
    )
    registry.gauge({ name: 'g', help: 'G' })
    const page = await registry.metrics()
    expect(page).toContain('\ng 0\n')
    expect(page).toContain('narthex_collector_errors_total{collector="QueueCollector"} 1\n')
    expect(page.match(/^narthex_collector_errors_total/gm)).toHaveLength(2)
  })

  it('may be the collect option of a metric: its metric is left out, the others not', async () => {
    recordWarnings()
    const registry = new Registry()
    registry.gauge({
      name: 'bad',
      help: 'B',
      collect: () => {
        throw new Error('no')
      },
    })
    registry.gauge({ name: 'worse', help: 'W', collect: () => Promise.reject(new Error('no')) })
    registry.gauge({ name: 'good', help: 'G' })
    expect(await namesOf(registry.gather())).toEqual(['good', 'narthex_collector_errors'])
    expect([errorsOf(registry, 'bad'), errorsOf(registry, 'worse')]).toEqual([1, 1])
  })
})

describe('a collector whose series are wrong', () => {
  const series =
    (type: string, ...entries: unknown[]) =>
    () => [{ name: 'bad', help: '', type, series: entries }]
  const failures: [string, () => unknown][] = [
    ['has a value that is text', series('gauge', { labels: {}, value: '5' })],
    ['has no value', series('gauge', { labels: {} })],
    ['has a value that breaks the line', series('gauge', { labels: {}, value: '5\nx 1' })],
    ['has null for a series', series('gauge', null)],
    ['has a timestamp of NaN', series('gauge', { labels: {}, value: 1, timestamp: Number.NaN })],
    ['has an endless timestamp', series('gauge', { labels: {}, value: 1, timestamp: Infinity })],
    ['has a timestamp beyond 64 bits', series('gauge', { labels: {}, value: 1, timestamp: 1e300 })],
    ['has an object for a label value', series('gauge', { labels: { a: {} }, value: 1 })],
    ['has a label without a name', series('gauge', { labels: { '': 'x' }, value: 1 })],
    ['has the label __name__', series('gauge', { labels: { __name__: 'x' }, value: 1 })],
    ['has the label le on a histogram', series('histogram', { labels: { le: 'x' }, buckets: [], count: 1, sum: 1 })],
    [
      'has the label quantile on a summary',
      series('summary', { labels: { quantile: 'x' }, quantiles: [], count: 1, sum: 1 }),
    ],
    [
      'has its own name as a label of a state set',
      series('stateset', { labels: { bad: 'x' }, states: [{ name: 'on', enabled: true }] }),
    ],
    ['has labels that meet once escaped', series('gauge', { labels: { 'a.b': 'x', a_b: 'y' }, value: 1 })],
    ['has no buckets', series('histogram', { labels: {}, count: 1, sum: 1 })],
    [
      'has a bound that is text',
      series('histogram', { labels: {}, buckets: [{ le: ' 1', count: 1 }], count: 1, sum: 1 }),
    ],
    [
      'has a bucket count that is text',
      series('histogram', { labels: {}, buckets: [{ le: 1, count: ' 1\n' }], count: 1, sum: 1 }),
    ],
    [
      'has a quantile value that is text',
      series('summary', { labels: {}, quantiles: [{ quantile: 0.5, value: ' 1\n' }] }),
    ],
    ['has a state without a name', series('stateset', { labels: {}, states: [{ enabled: true }] })],
  ]
  it.each(failures)('and %s leaves the page whole', async (_, collect) => {
    recordWarnings()
    const registry = new Registry()
    registry.register(collectorOf('custom', collect))
    registry.register(collectorOf('good', () => [gaugeFamily('after')]))
    const page = await registry.metrics()
    expect(page.split('\n').filter((line) => !line.startsWith('#') && !line.startsWith('narthex_'))).toEqual([
      'after 1',
      '',
    ])
    expect(page).toMatch(/^narthex_collector_errors_total\{collector="custom"\} 1$/m)
  })

  it('keeps the lines before a series that throws', async () => {
    recordWarnings()
    const registry = new Registry()
    registry.register(
      collectorOf('custom', series('gauge', { labels: { a: '1' }, value: 1 }, { labels: { a: '2' }, value: 'x' })),
    )
    registry.gauge({ name: 'g', help: 'G' })
    expect(await registry.metrics()).toMatch(/^# TYPE bad gauge\nbad\{a="1"\} 1\n# HELP g G\n# TYPE g gauge\ng 0\n/)
  })

  it('has label values made strings', async () => {
    const registry = new Registry()
    registry.register(collectorOf('custom', series('gauge', { labels: { a: 5, b: true, c: '\ud800' }, value: 1 })))
    expect(await registry.metrics()).toContain('bad{a="5",b="true",c="\ufffd"} 1\n')
  })
})

describe('families that clash on a page', () => {
  it('from collectors: the later one is left out, counted and warned about once', async () => {
    const warnings = recordWarnings()
    const registry = new Registry()
    registry.register(collectorOf('first', () => [gaugeFamily('x', 1)]))
    registry.register(collectorOf('second', () => [gaugeFamily('x', 2), gaugeFamily('y', 3)]))
    const page = await registry.metrics()
    expect(page).toContain('\nx 1\n')
    expect(page).not.toContain('x 2')
    expect(page).toContain('\ny 3\n')
    await registry.metrics()
    expect(errorsOf(registry, 'second')).toBe(2)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]!.message).toContain('clashes with another on `x`')
  })

  it('by a sample name of another type', async () => {
    recordWarnings()
    const registry = new Registry()
    registry.histogram({ name: 'x', help: 'X' })
    registry.register(collectorOf('custom', () => [gaugeFamily('x_count')]))
    expect(await namesOf(registry.gather())).toEqual(['x', 'narthex_collector_errors'])
  })

  it('only once escaped: only where the page escapes', async () => {
    recordWarnings()
    const registry = new Registry()
    registry.gauge({ name: 'a.b', help: 'X' })
    registry.gauge({ name: 'a_b', help: 'X' })
    registry.gauge({ name: 'a b', help: 'X' })
    expect(await namesOf(registry.gather())).toEqual(['a.b', 'a_b', 'a b'])
    expect((await registry.metrics()).match(/^a_b /gm)).toHaveLength(1)
    expect([errorsOf(registry, 'a_b'), errorsOf(registry, 'a b')]).toEqual([1, 1])
  })

  it.each(['underscores', 'dots', 'values', 'allow-utf-8'] as const)('by a sample name, under %s', async (escaping) => {
    recordWarnings()
    const registry = new Registry()
    registry.register(collectorOf('first', () => [new CounterMetricFamily({ name: 'a.b', help: 'A', value: 1 })]))
    registry.register(collectorOf('second', () => [gaugeFamily('a.b_total')]))
    expect(await namesOf(registry.gather({ escaping }))).toEqual(['a.b', 'narthex_collector_errors'])
  })

  it('with a self-metric: the page shows the one that came first', async () => {
    recordWarnings()
    const registry = new Registry()
    registry.gauge({ name: 'narthex_collector_errors_total', help: 'Mine' })
    registry.register(
      collectorOf('bad', () => {
        throw new Error('no')
      }),
    )
    expect((await registry.metrics()).match(/^# TYPE narthex_collector_errors_total/gm)).toHaveLength(1)
  })
})

describe('collectTimeout', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  const hanging = (): Promise<never> => new Promise(() => undefined)

  async function settled<T>(promise: Promise<T>, milliseconds: number): Promise<T | 'pending'> {
    let result: T | 'pending' = 'pending'
    void promise.then((value) => (result = value))
    await vi.advanceTimersByTimeAsync(milliseconds)
    return result
  }

  it('costs a late collector its families, and the page nothing', async () => {
    const warnings = recordWarnings()
    const registry = new Registry({ collectTimeout: 100 })
    registry.register(collectorOf('hanging', hanging))
    registry.gauge({ name: 'g', help: 'G' })
    const page = registry.metrics()
    expect(await settled(page, 99)).toBe('pending')
    expect(await settled(page, 2)).toContain('\ng 0\n')
    expect(errorsOf(registry, 'hanging')).toBe(1)
    expect(warnings[0]!.message).toContain('expected `collect` to end within 100 ms')
  })

  it('is five seconds by default', async () => {
    recordWarnings()
    const registry = new Registry()
    registry.register(collectorOf('hanging', hanging))
    const page = registry.metrics()
    expect(await settled(page, 4999)).toBe('pending')
    expect(await settled(page, 2)).toContain('narthex_collector_errors_total{collector="hanging"} 1')
  })

  it('runs for all collectors at the same time', async () => {
    recordWarnings()
    const registry = new Registry({ collectTimeout: 100 })
    for (let index = 0; index < 5; index++) registry.register(collectorOf(`hanging ${index}`, hanging))
    expect(await settled(registry.metrics(), 101)).toContain('hanging 4')
  })

  it('gives way to a shorter one of the scrape, not to a longer one', async () => {
    recordWarnings()
    const registry = new Registry({ collectTimeout: 100 })
    registry.register(collectorOf('hanging', hanging))
    expect(await settled(namesOf(registry.gather({ timeout: 10 })), 11)).toEqual(['narthex_collector_errors'])
    const late = namesOf(registry.gather({ timeout: 1000 }))
    expect(await settled(late, 101)).toEqual(['narthex_collector_errors'])
  })

  it('does not start a collection again that is still under way', async () => {
    recordWarnings()
    const registry = new Registry({ collectTimeout: 100 })
    let finish: (families: MetricFamily[]) => void = () => undefined
    const collect = vi.fn(() => new Promise<MetricFamily[]>((resolve) => void (finish = resolve)))
    registry.register({ collect })
    for (let scrape = 0; scrape < 3; scrape++) await settled(registry.metrics(), 101)
    expect(collect).toHaveBeenCalledTimes(1)
    finish([])
    await vi.advanceTimersByTimeAsync(1)
    void registry.metrics()
    await vi.advanceTimersByTimeAsync(1)
    expect(collect).toHaveBeenCalledTimes(2)
  })

  it('of Infinity waits for ever, and a large one does not fire at once', async () => {
    recordWarnings()
    for (const collectTimeout of [Infinity, 2 ** 31]) {
      const registry = new Registry({ collectTimeout })
      registry.register(
        collectorOf('slow', () => new Promise((resolve) => void setTimeout(resolve, 60_000, [gaugeFamily('g')]))),
      )
      const page = registry.metrics()
      expect(await settled(page, 59_000)).toBe('pending')
      expect(await settled(page, 2000)).toContain('\ng 1\n')
    }
  })

  it('leaves no timer behind', async () => {
    const registry = new Registry()
    registry.register(collectorOf('quick', async () => [gaugeFamily('g')]))
    await registry.metrics()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('names', () => {
  const registryOf = (): Registry => {
    const registry = new Registry({ prefix: 'p_' })
    registry.counter({ name: 'c', help: 'C' })
    registry.histogram({ name: 'h', help: 'H' })
    registry.register(collectorOf('custom', () => [gaugeFamily('g'), gaugeFamily('other')]))
    return registry
  }

  it.each([
    [['p_c'], ['p_c']],
    [['p_c_total'], ['p_c']],
    [['p_h_bucket'], ['p_h']],
    [
      ['p_h_count', 'p_h_sum', 'p_g'],
      ['p_h', 'p_g'],
    ],
    [['c', 'h', 'g'], []],
    [['p_'], []],
    [[], []],
  ])('%j leave %j on the page', async (names, families) => {
    expect(await namesOf(registryOf().gather({ names }))).toEqual(families)
  })

  it('spare the collectors that cannot have them', async () => {
    const registry = new Registry()
    const collect = vi.fn((): MetricFamily[] => [])
    registry.register({ collect, describe: () => [{ name: 'x', type: 'gauge' }] })
    registry.gauge({ name: 'g', help: 'G', collect: () => void collect() })
    await namesOf(registry.gather({ names: ['other'] }))
    expect(collect).not.toHaveBeenCalled()
    await namesOf(registry.gather({ names: ['x'] }))
    expect(collect).toHaveBeenCalledTimes(1)
  })

  it('find self-metrics too', async () => {
    recordWarnings()
    const registry = new Registry()
    registry.register(
      collectorOf('bad', () => {
        throw new Error('no')
      }),
    )
    await registry.metrics()
    expect(await namesOf(registry.gather({ names: ['narthex_collector_errors_total'] }))).toEqual([
      'narthex_collector_errors',
    ])
  })
})

describe('metrics() and stream()', () => {
  it('default to text 0.0.4', async () => {
    const registry = new Registry()
    registry.gauge({ name: 'größe', help: 'Ä' })
    expect(registry.contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(await registry.metrics()).toBe('# HELP gr__e Ä\n# TYPE gr__e gauge\ngr__e 0\n')
    const chunks: Uint8Array[] = []
    for await (const chunk of registry.stream()) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe(await registry.metrics())
  })

  it('are the same page where it takes several chunks, whatever is in it', async () => {
    const registry = new Registry()
    const gauge = registry.gauge({ name: 'g', help: 'G', labelNames: ['text'] })
    for (let index = 0; index < 4_000; index++) gauge.set({ text: `${index} \ufeffä火😱`.repeat(3) }, index)
    const chunks: Uint8Array[] = []
    for await (const chunk of registry.stream()) chunks.push(chunk)
    expect(chunks.length).toBeGreaterThan(2)
    expect(await registry.metrics()).toBe(Buffer.concat(chunks).toString())
  })

  it('are empty where nothing is registered', async () => {
    expect(await new Registry().metrics()).toBe('')
  })
})

describe('defaultRegistry', () => {
  it('is where metrics go that name none', async () => {
    vi.resetModules()
    const { defaultRegistry, Gauge: DefaultGauge } = await import('@narthex/core')
    const gauge = new DefaultGauge({ name: 'default_gauge', help: 'G' })
    try {
      expect(defaultRegistry.get('default_gauge')).toBe(gauge)
    } finally {
      defaultRegistry.unregister(gauge)
    }
  })

  it('is one for two copies of the package', async () => {
    vi.resetModules()
    const first = await import('@narthex/core')
    vi.resetModules()
    const second = await import('@narthex/core')
    expect(second.Registry).not.toBe(first.Registry)
    expect(second.defaultRegistry).toBe(first.defaultRegistry)
    const registry = first.defaultRegistry
    const here = new first.Counter({ name: 'first_copy', help: 'F' })
    const there = new second.Counter({ name: 'second_copy', help: 'S' })
    try {
      here.inc(1)
      there.inc(2)
      expect(await registry.metrics()).toMatch(/^first_copy_total 1$[^]*^second_copy_total 2$/m)
      expect(() => new second.Gauge({ name: 'first_copy_total', help: 'F' })).toThrow('first_copy')
      expect(registry.get('second_copy')).toBe(there)
      expect(registry.getSampleValue('second_copy_total')).toBe(2)
      expect(registry.counter({ name: 'second_copy', help: 'S' })).toBe(there)
      expect(() => registry.counter({ name: 'second_copy', help: 'Another' })).toThrow('to be those of the registered')
      registry.reset()
      expect(registry.getSampleValue('second_copy_total')).toBe(0)
    } finally {
      registry.unregister(here)
      registry.unregister(there)
    }
  })
})

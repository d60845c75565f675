import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { encode } from '../../src/exposition/encode.ts'
import { openMetricsFormat } from '../../src/exposition/openmetrics.ts'
import { protobufFormat } from '../../src/exposition/protobuf.ts'
import type { MetricFamily } from '../../src/family.ts'
import { textFormat } from '../../src/exposition/text.ts'
import { type Aggregation, AGGREGATIONS } from '../../src/family.ts'
import type { Part } from '../../src/multiprocess/merge.ts'
import { parseProtobuf } from '../../src/parse/protobuf.ts'
import { Registry } from '../../src/registry.ts'
import { joined, mergedFamilies, partOf } from './merged.ts'

/** A process under test: one metric of every type, and what happens to them. */
class Program {
  readonly registry = new Registry()
  readonly counter = this.registry.counter({ name: 'c', help: 'C', labelNames: ['k'] })
  readonly gauge = this.registry.gauge({ name: 'g', help: 'G', labelNames: ['k'] })
  readonly latest = this.registry.gauge({ name: 'l', help: 'L', aggregation: 'mostrecent' })
  readonly histogram = this.registry.histogram({ name: 'h', help: 'H', labelNames: ['k'], buckets: [1, 2, 5] })
  readonly native = this.registry.histogram({ name: 'n', help: 'N', native: { factor: 1.1, maxBuckets: 8 } })
  readonly summary = this.registry.summary({ name: 's', help: 'S', quantiles: [0, 0.5, 0.9, 1] })
  readonly info = this.registry.info({ name: 'i', help: 'I', labelNames: ['k'] })
  readonly state = this.registry.enum({ name: 'e', help: 'E', states: ['off', 'on'] })

  do({ kind, key, value }: Step): void {
    const labels = { k: key }
    if (kind === 'counter') this.counter.inc(labels, value, { trace_id: `${key}${value}` })
    if (kind === 'gauge') this.gauge.inc(labels, value)
    if (kind === 'latest') this.latest.set(value)
    if (kind === 'histogram') this.histogram.observe(labels, value, { trace_id: `${key}${value}` })
    if (kind === 'native') this.native.observe(value * 1000)
    if (kind === 'summary') this.summary.observe(value)
    if (kind === 'info') this.info.info(labels, { value })
    if (kind === 'state') this.state.state(value > 3 ? 'on' : 'off')
  }
}

interface Step {
  readonly kind: string
  readonly key: string
  readonly value: number
}

const KINDS = ['counter', 'gauge', 'latest', 'histogram', 'native', 'summary', 'info', 'state']
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom(...KINDS),
    // What would break a key that is joined from strings.
    key: fc.constantFrom('a', 'b', '"', '\n', ',', '\\', '{}', 'ü', ''),
    // Fractions whose sums are exact, so that one process has the same sum.
    value: fc.integer({ min: 0, max: 6 * 1024 }).map((number) => number / 1024),
    process: fc.nat(3),
  }),
  { maxLength: 60 },
)

/** A page without what depends on the order in which series were first seen. */
function linesOf(families: readonly MetricFamily[]): string[] {
  const pages = [encode(families, textFormat), encode(families, openMetricsFormat)]
  const text = pages.map((page) => new TextDecoder().decode(page)).join('')
  const lines = text.split('\n').filter((line) => !/_created/.test(line))
  const natives = parseProtobuf(encode(families, protobufFormat)).flatMap((family) =>
    family.name === 'n' ? [...family.series].map((series) => JSON.stringify({ ...series, created: 0 })) : [],
  )
  return [...lines, ...natives].sort()
}

async function run(program: readonly (Step & { process: number })[]): Promise<{ parts: Part[]; single: Program }> {
  const single = new Program()
  const processes = [0, 1, 2, 3].map(() => new Program())
  for (const step of program) {
    vi.advanceTimersByTime(1)
    single.do(step)
    processes[step.process]?.do(step)
  }
  return { parts: await Promise.all(processes.map(({ registry }, index) => partOf(registry, index))), single }
}

describe('several processes', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 }))
  afterEach(() => void vi.useRealTimers())

  it('show what one process would that had seen it all', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (program) => {
        const { parts, single } = await run(program)
        const families = [...single.registry.ownMetrics()].map(({ family }) => family)
        // A series that no process has touched since its start is there all the same.
        expect(linesOf(await mergedFamilies(parts))).toEqual(linesOf(families))
      }),
      { numRuns: 60 },
    )
  })

  it('show the same in whatever order and grouping they are merged', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), async (program, order) => {
        const { parts } = await run(program)
        const all = linesOf(await mergedFamilies(parts))
        const [a, b, c, d] = order.map((index) => parts[index] as Part) as [Part, Part, Part, Part]
        expect(linesOf(await mergedFamilies([a, b, c, d]))).toEqual(all)
        expect(linesOf(await mergedFamilies([await joined([a, b]), await joined([c, d])]))).toEqual(all)
        expect(linesOf(await mergedFamilies([await joined([await joined([d, a]), b]), c]))).toEqual(all)
      }),
      { numRuns: 40 },
    )
  })
})

describe('counts of fractions', () => {
  it('are one double for every grouping, with thirds and tenths as well', async () => {
    const fractions = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 3, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(fractions, async (values) => {
        const parts = await Promise.all(
          values.map((value, index) => {
            const registry = new Registry()
            registry.counter({ name: 'c', help: '' }).inc(value)
            registry.histogram({ name: 'h', help: '', buckets: [1] }).observe(value)
            return partOf(registry, index)
          }),
        )
        const all = linesOf(await mergedFamilies(parts))
        expect(linesOf(await mergedFamilies(parts.toReversed()))).toEqual(all)
        const archive = await joined(parts.slice(0, 2), true)
        const older = await joined([archive, parts[2] as Part], true)
        expect(linesOf(await mergedFamilies([...parts.slice(3), older]))).toEqual(all)
      }),
      { numRuns: 40 },
    )
  })
})

describe('gauges', () => {
  async function merged(
    values: readonly number[],
    aggregation: Aggregation,
    more: { live?: boolean; dead?: number } = {},
  ): Promise<unknown[]> {
    const { live, dead = 0 } = more
    const parts = await Promise.all(
      values.map((value, index) => {
        const registry = new Registry()
        registry.gauge({ name: 'g', help: '', aggregation, ...(live !== undefined && { live }) }).set(value)
        return partOf(registry, index, { isLive: index >= dead })
      }),
    )
    const [family] = await mergedFamilies(parts)
    return [...(family?.series ?? [])]
  }

  it.each([
    ['sum', 9],
    ['min', -1],
    ['max', 8],
    ['avg', 3],
  ] as const)('have as their %s %d', async (aggregation, value) => {
    expect(await merged([8, -1, 2], aggregation)).toEqual([{ labels: {}, value }])
  })

  it('are taken from whoever set them last, and not from one that was never set', async () => {
    const parts: Part[] = []
    for (const [index, value] of [
      [0, 5],
      [1, 7],
    ] as const) {
      vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 - index * 1000 })
      const registry = new Registry()
      registry.gauge({ name: 'g', help: '', aggregation: 'mostrecent' }).set(value)
      parts.push(await partOf(registry, index))
    }
    vi.useRealTimers()
    const unset = new Registry()
    unset.gauge({ name: 'g', help: '', aggregation: 'mostrecent' })
    parts.push(await partOf(unset, 2))
    const [family] = await mergedFamilies(parts)
    expect([...(family?.series ?? [])]).toEqual([{ labels: {}, value: 5 }])
  })

  it('are kept apart by `each`', async () => {
    expect(await merged([8, 9], 'each')).toEqual([
      { labels: { pid: '1' }, value: 9 },
      { labels: { pid: '0' }, value: 8 },
    ])
  })

  it('go with their process, unless they are told to stay', async () => {
    expect(await merged([8, 2], 'sum', { dead: 1 })).toEqual([{ labels: {}, value: 2 }])
    expect(await merged([8, 2], 'sum', { dead: 1, live: false })).toEqual([{ labels: {}, value: 10 }])
    expect(await merged([8, 2], 'max', { dead: 2 })).toEqual([])
  })

  it.each(AGGREGATIONS)('that stay have the same %s before and after they are archived', async (aggregation) => {
    const parts = await Promise.all(
      [3, 1, 2].map((value, index) => {
        const registry = new Registry()
        registry.gauge({ name: 'g', help: '', aggregation, live: false }).set(value)
        return partOf(registry, index, { isLive: index === 0 })
      }),
    )
    const archive = await joined(parts.slice(1), true)
    const seriesOf = async (of: readonly Part[]): Promise<unknown[]> =>
      [...((await mergedFamilies(of))[0]?.series ?? [])].map((series) => JSON.stringify(series)).sort()
    expect(await seriesOf([parts[0] as Part, archive])).toEqual(await seriesOf(parts))
  })

  it('that are no number lose to all that are', async () => {
    expect(await merged([Number.NaN, 3, 4], 'min')).toEqual([{ labels: {}, value: 3 }])
    expect(await merged([3, Number.NaN, 4], 'max')).toEqual([{ labels: {}, value: 4 }])
  })
})

describe('histograms of other buckets', () => {
  async function part(bounds: readonly number[], values: readonly number[], pid: number, isLive = true): Promise<Part> {
    const registry = new Registry()
    const histogram = registry.histogram({ name: 'h', help: '', buckets: bounds })
    for (const value of values) histogram.observe(value)
    return partOf(registry, pid, { isLive })
  }

  async function bucketsOf(parts: readonly Part[]): Promise<[le: number, count: number][]> {
    const [family] = await mergedFamilies(parts)
    const [series] = [...(family?.series ?? [])] as unknown as { buckets: { le: number; count: number }[] }[]
    return series?.buckets.map(({ le, count }) => [le, count]) ?? []
  }

  it('count at each bound what is known to be at or below it', async () => {
    const parts = [await part([1, 5], [0.5, 3], 0), await part([2, 5], [0.5, 3, 9], 1)]
    expect(await bucketsOf(parts)).toEqual([
      [1, 1],
      [2, 2],
      [5, 4],
      [Infinity, 5],
    ])
  })

  it('show only bounds that are still in use', async () => {
    const parts = [await part([1, 5], [0.5, 3], 0, false), await part([2, 5], [0.5, 3, 9], 1)]
    const buckets = [
      [2, 2],
      [5, 4],
      [Infinity, 5],
    ]
    expect(await bucketsOf(parts)).toEqual(buckets)
    expect(await bucketsOf([await joined(parts.slice(0, 1), true), ...parts.slice(1)])).toEqual(buckets)
  })

  it('never go down at a bound when more is observed, whoever is merged', async () => {
    const bounds = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 })
    const layouts = fc.array(fc.tuple(bounds, fc.array(fc.integer({ min: 0, max: 10 }), { maxLength: 8 })), {
      minLength: 2,
      maxLength: 4,
    })
    await fc.assert(
      fc.asyncProperty(layouts, fc.integer({ min: 0, max: 10 }), async (programs, more) => {
        const partsWith = (last: number[]): Promise<Part[]> =>
          Promise.all(
            programs.map(([layout, values], index) =>
              part(
                layout.toSorted((a, b) => a - b),
                index === 0 ? [...values, ...last] : values,
                index,
              ),
            ),
          )
        const before = new Map(await bucketsOf(await partsWith([])))
        for (const [le, count] of await bucketsOf(await partsWith([more]))) {
          expect(count).toBeGreaterThanOrEqual(before.get(le) ?? 0)
        }
      }),
      { numRuns: 40 },
    )
  })
})

describe('definitions that differ', () => {
  it('stay apart by their labels', async () => {
    const [old, young] = [new Registry(), new Registry()]
    old.counter({ name: 'c', help: '', labelNames: ['a'] }).inc({ a: '1' }, 2)
    young.counter({ name: 'c', help: '', labelNames: ['b', 'a'] }).inc({ b: '2', a: '1' }, 3)
    const [family] = await mergedFamilies([await partOf(old, 0), await partOf(young, 1)])
    expect([...(family?.series ?? [])].map(({ labels, value }: any) => [labels, value])).toEqual([
      [{ a: '1', b: '2' }, 3],
      [{ a: '1' }, 2],
    ])
  })

  it('are one family where labels are only declared in another order', async () => {
    const [one, other] = [new Registry(), new Registry()]
    one.counter({ name: 'c', help: '', labelNames: ['a', 'b'] }).inc({ a: '1', b: '' })
    other.counter({ name: 'c', help: '', labelNames: ['b', 'a'] }).inc({ b: '', a: '1' })
    const [family] = await mergedFamilies([await partOf(one, 0), await partOf(other, 1)])
    expect([...(family?.series ?? [])]).toMatchObject([{ labels: { a: '1' }, value: 2 }])
  })

  it('are those of the newest process where the type is another, and the loss is told', async () => {
    const [old, young] = [new Registry(), new Registry()]
    old.gauge({ name: 'x', help: 'old' }).set(1)
    young.counter({ name: 'x', help: 'young' }).inc(5)
    const losses: string[] = []
    const families = await mergedFamilies([await partOf(old, 0), await partOf(young, 1)], (loss) => losses.push(loss))
    expect(families).toMatchObject([{ name: 'x', type: 'counter', help: 'young' }])
    expect(losses).toEqual(['definition'])
  })
})

it("counts what is a process' own once, and takes the latest word of its threads", async () => {
  const threads: Part[] = []
  for (const [thread, seconds] of [4, 5, 3].entries()) {
    const registry = new Registry()
    registry.register({
      scope: 'process',
      collect: () => [
        { name: 'process_cpu_seconds', help: '', type: 'counter', series: [{ labels: {}, value: seconds }] },
      ],
    })
    registry.counter({ name: 'c', help: '' }).inc(1)
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 + seconds * 1000 })
    threads.push(await partOf(registry, thread, { process: 'the one' }))
    vi.useRealTimers()
  }
  const values = (await mergedFamilies(threads)).map((family) => [
    family.name,
    [...family.series].map(({ value }: any) => value),
  ])
  expect(Object.fromEntries(values)).toEqual({ c: [3], process_cpu_seconds: [5] })
})

it('keeps the buckets that series have of their own, merged and archived', async () => {
  const parts = await Promise.all(
    [0, 1, 2].map((pid) => {
      const registry = new Registry()
      const histogram = registry.histogram({ name: 'h', help: '', labelNames: ['route'], buckets: [1, 5] })
      histogram.setBuckets({ route: '/slow' }, [10, 60])
      for (const route of ['/a', '/slow', '/b', '/slow']) histogram.observe({ route }, 3)
      return partOf(registry, pid)
    }),
  )
  const shown = async (of: readonly Part[]): Promise<unknown> => {
    const [family] = await mergedFamilies(of)
    const series = [...(family?.series ?? [])] as unknown as {
      labels: { route: string }
      buckets: { le: number; count: number }[]
    }[]
    return Object.fromEntries(
      series.map(({ labels, buckets }) => [labels.route, buckets.map(({ le, count }) => [le, count])]),
    )
  }
  const others = [
    [1, 0],
    [5, 3],
    [Infinity, 3],
  ]
  const slow = [
    [10, 6],
    [60, 6],
    [Infinity, 6],
  ]
  expect(await shown(parts)).toEqual({ '/a': others, '/slow': slow, '/b': others })
  const [live, ...ended] = parts as [Part, ...Part[]]
  expect(await shown([live, await joined(ended, true)])).toEqual({ '/a': others, '/slow': slow, '/b': others })
})

import {
  type Counter,
  defaultRegistry,
  type Enum,
  type Gauge,
  type Histogram,
  type Info,
  Registry,
  type Summary,
} from '@narthex/core'
import {
  getMetricToken,
  InjectMetric,
  makeCounterProvider,
  makeEnumProvider,
  makeGaugeProvider,
  makeHistogramProvider,
  makeInfoProvider,
  makeSummaryProvider,
  PrometheusModule,
} from '@narthex/nestjs'
import { type FactoryProvider, Inject, Injectable, Module, Scope } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { describe, expect, expectTypeOf, it, onTestFinished } from 'vitest'

@Injectable()
class Queue {
  length = 3
}

async function compile(registry: Registry | undefined, providers: unknown[]) {
  const imports = registry === undefined ? [] : [PrometheusModule.forRoot({ registry })]
  const module = await Test.createTestingModule({ imports, providers: providers as FactoryProvider[] }).compile()
  onTestFinished(() => module.close())
  return module
}

describe('a provider of a metric', () => {
  it('makes every type in the registry of the module', async () => {
    const registry = new Registry()
    const module = await compile(registry, [
      makeCounterProvider({ name: 'jobs_total', help: 'Jobs', labelNames: ['queue'] }),
      makeGaugeProvider({ name: 'depth', help: 'Depth' }),
      makeHistogramProvider({ name: 'took_seconds', help: 'Took', buckets: [1] }),
      makeSummaryProvider({ name: 'size_bytes', help: 'Size' }),
      makeInfoProvider({ name: 'build', help: 'Build', labelNames: [] }),
      makeEnumProvider({ name: 'state', help: 'State', states: ['up', 'down'] }),
    ])
    module.get<Counter<'queue'>>(getMetricToken('jobs_total')).inc({ queue: 'mail' })
    module.get<Gauge>(getMetricToken('depth')).set(4)
    module.get<Histogram>(getMetricToken('took_seconds')).observe(0.5)
    module.get<Summary>(getMetricToken('size_bytes')).observe(7)
    module.get<Info>(getMetricToken('build')).info({ version: '1' })
    module.get<Enum<never, 'up' | 'down'>>(getMetricToken('state')).state('down')
    expect(registry.getSampleValue('jobs_total', { queue: 'mail' })).toBe(1)
    expect(registry.getSampleValue('depth')).toBe(4)
    expect(registry.getSampleValue('took_seconds_bucket', { le: '1' })).toBe(1)
    expect(registry.getSampleValue('size_bytes_sum')).toBe(7)
    expect(registry.getSampleValue('build_info', { version: '1' })).toBe(1)
    expect(registry.getSampleValue('state', { state: 'down' })).toBe(1)
  })

  it('is typed by its labels', () => {
    const provider = makeCounterProvider({ name: 'a', help: 'A', labelNames: ['queue'] })
    expectTypeOf(provider).toEqualTypeOf<FactoryProvider<Counter<'queue'>>>()
    expectTypeOf(makeGaugeProvider({ name: 'a', help: 'A' })).toEqualTypeOf<FactoryProvider<Gauge<never>>>()
    expectTypeOf(makeEnumProvider({ name: 'a', help: 'A', states: ['up'] })).toEqualTypeOf<
      FactoryProvider<Enum<never, 'up'>>
    >()
    // @ts-expect-error A metric without help is none.
    const lacking = (): unknown => makeCounterProvider({ name: 'a' })
    expect(lacking).not.toThrow()
  })

  it('gives `collect` the metric, and instances of what it injects', async () => {
    const registry = new Registry()
    await compile(registry, [
      Queue,
      { provide: 'factor', useValue: 2 },
      makeGaugeProvider({
        name: 'depth',
        help: 'Depth',
        inject: [Queue, 'factor'],
        async collect(metric, queue: Queue, factor: number) {
          expect(this).toBe(metric)
          metric.set(queue.length * factor)
        },
      }),
    ])
    expect(await registry.metrics()).toContain('\ndepth 6\n')
  })

  it('costs its own family where `collect` fails', async () => {
    const registry = new Registry()
    await compile(registry, [
      makeGaugeProvider({ name: 'depth', help: 'Depth', collect: () => Promise.reject(new Error('no queue')) }),
      makeGaugeProvider({ name: 'other', help: 'Other' }),
    ])
    const page = await registry.metrics()
    expect(page).toContain('\nother 0\n')
    expect(page).not.toContain('depth 0')
  })

  it('is used again by a module that is made anew, with the `collect` of the new one', async () => {
    const registry = new Registry()
    const provider = (length: number) => [
      { provide: Queue, useValue: { length } },
      makeGaugeProvider({
        name: 'depth',
        help: 'Depth',
        inject: [Queue],
        collect: (metric, queue: Queue) => metric.set(queue.length),
      }),
    ]
    const first = await compile(registry, provider(1))
    const second = await compile(registry, provider(2))
    expect(second.get(getMetricToken('depth'))).toBe(first.get(getMetricToken('depth')))
    expect(await registry.metrics()).toContain('\ndepth 2\n')
  })

  it('tells names apart by case, and sees no other name in an injected one', async () => {
    @Injectable()
    class Reader {
      @InjectMetric('jobs') readonly lower!: Counter
      readonly upper: Counter
      constructor(@InjectMetric('JOBS') upper: Counter) {
        this.upper = upper
      }
    }
    const module = await compile(new Registry(), [
      Reader,
      makeCounterProvider({ name: 'jobs', help: 'Lower' }),
      makeCounterProvider({ name: 'JOBS', help: 'Upper' }),
    ])
    expect(module.get(Reader).lower.help).toBe('Lower')
    expect(module.get(Reader).upper.help).toBe('Upper')
    expect(getMetricToken('jobs')).not.toBe(getMetricToken('JOBS'))
  })

  it('lives in the default registry without the module, and in the one that it names', async () => {
    onTestFinished(() => defaultRegistry.clear())
    const own = new Registry()
    await compile(undefined, [
      makeCounterProvider({ name: 'without_total', help: 'Without' }),
      makeCounterProvider({ name: 'named_total', help: 'Named', registry: own }),
    ])
    expect(defaultRegistry.getSampleValue('without_total')).toBe(0)
    expect(own.getSampleValue('named_total')).toBe(0)
  })

  it('rejects the start for options that no metric can have, and for a name that is defined otherwise', async () => {
    const registry = new Registry()
    await expect(compile(registry, [makeCounterProvider({ name: '', help: 'A' })])).rejects.toMatchObject({
      code: 'ERR_NARTHEX_INVALID_NAME',
    })
    const clash = [makeCounterProvider({ name: 'a', help: 'A' }), makeGaugeProvider({ name: 'a', help: 'A' })]
    await expect(compile(registry, [clash[0]])).resolves.toBeDefined()
    await expect(compile(registry, [clash[1]])).rejects.toMatchObject({ code: 'ERR_NARTHEX_DEFINITION_DIFFERS' })
  })

  it('rejects the start where it injects what is request-scoped, itself or further down', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class OfRequest {}
    @Injectable()
    class Above {
      @Inject(OfRequest) readonly below!: OfRequest
    }
    for (const token of [OfRequest, Above]) {
      const gauge = makeGaugeProvider({ name: 'scoped', help: 'Scoped', inject: [token], collect: () => undefined })
      const builder = Test.createTestingModule({
        imports: [PrometheusModule.forTest()],
        providers: [OfRequest, Above, gauge],
      })
      const module = await builder.compile()
      await expect(module.init()).rejects.toMatchObject({
        code: 'ERR_NARTHEX_INVALID_OPTION',
        message: expect.stringContaining('`inject` to name no request-scoped provider'),
      })
    }
  })

  it('gives `collect` what an async provider resolves to, and a transient one', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Two {
      readonly value = 2
    }
    const registry = new Registry()
    const module = await compile(registry, [
      Two,
      { provide: 'THREE', useFactory: async () => 3 },
      makeGaugeProvider({
        name: 'sum',
        help: 'Sum',
        inject: ['THREE', Two],
        collect: (gauge, three: number, two: Two) => gauge.set(three + two.value),
      }),
    ])
    await module.init()
    expect(await registry.metrics()).toContain('\nsum 5\n')
  })

  it('refuses a `collect` that is no function', () => {
    expect(() => makeGaugeProvider({ name: 'depth', help: 'Depth', collect: 5 as never })).toThrow(
      'expected `collect` to be a function',
    )
  })

  it('needs the module imported where that is not global', async () => {
    onTestFinished(() => defaultRegistry.clear())
    const registry = new Registry()
    const prometheus = PrometheusModule.forRoot({ registry, global: false })
    const counter = (name: string) => makeCounterProvider({ name, help: 'A' })
    @Module({ imports: [prometheus], providers: [counter('inside_total')] })
    class Inside {}
    @Module({ providers: [counter('outside_total')] })
    class Outside {
      @InjectMetric('outside_total') readonly metric!: Counter
    }
    const module = await Test.createTestingModule({ imports: [prometheus, Inside, Outside] }).compile()
    onTestFinished(() => module.close())
    expect(registry.getSampleValue('inside_total')).toBe(0)
    expect(registry.getSampleValue('outside_total')).toBeUndefined()
    expect(defaultRegistry.getSampleValue('outside_total')).toBe(0)
  })
})

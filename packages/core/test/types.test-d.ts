import {
  Counter,
  type CounterChild,
  Enum,
  type EnumChild,
  Gauge,
  type GaugeChild,
  Histogram,
  type HistogramChild,
  Info,
  type Labels,
  type MetricFamily,
  Registry,
  Summary,
} from '@narthex/core'
import { describe, expectTypeOf, it } from 'vitest'

// Checked by the compiler (`tsc -p packages/core/tsconfig.test.json`), never run: what must not compile stands under a
// directive that fails where it does.

const bare = new Counter({ name: 'types_bare', help: 'B', registry: null })
const requests = new Counter({ name: 'types_requests', help: 'R', labelNames: ['method', 'code'], registry: null })
const gauge = new Gauge({ name: 'types_gauge', help: 'G', labelNames: ['queue'], registry: null })
const histogram = new Histogram({ name: 'types_histogram', help: 'H', labelNames: ['route'], registry: null })
const summary = new Summary({ name: 'types_summary', help: 'S', labelNames: ['route'], registry: null })
const info = new Info({ name: 'types_info', help: 'I', labelNames: ['host'], registry: null })
const phase = new Enum({ name: 'types_phase', help: 'P', states: ['off', 'on'], registry: null })

describe('label names', () => {
  it('come from the options', () => {
    expectTypeOf(bare).toEqualTypeOf<Counter<never>>()
    expectTypeOf(requests).toEqualTypeOf<Counter<'method' | 'code'>>()
    expectTypeOf(new Registry().counter({ name: 'a', help: 'A', labelNames: ['x', 'y'] })).toEqualTypeOf<
      Counter<'x' | 'y'>
    >()
    expectTypeOf(new Registry().gauge({ name: 'a', help: 'A' })).toEqualTypeOf<Gauge<never>>()
    expectTypeOf(phase).toEqualTypeOf<Enum<never, 'off' | 'on'>>()
    const names: string[] = []
    expectTypeOf(new Counter({ name: 'a', help: 'A', labelNames: names, registry: null })).toEqualTypeOf<
      Counter<string>
    >()
  })

  it('are all required, in any order, and may be strings, numbers and booleans', () => {
    expectTypeOf(() => {
      requests.inc({ method: 'GET', code: 200 })
      requests.inc({ code: true, method: 5 }, 2, { trace_id: 'x' })
      // @ts-expect-error a label is missing
      requests.inc({ method: 'GET' })
      // @ts-expect-error no labels at all
      requests.inc()
      // @ts-expect-error a value where the labels belong
      requests.inc(5)
      // @ts-expect-error an unknown label
      requests.inc({ method: 'GET', code: 200, route: '/' })
      // @ts-expect-error null is no label value
      requests.inc({ method: 'GET', code: null })
      // @ts-expect-error undefined is no label value
      requests.inc({ method: 'GET', code: undefined })
      // @ts-expect-error an object is no label value
      requests.inc({ method: 'GET', code: {} })
      // @ts-expect-error a value is a number
      requests.inc({ method: 'GET', code: 200 }, '5')
    }).toBeFunction()
  })

  it('hold for every type', () => {
    expectTypeOf(() => {
      gauge.set({ queue: 'a' }, 1)
      histogram.observe({ route: '/' }, 1)
      summary.observe({ route: '/' }, 1)
      info.info({ host: 'a' }, { version: 1 })
      phase.state('on')
      // @ts-expect-error the value is missing
      gauge.set({ queue: 'a' })
      // @ts-expect-error an unknown label
      gauge.inc({ topic: 'a' })
      // @ts-expect-error an unknown label
      gauge.setFunction({ topic: 'a' }, () => 1)
      // @ts-expect-error a function of a number
      gauge.setFunction({ queue: 'a' }, () => 'many')
      // @ts-expect-error no labels
      histogram.observe(1)
      // @ts-expect-error an unknown label
      summary.observe({ method: 'GET' }, 1)
      // @ts-expect-error the facts are missing
      info.info({ host: 'a' })
      // @ts-expect-error an unknown state
      phase.state('broken')
    }).toBeFunction()
  })

  it('are none for a metric without labels', () => {
    expectTypeOf(() => {
      bare.inc()
      bare.inc(5)
      bare.inc(5, { trace_id: 'x' })
      bare.labels().inc()
      bare.labels({})
      // @ts-expect-error no labels
      bare.inc({ method: 'GET' })
      // @ts-expect-error no labels
      bare.labels({ method: 'GET' })
      // @ts-expect-error no labels
      bare.labels('GET')
      // @ts-expect-error no labels
      bare.init({ method: 'GET' })
    }).toBeFunction()
  })

  it('hold for labels(), init(), remove() and removeMatching()', () => {
    expectTypeOf(() => {
      requests.labels('GET', 200).inc()
      requests.init({ method: 'GET', code: 200 })
      requests.remove('GET', 200)
      requests.removeMatching({ method: 'GET' })
      requests.removeMatching({})
      // @ts-expect-error a label is missing
      requests.labels({ method: 'GET' })
      // @ts-expect-error an unknown label
      requests.init({ method: 'GET', code: 200, route: '/' })
      // @ts-expect-error a label is missing
      requests.remove({ code: 200 })
      // @ts-expect-error an unknown label
      requests.removeMatching({ route: '/' })
      // @ts-expect-error null is no label value
      requests.labels('GET', null)
    }).toBeFunction()
  })

  it('hold for wrappers and timers', () => {
    expectTypeOf(() => {
      histogram.time({ route: '/' })
      histogram.time({ route: '/' }, () => 1)
      histogram.startTimer()({ route: '/' })
      histogram.startTimer({ route: '/' })()
      // @ts-expect-error an unknown label
      histogram.time({ method: 'GET' }, () => 1)
      // @ts-expect-error an unknown label
      histogram.startTimer({ method: 'GET' })
      // @ts-expect-error an unknown label
      histogram.startTimer()({ method: 'GET' })
      // @ts-expect-error an unknown label
      requests.count({ route: '/' }, () => 1)
    }).toBeFunction()
  })
})

describe('options', () => {
  it('must be complete and known', () => {
    expectTypeOf(() => {
      // @ts-expect-error help is missing
      new Counter({ name: 'c' })
      // @ts-expect-error an unknown option
      new Counter({ name: 'c', help: 'C', buckets: [1] })
      // @ts-expect-error states are missing
      new Enum({ name: 'e', help: 'E' })
      // @ts-expect-error a registry or null
      new Counter({ name: 'c', help: 'C', registry: {} })
      // @ts-expect-error the registry is the one that makes it
      new Registry().counter({ name: 'c', help: 'C', registry: null })
    }).toBeFunction()
  })

  it('give collect its metric', () => {
    expectTypeOf(() => {
      new Gauge({
        name: 'g',
        help: 'G',
        collect(metric) {
          expectTypeOf(metric).toEqualTypeOf<Gauge<never>>()
          this.set(5)
        },
      })
    }).toBeFunction()
  })
})

describe('results', () => {
  it('are the children of their type', () => {
    expectTypeOf(bare.labels()).toEqualTypeOf<CounterChild>()
    expectTypeOf(gauge.labels('a')).toEqualTypeOf<GaugeChild>()
    expectTypeOf(histogram.labels('a')).toEqualTypeOf<HistogramChild>()
    expectTypeOf(phase.labels()).toEqualTypeOf<EnumChild<'off' | 'on'>>()
    expectTypeOf(bare.family).toEqualTypeOf<MetricFamily>()
    expectTypeOf(bare.labels().labels).toEqualTypeOf<Labels>()
  })

  it('of a wrapper is the function itself, type parameters and all', () => {
    const wrapped = bare.count(async <T>(value: T, times: number) => Array.from({ length: times }, () => value))
    expectTypeOf(wrapped).toEqualTypeOf<<T>(value: T, times: number) => Promise<T[]>>()
  })

  it('of reading a sample may be nothing', () => {
    expectTypeOf(new Registry().getSampleValue('a')).toEqualTypeOf<number | undefined>()
  })

  it('decorate methods', () => {
    expectTypeOf(() => {
      class Service {
        @bare.count()
        method(a: number): string {
          return String(a)
        }

        @histogram.time({ route: '/' })
        static async later(): Promise<void> {}

        // @ts-expect-error only methods are decorated
        @bare.count()
        field = 5
      }
      void Service
    }).toBeFunction()
  })
})

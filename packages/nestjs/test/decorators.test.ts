import 'reflect-metadata'
import { defaultRegistry, Registry } from '@narthex/core'
import { Counted, InProgress, PrometheusModule, SkipMetrics, Timed } from '@narthex/nestjs'
import { Controller, Get, Inject, Injectable, Logger, Scope, SetMetadata } from '@nestjs/common'
import { ExternalContextCreator, REQUEST } from '@nestjs/core'
import { Test } from '@nestjs/testing'
import {
  BehaviorSubject,
  concat,
  firstValueFrom,
  lastValueFrom,
  map,
  type Observable,
  of,
  Subject,
  take,
  throwError,
} from 'rxjs'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { platforms } from './platform.ts'
import { start } from './start.ts'

@Injectable()
class OrdersService {
  readonly subject = new Subject<number>()
  runs = 0

  @Timed()
  @Counted()
  @InProgress()
  findAll(sum: number, add: number): number {
    this.runs += 1
    return sum + add
  }

  @Timed({ name: 'later_seconds', help: 'Later' })
  @InProgress({ name: 'later_running' })
  async later(until: Promise<number>): Promise<number> {
    return until
  }

  @Counted({ name: 'failures_total', errorsOnly: true })
  @Counted({ name: 'tries_total' })
  fail(how: 'throw' | 'reject' | 'error' | 'not'): unknown {
    if (how === 'throw') throw new TypeError(how)
    if (how === 'reject') return Promise.reject(new TypeError(how))
    if (how === 'error') return throwError(() => new TypeError(how))
    return how
  }

  @Timed({ name: 'watch_seconds' })
  @Counted({ name: 'watched_total' })
  @InProgress({ name: 'watching' })
  watch(): Observable<number> {
    return this.subject
  }

  @InProgress({ name: 'reading' })
  @Counted({ name: 'read_total' })
  async *read(pages: number): AsyncGenerator<number> {
    for (let page = 1; page <= pages; page += 1) yield page
  }

  @Counted({
    name: 'sent_total',
    labels: { channel: 'mail', priority: (to: { urgent: boolean }) => (to.urgent ? 'high' : 'low') },
  })
  send(_to: { urgent: boolean } | null): string {
    return 'sent'
  }

  @Counted({ name: 'shared_total' })
  one(): void {}

  @Counted({ name: 'shared_total' })
  two(): void {}

  @Counted({ name: 'static_total' })
  static make(): string {
    return 'made'
  }
}

async function compile(...providers: any[]) {
  const registry = new Registry()
  const module = await Test.createTestingModule({
    imports: [PrometheusModule.forRoot({ registry })],
    providers,
  }).compile()
  onTestFinished(() => module.close())
  return { module, registry, value: (name: string, labels = {}) => registry.getSampleValue(name, labels) }
}

describe('a decorated method', () => {
  it('is measured under names that class and method give', async () => {
    const { module, registry, value } = await compile(OrdersService)
    expect(value('orders_service_find_all_calls_total')).toBe(0)
    expect(value('orders_service_find_all_duration_seconds_count')).toBe(0)
    const service = module.get(OrdersService)
    expect(service.findAll(1, 2)).toBe(3)
    expect(service.runs).toBe(1)
    expect(value('orders_service_find_all_calls_total')).toBe(1)
    expect(value('orders_service_find_all_duration_seconds_count')).toBe(1)
    expect(value('orders_service_find_all_in_progress')).toBe(0)
    expect(await registry.metrics()).toContain(
      '# HELP orders_service_find_all_calls_total Calls of OrdersService.findAll that ended.',
    )
  })

  it('is measured until its Promise settles', async () => {
    const { module, value } = await compile(OrdersService)
    let settle: (value: number) => void = () => undefined
    const pending = module.get(OrdersService).later(new Promise((resolve) => void (settle = resolve)))
    expect(value('later_running')).toBe(1)
    expect(value('later_seconds_count')).toBe(0)
    settle(5)
    expect(await pending).toBe(5)
    expect(value('later_running')).toBe(0)
    expect(value('later_seconds_count')).toBe(1)
  })

  it('is counted as failed where it throws, rejects or its Observable fails', async () => {
    const { module, value } = await compile(OrdersService)
    const service = module.get(OrdersService)
    expect(service.fail('not')).toBe('not')
    expect(() => service.fail('throw')).toThrow(TypeError)
    await expect(service.fail('reject')).rejects.toThrow(TypeError)
    await expect(lastValueFrom(service.fail('error') as Observable<never>)).rejects.toThrow(TypeError)
    expect(value('failures_total')).toBe(3)
    expect(value('tries_total')).toBe(4)
  })

  it('is measured for each subscription to its Observable, however that ends', async () => {
    const { module, value } = await compile(OrdersService)
    const service = module.get(OrdersService)
    const observable = service.watch()
    expect(value('watching')).toBe(0)
    const subscription = observable.subscribe()
    const first = firstValueFrom(
      observable.pipe(
        map((number) => number * 2),
        take(1),
      ),
    )
    expect(value('watching')).toBe(2)
    service.subject.next(4)
    expect(await first).toBe(8)
    expect(value('watching')).toBe(1)
    expect(value('watched_total')).toBe(1)
    subscription.unsubscribe()
    expect(service.subject.observed).toBe(false)
    const last = lastValueFrom(concat(of(0), observable))
    service.subject.next(5)
    service.subject.complete()
    expect(await last).toBe(5)
    expect(value('watching')).toBe(0)
    expect(value('watched_total')).toBe(3)
    expect(value('watch_seconds_count')).toBe(3)
  })

  it('is not in progress because of an Observable that nobody subscribes to', async () => {
    const { module, value } = await compile(OrdersService)
    module.get(OrdersService).watch()
    module.get(OrdersService).read(1)
    expect(value('watching')).toBe(0)
    expect(value('reading')).toBe(0)
    expect(value('watched_total')).toBe(0)
  })

  it('gives back a subject with all that it has', async () => {
    class Store {
      readonly state = new BehaviorSubject(1)
      @Counted({ name: 'state_total' })
      get(): BehaviorSubject<number> {
        return this.state
      }
    }
    const { module } = await compile(Store)
    const store = module.get(Store)
    const given = store.get()
    expect(given).toBeInstanceOf(BehaviorSubject)
    given.next(2)
    expect([given.value, store.state.value]).toEqual([2, 2])
  })

  it('is measured while its async generator is read', async () => {
    const { module, value } = await compile(OrdersService)
    const pages = module.get(OrdersService).read(3)
    expect(await pages.next()).toEqual({ done: false, value: 1 })
    expect(value('reading')).toBe(1)
    for await (const page of pages) {
      expect(page).toBe(2)
      break
    }
    expect(value('reading')).toBe(0)
    expect(value('read_total')).toBe(1)
  })

  it('has labels from its arguments, and loses only those that cannot be had', async () => {
    const { module, value } = await compile(OrdersService)
    const service = module.get(OrdersService)
    service.send({ urgent: true })
    service.send({ urgent: false })
    expect(service.send(null)).toBe('sent')
    expect(value('sent_total', { channel: 'mail', priority: 'high' })).toBe(1)
    expect(value('sent_total', { channel: 'mail', priority: 'low' })).toBe(1)
    expect(value('sent_total', { channel: 'mail' })).toBe(1)
    expect(value('narthex_hook_errors_total', { hook: 'labels' })).toBe(1)
  })

  it('shares a metric with another one of the same name', async () => {
    const { module, value } = await compile(OrdersService)
    module.get(OrdersService).one()
    module.get(OrdersService).two()
    expect(value('shared_total')).toBe(2)
  })

  it('is measured in the registry of its own application', async () => {
    const [first, second] = [await compile(OrdersService), await compile(OrdersService)]
    first.module.get(OrdersService).findAll(1, 1)
    second.module.get(OrdersService).findAll(1, 1)
    second.module.get(OrdersService).findAll(1, 1)
    expect([first, second].map(({ value }) => value('orders_service_find_all_calls_total'))).toEqual([1, 2])
  })

  it('is measured in the default registry outside of Nest, and where it is static', () => {
    onTestFinished(() => defaultRegistry.clear())
    new OrdersService().findAll(1, 1)
    expect(OrdersService.make()).toBe('made')
    expect(defaultRegistry.getSampleValue('orders_service_find_all_calls_total')).toBe(1)
    expect(defaultRegistry.getSampleValue('static_total')).toBe(1)
  })

  it('is measured in the default registry where the application has no module', async () => {
    onTestFinished(() => defaultRegistry.clear())
    const module = await Test.createTestingModule({ providers: [OrdersService] }).compile()
    onTestFinished(() => module.close())
    module.get(OrdersService).findAll(1, 1)
    expect(defaultRegistry.getSampleValue('orders_service_find_all_calls_total')).toBe(1)
  })

  it('is measured again after its registry was cleared', async () => {
    const { module, registry, value } = await compile(OrdersService)
    module.get(OrdersService).findAll(1, 1)
    registry.clear()
    module.get(OrdersService).findAll(1, 1)
    expect(value('orders_service_find_all_calls_total')).toBe(1)
  })

  it('is measured where it is inherited, and where it is overridden', async () => {
    @Injectable()
    class SpecialService extends OrdersService {
      @Counted({ name: 'special_total' })
      override findAll(sum: number, add: number): number {
        return super.findAll(sum, add) * 10
      }
    }
    const { module, value } = await compile(SpecialService)
    const service = module.get(SpecialService)
    expect(service.findAll(1, 2)).toBe(30)
    service.one()
    expect(value('special_total')).toBe(1)
    expect(value('orders_service_find_all_calls_total')).toBe(1)
    expect(value('shared_total')).toBe(1)
  })

  it('goes on where its metric clashes, which is logged once and counted', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined)
    onTestFinished(() => warn.mockRestore())
    class Clashing {
      @Counted({ name: 'clash_total', labels: { a: '1' } })
      one(): string {
        return 'one'
      }

      @Counted({ name: 'clash_total', labels: { b: '1' } })
      two(): string {
        return 'two'
      }
    }
    const { module, value } = await compile(Clashing)
    const clashing = module.get(Clashing)
    expect([clashing.one(), clashing.two(), clashing.two()]).toEqual(['one', 'two', 'two'])
    expect(value('clash_total', { a: '1' })).toBe(1)
    expect(value('narthex_hook_errors_total', { hook: 'Counted' })).toBe(3)
    // Nest 10 warns of modules that take it more than 10 ms to tell apart, which any does on a busy machine.
    const ours = warn.mock.calls.map(([message]) => String(message)).filter((message) => message.includes('@Counted()'))
    expect(ours).toEqual([expect.stringContaining('@Counted() of Clashing.two measures nothing: MetricError: ')])
  })

  it('keeps its name, its length and all metadata, from decorators above and below', () => {
    class Cats {
      @SetMetadata('above', 1)
      @Timed()
      @Counted()
      @InProgress()
      @SetMetadata('below', 2)
      @Get('cats')
      @SkipMetrics()
      find(_a: number, _b: number): void {}
    }
    const { find } = Cats.prototype
    expect(find.name).toBe('find')
    expect(find).toHaveLength(2)
    expect(Reflect.getMetadata('above', find)).toBe(1)
    expect(Reflect.getMetadata('below', find)).toBe(2)
    expect(Reflect.getMetadata('path', find)).toBe('cats')
    expect(Object.keys(Object.assign(new Cats(), { a: 1 }))).toEqual(['a'])
    expect(Object.getOwnPropertyDescriptor(Cats.prototype, 'find')).toMatchObject({ enumerable: false, writable: true })
  })
})

describe.each(platforms)('on %s', (platform) => {
  it('controllers and request-scoped providers are measured too', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Visits {
      @Inject(REQUEST) readonly request!: { url: string }

      @Counted({ name: 'visits_total' })
      async url(): Promise<string> {
        return this.request.url
      }
    }
    @Controller('cats')
    class CatsController {
      @Inject(Visits) readonly visits!: Visits

      @Get(':id')
      @Timed({ name: 'handler_seconds' })
      async one(): Promise<string> {
        return this.visits.url()
      }

      @Get()
      @Counted({ name: 'listed_total' })
      list(): Observable<string> {
        return of('a', 'b')
      }
    }
    const registry = new Registry()
    const { get } = await start(platform, PrometheusModule.forRoot({ registry }), {
      controllers: [CatsController],
      providers: [Visits],
    })
    expect(await get('/cats/7')).toEqual([200, '/cats/7'])
    expect(await get('/cats/8')).toEqual([200, '/cats/8'])
    expect(await get('/cats')).toEqual([200, 'b'])
    expect(registry.getSampleValue('visits_total')).toBe(2)
    expect(registry.getSampleValue('handler_seconds_count')).toBe(2)
    expect(registry.getSampleValue('listed_total')).toBe(1)
    expect(registry.getSampleValue('http_requests_total', { method: 'GET', route: '/cats/:id', code: '200' })).toBe(2)
  })
})

it('handlers that Nest calls from elsewhere, as GraphQL does, are measured', async () => {
  class Resolver {
    @Timed({ name: 'resolved_seconds' })
    async order(id: string): Promise<string> {
      return `order ${id}`
    }
  }
  const { module, value } = await compile(Resolver)
  const resolver = module.get(Resolver)
  const call = module.get(ExternalContextCreator).create(resolver as any, resolver.order as any, 'order')
  expect(await call('7')).toBe('order 7')
  expect(value('resolved_seconds_count')).toBe(1)
})

it.each([
  ['a property', () => Timed()({}, 'field', undefined as never), '@Timed(): expected `target` to be a method'],
  ['a bad name', () => Counted({ name: '' })({}, 'm', { value: () => 1 }), 'expected `name` to be a non-empty'],
  ['bad buckets', () => Timed({ buckets: [2, 1] })({}, 'm', { value: () => 1 }), 'expected `buckets`'],
])('a decorator refuses %s', (_, decorate, message) => {
  expect(decorate).toThrow(message)
})

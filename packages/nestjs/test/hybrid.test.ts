import { Registry } from '@narthex/core'
import { Counted, InProgress, makeCounterProvider, PrometheusModule, Timed } from '@narthex/nestjs'
import { Controller, Get, Injectable, Module, RequestMethod, Scope } from '@nestjs/common'
import { HttpAdapterHost, LazyModuleLoader } from '@nestjs/core'
import { ClientProxyFactory, MessagePattern, RpcException, Transport } from '@nestjs/microservices'
import { Test } from '@nestjs/testing'
import { lastValueFrom, NEVER, type Observable, throwError } from 'rxjs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { freePort } from '../../../test/free-port.ts'
import { CatsController } from './cats.controller.ts'
import { platforms } from './platform.ts'
import { linesOf, start } from './start.ts'

@Controller({ path: 'sums', scope: Scope.REQUEST })
class Sums {
  @MessagePattern('throws')
  @Timed({ name: 'throws_seconds' })
  @Counted({ name: 'throws_errors_total', errorsOnly: true })
  throws(): number {
    throw new RpcException('no')
  }

  @MessagePattern('errs')
  @Counted({ name: 'errs_errors_total', errorsOnly: true })
  @InProgress({ name: 'errs_in_progress' })
  errs(): Observable<number> {
    return throwError(() => new RpcException('no'))
  }

  @Get()
  @MessagePattern('both')
  @Counted({ name: 'both_total' })
  both(): string {
    return 'sum'
  }
}

describe.each(platforms)('on %s', (platform) => {
  it('a hybrid application counts requests of HTTP, and calls of either transport, also those that RpcException ends', async () => {
    const registry = new Registry()
    const options = { host: '127.0.0.1', port: await freePort() }
    const { get } = await start(
      platform,
      PrometheusModule.forRoot({ registry }),
      { controllers: [Sums] },
      async (app) => {
        app.setGlobalPrefix('api')
        app.connectMicroservice({ transport: Transport.TCP, options }, { inheritAppConfig: true })
        await app.startAllMicroservices()
      },
    )
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options })
    onTestFinished(() => void client.close())
    expect(await get('/api/sums')).toEqual([200, 'sum'])
    expect(await lastValueFrom(client.send('both', {}))).toBe('sum')
    for (const pattern of ['throws', 'errs']) {
      await expect(lastValueFrom(client.send(pattern, {}))).rejects.toMatchObject({ message: 'no' })
    }
    expect(linesOf(await registry.metrics())).toEqual(['{method="GET",route="/api/sums",code="200"} 1'])
    const values = [
      'both_total',
      'throws_errors_total',
      'throws_seconds_count',
      'errs_errors_total',
      'errs_in_progress',
    ]
    expect(values.map((name) => registry.getSampleValue(name))).toEqual([2, 1, 1, 1, 0])
  })

  it('an Observable that nobody subscribes to is no call', async () => {
    @Injectable()
    class Streams {
      @Timed({ name: 'stream_seconds' })
      @Counted({ name: 'streams_total' })
      @InProgress({ name: 'streams_in_progress' })
      stream(): Observable<number> {
        return NEVER
      }
    }
    const registry = new Registry()
    const { app } = await start(platform, PrometheusModule.forRoot({ registry }), { providers: [Streams] })
    const streams = app.get(Streams)
    const stream = streams.stream()
    const values = (): unknown[] =>
      ['stream_seconds_count', 'streams_total', 'streams_in_progress'].map((name) => registry.getSampleValue(name) ?? 0)
    expect(values()).toEqual([0, 0, 0])
    const subscription = stream.subscribe()
    expect(values()).toEqual([0, 0, 1])
    subscription.unsubscribe()
    expect(values()).toEqual([1, 1, 0])
  })

  it('one of two applications on one registry may close: the other goes on counting', async () => {
    const registry = new Registry()
    const module = PrometheusModule.forRoot({ registry })
    const metadata = {
      controllers: [CatsController],
      providers: [makeCounterProvider({ name: 'orders', help: 'Orders' })],
    }
    const first = await start(platform, module, metadata)
    const second = await start(platform, module, metadata)
    for (const { get } of [first, second]) await get('/cats/7')
    await first.app.close()
    expect(await second.get('/cats/8')).toEqual([200, 'cat'])
    const [status, page] = await second.get('/metrics')
    expect([status, linesOf(page)]).toEqual([200, ['{method="GET",route="/cats/:id",code="200"} 3']])
    expect(registry.getSampleValue('http_requests_in_flight', { method: 'GET' })).toBe(0)
  })

  it('what a prefix excludes has its own route, and the page may lie below the prefix', async () => {
    const registry = new Registry()
    const options = { registry, path: '/api/metrics', recordScrapes: true }
    const { get } = await start(
      platform,
      PrometheusModule.forRoot(options),
      { controllers: [CatsController, Sums] },
      (app) => {
        app.setGlobalPrefix('api', { exclude: ['sums', { path: 'cats/:id', method: RequestMethod.POST }] })
      },
    )
    for (const path of ['/sums', '/api/sums', '/api/cats/1', '/cats/1', '/api/metrics']) await get(path)
    expect(linesOf(await registry.metrics()).toSorted()).toEqual([
      '{method="GET",route="/api/cats/:id",code="200"} 1',
      '{method="GET",route="/api/metrics",code="200"} 1',
      '{method="GET",route="/sums",code="200"} 1',
      '{method="GET",route="<unmatched>",code="404"} 2',
    ])
  })

  it('a module that is loaded lazily has decorators and providers, and records requests where the server takes it', async () => {
    @Injectable()
    class Orders {
      @Counted({ name: 'placed_total' })
      place(): void {}
    }
    @Module({ providers: [Orders, makeCounterProvider({ name: 'orders', help: 'Orders' })] })
    class OrdersModule {}
    const registry = new Registry()
    const { app, get } = await start(platform, PrometheusModule.forRoot({ registry }), {
      controllers: [CatsController],
    })
    const loader = app.get(LazyModuleLoader)
    const orders = await loader.load(() => OrdersModule)
    orders.get(Orders).place()
    expect(['placed_total', 'orders_total'].map((name) => registry.getSampleValue(name))).toEqual([1, 0])

    const other = new Registry()
    @Module({ imports: [PrometheusModule.forRoot({ registry: other, path: '/other' })] })
    class LateModule {}
    const late = loader.load(() => LateModule)
    if (platform === 'fastify') {
      const code = 'ERR_NARTHEX_INVALID_OPTION'
      await expect(late).rejects.toMatchObject({ code, message: expect.stringContaining('after Fastify has started') })
    } else await late
    await get('/cats/7')
    const lines = ['{method="GET",route="/cats/:id",code="200"} 1']
    expect(linesOf(await registry.metrics())).toEqual(lines)
    expect(linesOf(await other.metrics())).toEqual(platform === 'fastify' ? [] : lines)
  })
})

it.each([[{}], [{ httpAdapter: undefined }], [{ httpAdapter: {} }], [{ httpAdapter: { getHttpServer: () => ({}) } }]])(
  'a host that a test puts in place of that of Nest has no server: %o',
  async (host) => {
    const module = await Test.createTestingModule({ imports: [PrometheusModule.forTest()] })
      .overrideProvider(HttpAdapterHost)
      .useValue(host)
      .compile()
    await module.init()
    onTestFinished(() => module.close())
    expect(await module.get(Registry).metrics()).toBe('')
  },
)

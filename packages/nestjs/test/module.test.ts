import { defaultRegistry, Registry } from '@narthex/core'
import { fastifyMetricsNaming } from '@narthex/core/http'
import {
  type HttpRequest,
  PrometheusModule,
  type PrometheusModuleOptions,
  type PrometheusOptionsFactory,
} from '@narthex/nestjs'
import { Controller, Get, Injectable, Module, VersioningType } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Test } from '@nestjs/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CatsController } from './cats.controller.ts'
import { platforms } from './platform.ts'
import { linesOf, start } from './start.ts'

const controllers = [CatsController]

@Injectable()
class Settings implements PrometheusOptionsFactory {
  registry = new Registry()

  createPrometheusOptions(): PrometheusModuleOptions {
    return optionsIn(this.registry)
  }
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

function optionsIn(registry: Registry): PrometheusModuleOptions {
  return {
    registry,
    path: '/internal/prometheus',
    buckets: [1, 2],
    groupStatusCodes: true,
    labels: { tenant: (request) => String(request.headers['x-tenant'] ?? '') },
    ignore: '/cats/ignored',
    authorize: (request) => request.headers['authorization'] === 'Bearer secret',
  }
}

describe.each(platforms)('on %s', (platform) => {
  it('forRoot without options serves the default registry at /metrics', async () => {
    onTestFinished(() => defaultRegistry.clear())
    const { get } = await start(platform, PrometheusModule.forRoot(), { controllers })
    expect(await get('/cats/7')).toEqual([200, 'cat'])
    const [status, page] = await get('/metrics')
    expect(status).toBe(200)
    expect(linesOf(page)).toEqual(['{method="GET",route="/cats/:id",code="200"} 1'])
    expect(await defaultRegistry.metrics()).toBe(page)
  })

  const ways: [name: string, make: (registry: Registry) => ReturnType<typeof PrometheusModule.forRoot>][] = [
    ['forRoot', (registry) => PrometheusModule.forRoot(optionsIn(registry))],
    [
      'forRootAsync with useFactory',
      (registry) => PrometheusModule.forRootAsync({ useFactory: async () => optionsIn(registry) }),
    ],
    [
      'forRootAsync with imports and inject',
      (registry) =>
        PrometheusModule.forRootAsync({
          imports: [SettingsModule],
          inject: [Settings],
          useFactory: (settings: Settings) => ({ ...settings.createPrometheusOptions(), registry }),
        }),
    ],
    [
      'forRootAsync with useClass',
      (registry) => {
        class OwnSettings extends Settings {
          override registry = registry
        }
        return PrometheusModule.forRootAsync({ useClass: OwnSettings })
      },
    ],
    [
      'forRootAsync with useExisting',
      (registry) => {
        class OwnSettings extends Settings {
          override registry = registry
        }
        @Module({ providers: [OwnSettings], exports: [OwnSettings] })
        class OwnSettingsModule {}
        return PrometheusModule.forRootAsync({ imports: [OwnSettingsModule], useExisting: OwnSettings })
      },
    ],
  ]

  it.each(ways)('%s honours path, registry and every other option', async (_, make) => {
    const registry = new Registry()
    const { app, get } = await start(platform, make(registry), { controllers })
    expect(app.get(Registry)).toBe(registry)
    await get('/cats/7', { headers: { 'x-tenant': 'acme' } })
    await get('/cats/ignored')
    expect(await get('/metrics')).toMatchObject([404, expect.anything()])
    expect(await get('/internal/prometheus')).toMatchObject([401, expect.anything()])
    const [status, page] = await get('/internal/prometheus', { headers: { authorization: 'Bearer secret' } })
    expect(status).toBe(200)
    expect(linesOf(page)).toEqual([
      '{method="GET",route="/cats/:id",code="2xx",tenant="acme"} 1',
      '{method="GET",route="<unmatched>",code="4xx"} 1',
    ])
    expect(page).toContain('route="/cats/:id",code="2xx",tenant="acme",le="2"} 1')
    expect(page).not.toContain('le="0.1"')
  })

  it('counts with prefix and URI version in the route, and a header as a label', async () => {
    @Controller({ path: 'cats', version: ['1', '2'] })
    class VersionedController {
      @Get(':id')
      one(): string {
        return 'cat'
      }
    }
    const registry = new Registry()
    const uri = await start(
      platform,
      PrometheusModule.forRoot({ registry }),
      { controllers: [VersionedController] },
      (app) => {
        app.setGlobalPrefix('api')
        app.enableVersioning({ type: VersioningType.URI })
      },
    )
    expect(await uri.get('/api/v2/cats/7')).toEqual([200, 'cat'])
    await uri.get('/api/v3/cats/7')
    await uri.get('/nothing')
    expect(linesOf(await registry.metrics())).toEqual([
      '{method="GET",route="/api/v2/cats/:id",code="200"} 1',
      '{method="GET",route="<unmatched>",code="404"} 2',
    ])

    const other = new Registry()
    const labels = { version: (request: HttpRequest) => (request.headers['x-version'] === '2' ? '2' : '1') }
    const header = await start(
      platform,
      PrometheusModule.forRoot({ registry: other, labels }),
      { controllers: [VersionedController] },
      (app) => {
        app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' })
      },
    )
    for (const version of ['1', '2']) await header.get('/cats/7', { headers: { 'x-version': version } })
    expect(linesOf(await other.metrics())).toEqual([
      '{method="GET",route="/cats/:id",code="200",version="1"} 1',
      '{method="GET",route="/cats/:id",code="200",version="2"} 1',
    ])
    expect(await header.get('/metrics', { headers: { 'x-version': '2' } })).toMatchObject([200, expect.anything()])
  })

  it('leaves the route of what is unmatched out of OpenTelemetry names', async () => {
    const registry = new Registry()
    const { get } = await start(platform, PrometheusModule.forRoot({ registry, naming: 'otel' }), { controllers })
    await get('/cats/7')
    await get('/nothing')
    const labels = { http_request_method: 'GET', url_scheme: 'http' }
    const count = 'http_server_request_duration_seconds_count'
    expect(
      registry.getSampleValue(count, { ...labels, http_route: '/cats/:id', http_response_status_code: '200' }),
    ).toBe(1)
    expect(registry.getSampleValue(count, { ...labels, http_response_status_code: '404' })).toBe(1)
  })

  it.each([
    ['a preset', fastifyMetricsNaming, '__unknown__'],
    [
      'names of your own',
      { duration: 'http_request_duration_seconds', labels: { code: 'status_code' } },
      '<unmatched>',
    ],
  ])('calls the route of what is unmatched as %s would, below a prefix too', async (_, naming, route) => {
    const registry = new Registry()
    const { get } = await start(platform, PrometheusModule.forRoot({ registry, naming }), { controllers }, (app) => {
      app.setGlobalPrefix('api')
    })
    for (const path of ['/nothing', '/api/nothing']) await get(path)
    const labels = { method: 'GET', route, status_code: '404' }
    expect(registry.getSampleValue('http_request_duration_seconds_count', labels)).toBe(2)
  })

  it('keeps two applications apart that have registries of their own', async () => {
    const registries = [new Registry(), new Registry()]
    const [first, second] = await Promise.all(
      registries.map((registry) => start(platform, PrometheusModule.forRoot({ registry }), { controllers })),
    )
    await first!.get('/cats/7')
    await second!.get('/cats/7')
    await second!.get('/cats/7')
    const labels = { method: 'GET', route: '/cats/:id', code: '200' }
    expect(registries.map((registry) => registry.getSampleValue('http_requests_total', labels))).toEqual([1, 2])
  })

  it('goes on counting where a hot reload makes the application anew', async () => {
    const registry = new Registry()
    for (let round = 1; round <= 2; round += 1) {
      const { get } = await start(platform, PrometheusModule.forRoot({ registry }), { controllers })
      await get('/cats/7')
    }
    expect(linesOf(await registry.metrics())).toEqual(['{method="GET",route="/cats/:id",code="200"} 2'])
  })

  it('counts once where two modules import it', async () => {
    const registry = new Registry()
    @Module({ imports: [PrometheusModule.forRoot({ registry })] })
    class Feature {}
    const { get } = await start(platform, PrometheusModule.forRoot({ registry }), { controllers, imports: [Feature] })
    await get('/cats/7')
    expect(linesOf(await registry.metrics())).toEqual(['{method="GET",route="/cats/:id",code="200"} 1'])
  })

  it('does not touch the server with `http: false`', async () => {
    const registry = new Registry()
    const { get } = await start(platform, PrometheusModule.forRoot({ registry, http: false }), { controllers })
    await get('/cats/7')
    expect(await get('/metrics')).toMatchObject([404, expect.anything()])
    expect(await registry.metrics()).toBe('')
  })

  it('rejects the start for options that the recorder refuses', async () => {
    const options = { registry: new Registry(), buckets: [2, 1] }
    await expect(start(platform, PrometheusModule.forRoot(options))).rejects.toMatchObject({
      code: 'ERR_NARTHEX_INVALID_BUCKETS',
    })
    await expect(start(platform, PrometheusModule.forRootAsync({ useFactory: () => options }))).rejects.toMatchObject({
      code: 'ERR_NARTHEX_INVALID_BUCKETS',
    })
  })
})

it.each([
  [
    { pfad: '/metrics' },
    'ERR_NARTHEX_UNKNOWN_OPTION',
    'PrometheusModule: expected `pfad` to be one of the options path, ',
  ],
  [
    { path: 'metrics' },
    'ERR_NARTHEX_INVALID_OPTION',
    'expected `path` to be a path that starts with `/`, or false, got `metrics`',
  ],
  [{ recordScrapes: 1 }, 'ERR_NARTHEX_INVALID_OPTION', 'expected `recordScrapes` to be a boolean'],
  [{ http: 'no' }, 'ERR_NARTHEX_INVALID_OPTION', 'expected `http` to be a boolean'],
  [{ registry: {} }, 'ERR_NARTHEX_INVALID_OPTION', 'expected `registry` to be a Registry'],
  [{ global: 1 }, 'ERR_NARTHEX_INVALID_OPTION', 'expected `global` to be a boolean'],
  [
    { controller: CatsController },
    'ERR_NARTHEX_INVALID_OPTION',
    'expected `controller` to be a boolean, or a class that extends',
  ],
])('forRoot refuses %j', (options, code, message) => {
  const make = (): unknown => PrometheusModule.forRoot(options as never)
  expect(make).toThrow(expect.objectContaining({ code }))
  expect(make).toThrow(message)
})

it('forRootAsync refuses no way to options, and two', () => {
  expect(() => PrometheusModule.forRootAsync({})).toThrow(
    'expected `useFactory` or `useClass` or `useExisting` to be given',
  )
  expect(() => PrometheusModule.forRootAsync({ useFactory: () => ({}), useClass: Settings })).toThrow(
    'one of them only',
  )
})

it('forRootAsync refuses options that stand beside the factory', () => {
  const misplaced = { useFactory: () => ({}), path: '/elsewhere' }
  expect(() => PrometheusModule.forRootAsync(misplaced)).toThrow('expected `path` to be one of imports, inject')
  expect(() => PrometheusModule.forRootAsync(undefined as never)).toThrow('expected `options` to be an object')
  expect(() => PrometheusModule.forRoot(null as never)).toThrow('expected `options` to be an object')
})

it.each([
  ['gives nothing', { useFactory: () => undefined }, 'expected `options` to be an object'],
  ['resolves to nothing', { useFactory: async () => undefined }, 'expected `options` to be an object'],
  ['has no method for it', { useClass: class {} }, 'a class with a method `createPrometheusOptions`'],
])('rejects the start where what makes the options %s', async (_, options, message) => {
  const imports = [PrometheusModule.forRootAsync(options as never)]
  await expect(Test.createTestingModule({ imports }).compile()).rejects.toMatchObject({
    code: 'ERR_NARTHEX_INVALID_OPTION',
    message: expect.stringContaining(message),
  })
})

it('starts without a server', async () => {
  const registry = new Registry()
  @Module({ imports: [PrometheusModule.forRoot({ registry })] })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false })
  onTestFinished(() => app.close())
  expect(app.get(Registry)).toBe(registry)
})

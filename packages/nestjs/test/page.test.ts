import { Registry } from '@narthex/core'
import { PrometheusController, PrometheusModule } from '@narthex/nestjs'
import {
  type CanActivate,
  Catch,
  Controller,
  type ExecutionContext,
  type ExceptionFilter,
  Module,
  type NestInterceptor,
  UseGuards,
} from '@nestjs/common'
import { map } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { platforms } from './platform.ts'
import { linesOf, start } from './start.ts'

const closed: CanActivate = { canActivate: () => false }
const wrapping: NestInterceptor = { intercept: (_, next) => next.handle().pipe(map((data) => ({ data }))) }

class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest().headers['authorization'] === 'Bearer secret'
  }
}

@Catch()
class Everything implements ExceptionFilter {
  catch(_: unknown, host: any): void {
    const response = host.switchToHttp().getResponse()
    response.status(500).send('filtered')
  }
}

const withToken = { headers: { authorization: 'Bearer secret' } }
const scrapes = '{method="GET",route="/metrics",code="200"} 1'

describe.each(platforms)('the page on %s', (platform) => {
  it('is outside of prefix, guards, interceptors and filters, and not recorded', async () => {
    const registry = new Registry()
    const { get } = await start(platform, PrometheusModule.forRoot({ registry }), {}, (app) => {
      app.setGlobalPrefix('api')
      app.useGlobalGuards(closed)
      app.useGlobalInterceptors(wrapping)
      app.useGlobalFilters(new Everything())
    })
    expect(await get('/metrics')).toEqual([200, await registry.metrics()])
    expect(await get('/metrics', { method: 'POST' })).toEqual([405, 'Method not allowed\n'])
    expect(linesOf(await registry.metrics())).toEqual([])
  })

  it('is outside of middleware of the application, which came later', async () => {
    const { get } = await start(platform, PrometheusModule.forRoot({ registry: new Registry() }), {}, (app) => {
      app.use((_request: unknown, response: any) => {
        response.statusCode = 418
        response.end('mine')
      })
    })
    expect(await get('/other')).toEqual([418, 'mine'])
    expect(await get('/metrics')).toMatchObject([200, expect.anything()])
  })

  it('is recorded where that is asked for', async () => {
    const registry = new Registry()
    const { get } = await start(platform, PrometheusModule.forRoot({ registry, recordScrapes: true }))
    await get('/metrics')
    expect(linesOf(await registry.metrics())).toEqual([scrapes])
  })

  it('is nowhere with `path: false`', async () => {
    const { get } = await start(platform, PrometheusModule.forRoot({ registry: new Registry(), path: false }))
    expect(await get('/metrics')).toMatchObject([404, expect.anything()])
  })

  it('is a controller behind guards and below the prefix on request', async () => {
    const registry = new Registry()
    const { get } = await start(
      platform,
      PrometheusModule.forRoot({ registry, controller: true, path: '/prometheus' }),
      {},
      (app) => {
        app.setGlobalPrefix('api')
        app.useGlobalGuards(new TokenGuard())
        app.useGlobalInterceptors(wrapping)
      },
    )
    expect(await get('/prometheus')).toMatchObject([404, expect.anything()])
    expect(await get('/api/prometheus')).toMatchObject([403, expect.anything()])
    const [status, page] = await get('/api/prometheus', withToken)
    expect(status).toBe(200)
    // A scrape that a guard refused is somebody else's, and counts.
    expect(linesOf(page)).toEqual([
      '{method="GET",route="<unmatched>",code="404"} 1',
      '{method="GET",route="/api/prometheus",code="403"} 1',
    ])
    expect(linesOf(await registry.metrics())).toEqual(linesOf(page))
  })

  it('has the path of awaited options as a controller', async () => {
    const registry = new Registry()
    const options = {
      controller: true,
      useFactory: async () => ({ registry, path: '/late', recordScrapes: true }),
    } as const
    const { get } = await start(platform, PrometheusModule.forRootAsync(options))
    expect(await get('/late')).toMatchObject([200, expect.anything()])
    expect(linesOf(await registry.metrics())).toEqual(['{method="GET",route="/late",code="200"} 1'])
  })

  it.each([
    ['of the module', (controller: typeof PrometheusController) => ({ controller })],
    ['of another module', (_: typeof PrometheusController, registry: Registry) => ({ registry, path: false as const })],
  ])('is a controller of your own %s', async (_, optionsFor) => {
    @Controller('internal/metrics')
    @UseGuards(TokenGuard)
    class MetricsController extends PrometheusController {}
    const registry = new Registry()
    const options = optionsFor(MetricsController, registry)
    @Module({ controllers: 'controller' in options ? [] : [MetricsController] })
    class Feature {}
    const { get } = await start(platform, PrometheusModule.forRoot({ registry, ...options }), { imports: [Feature] })
    expect(await get('/metrics')).toMatchObject([404, expect.anything()])
    expect(await get('/internal/metrics')).toMatchObject([403, expect.anything()])
    const [status, page] = await get('/internal/metrics', withToken)
    expect(status).toBe(200)
    expect(page).toContain('http_requests_total')
  })

  it('asks `authorize` with a request of the platform in a controller too', async () => {
    const seen: unknown[] = []
    const authorize = (request: unknown): boolean => seen.push(request) > 0 && 'params' in (request as object)
    const { get } = await start(
      platform,
      PrometheusModule.forRoot({ registry: new Registry(), controller: true, authorize }),
    )
    expect(await get('/metrics')).toMatchObject([200, expect.anything()])
    expect(seen).toHaveLength(1)
  })
})

it('refuses a controller without a path', async () => {
  const prometheus = PrometheusModule.forRoot({ registry: new Registry(), controller: true, path: false })
  await expect(start('express', prometheus)).rejects.toThrow('expected `path` to be given where `controller` is true')
})

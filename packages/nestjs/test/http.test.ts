import { MetricError, Registry } from '@narthex/core'
import { PrometheusModule } from '@narthex/nestjs'
import {
  Controller,
  Get,
  type INestApplication,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  Post,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { describe, expect, it } from 'vitest'
import { HttpInstrumentation } from '../src/http-instrumentation.ts'
import { checkOptions } from '../src/prometheus.options.ts'
import { platforms } from './platform.ts'
import { linesOf, listen, start } from './start.ts'

@Controller('cats')
class CatsController {
  @Get(':id')
  one(): string {
    return 'cat'
  }

  @Post()
  add(): void {}
}

const controllers = [CatsController]

describe.each(platforms)('on %s', (platform) => {
  it('counts what interceptors never see', async () => {
    const registry = new Registry()
    const { get } = await start(platform, PrometheusModule.forRoot({ registry }), { controllers }, (app) => {
      app.setGlobalPrefix('api')
      app.useGlobalGuards({
        canActivate: (context: any) => context.switchToHttp().getRequest().headers['x-bad'] === undefined,
      })
    })
    await get('/api/cats/7', { headers: { 'x-bad': '1' } })
    await get('/api/nothing')
    await get('/nothing')
    await get('/api/cats', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' })
    expect(linesOf(await registry.metrics()).toSorted()).toEqual([
      '{method="GET",route="/api/cats/:id",code="403"} 1',
      '{method="GET",route="<unmatched>",code="404"} 2',
      `{method="POST",route="${platform === 'express' ? '/*' : '/api/cats'}",code="400"} 1`,
    ])
  })

  it('counts what middleware of modules answers, and what it lets pass', async () => {
    @Module({})
    class Feature implements NestModule {
      configure(consumer: MiddlewareConsumer): void {
        consumer
          .apply((request: any, response: any, next: () => void) => {
            if (request.headers['x-teapot'] === undefined) return next()
            response.statusCode = 418
            response.end()
          })
          .forRoutes(CatsController)
      }
    }
    const registry = new Registry()
    const { get } = await start(platform, PrometheusModule.forRoot({ registry }), { controllers, imports: [Feature] })
    expect(await get('/cats/7', { headers: { 'x-teapot': '1' } })).toEqual([418, ''])
    expect(await get('/cats/7')).toEqual([200, 'cat'])
    const lines = linesOf(await registry.metrics())
    expect(lines).toHaveLength(2)
    expect(lines).toContain('{method="GET",route="/cats/:id",code="200"} 1')
    expect(lines.some((line) => line.includes('code="418"'))).toBe(true)
  })

  it('serves and counts where hooks of the user throw', async () => {
    const registry = new Registry()
    const throws = (): never => {
      throw new Error('no')
    }
    const options = { registry, route: throws, labels: { tenant: throws }, ignore: throws, exemplars: throws }
    const { get } = await start(platform, PrometheusModule.forRoot(options), { controllers })
    expect(await get('/cats/7')).toEqual([200, 'cat'])
    await get('/nothing')
    const page = await registry.metrics()
    expect(linesOf(page)).toEqual([
      '{method="GET",route="/cats/:id",code="200"} 1',
      '{method="GET",route="<unmatched>",code="404"} 1',
    ])
    expect(linesOf(page, 'narthex_hook_errors_total')).toContain('{hook="route"} 2')
  })

  it('names its package where that is missing', async () => {
    const name = `@narthex/${platform}`
    const missing = Object.assign(new Error(`Cannot find package '${name}' imported from index.js`), {
      code: 'ERR_MODULE_NOT_FOUND',
    })
    const reject = (): Promise<never> => Promise.reject(missing)
    const host = { httpAdapter: { getType: () => platform } }
    const begin = (): Promise<unknown> =>
      HttpInstrumentation.start(checkOptions({}), new Registry(), {} as never, host as never, {
        express: reject,
        fastify: reject,
      })
    await expect(begin()).rejects.toThrow(MetricError)
    await expect(begin()).rejects.toMatchObject({
      message: `PrometheusModule: expected \`${name}\` to be installed, which records requests on this platform: npm install ${name}`,
      cause: missing,
    })
    missing.message = `Cannot find package '${platform}' imported from ${name}`
    await expect(begin()).rejects.toBe(missing)
  })
})

describe('on express', () => {
  it('changes nothing about when Express reads its settings, which Nest 10 leaves to the application', async () => {
    const strict = (app: INestApplication): void => {
      const express = app.getHttpAdapter().getInstance()
      express.set('strict routing', true)
      express.set('case sensitive routing', true)
    }
    const bare = await start('express', undefined, { controllers }, strict)
    const { app, get } = await start(
      'express',
      PrometheusModule.forRoot({ registry: new Registry() }),
      { controllers },
      strict,
    )
    expect(await get('/cats/7')).toEqual([200, 'cat'])
    for (const path of ['/cats/7/', '/CATS/7']) expect((await get(path))[0]).toBe((await bare.get(path))[0])
    expect((await get('/CATS/7'))[0]).toBe('lazyrouter' in app.getHttpAdapter().getInstance() ? 404 : 200)
  })

  it('comes before what an Express application of your own has already', async () => {
    const registry = new Registry()
    const adapter = new ExpressAdapter()
    adapter.getInstance().get('/early', (_request: unknown, response: any) => response.send('early'))
    @Module({ imports: [PrometheusModule.forRoot({ registry })] })
    class AppModule {}
    const { get } = await listen(await NestFactory.create(AppModule, adapter, { logger: false }))
    expect(await get('/early')).toEqual([200, 'early'])
    expect(linesOf(await registry.metrics())).toEqual(['{method="GET",route="/early",code="200"} 1'])
  })
})

import { Registry } from '@narthex/core'
import { PrometheusModule, SkipMetrics } from '@narthex/nestjs'
import { Controller, Get, UnauthorizedException, VersioningType } from '@nestjs/common'
import { describe, expect, it } from 'vitest'
import { platforms } from './platform.ts'
import { linesOf, start } from './start.ts'

class BaseController {
  @Get('list/all')
  list(): string {
    return 'list'
  }
}

@Controller('health')
@SkipMetrics()
class HealthController extends BaseController {
  readonly state = 'up'

  @Get()
  check(): string {
    return this.state
  }
}

@Controller('cats')
class CatsController extends BaseController {
  @Get('secret')
  @SkipMetrics()
  secret(): string {
    return 'secret'
  }

  @Get(':id')
  one(): string {
    return 'cat'
  }
}

describe.each(platforms)('on %s', (platform) => {
  it('leaves out handlers and whole controllers, and nothing that those inherit from', async () => {
    const registry = new Registry()
    const controllers = [HealthController, CatsController]
    const { get } = await start(platform, PrometheusModule.forRoot({ registry }), { controllers })
    expect(await get('/health')).toEqual([200, 'up'])
    expect(await get('/health/list/all')).toEqual([200, 'list'])
    expect(await get('/cats/secret')).toEqual([200, 'secret'])
    expect(await get('/cats/list/all')).toEqual([200, 'list'])
    expect(await get('/cats/7')).toEqual([200, 'cat'])
    const page = await registry.metrics()
    expect(linesOf(page)).toEqual([
      '{method="GET",route="/cats/list/all",code="200"} 1',
      '{method="GET",route="/cats/:id",code="200"} 1',
    ])
    expect(linesOf(page, 'http_requests_in_flight')).toEqual(['{method="GET"} 0'])
  })

  it('leaves out what a guard refuses', async () => {
    const registry = new Registry()
    const { get } = await start(
      platform,
      PrometheusModule.forRoot({ registry }),
      { controllers: [HealthController] },
      (app) => {
        app.useGlobalGuards({
          canActivate() {
            throw new UnauthorizedException()
          },
        })
      },
    )
    expect(await get('/health')).toMatchObject([401, expect.anything()])
    expect(linesOf(await registry.metrics())).toEqual([])
  })

  it('leaves out one version of a handler and counts the other', async () => {
    @Controller({ path: 'cats', version: '1' })
    class VersionedController {
      @Get()
      @SkipMetrics()
      first(): string {
        return 'first'
      }
    }
    @Controller({ path: 'cats', version: '2' })
    class LaterController {
      @Get()
      second(): string {
        return 'second'
      }
    }
    const registry = new Registry()
    const controllers = [VersionedController, LaterController]
    const { get } = await start(platform, PrometheusModule.forRoot({ registry }), { controllers }, (app) => {
      app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' })
    })
    expect(await get('/cats', { headers: { 'x-version': '1' } })).toEqual([200, 'first'])
    expect(linesOf(await registry.metrics())).toEqual([])
    expect(await get('/cats', { headers: { 'x-version': '2' } })).toEqual([200, 'second'])
    expect(linesOf(await registry.metrics())).toEqual(['{method="GET",route="/cats",code="200"} 1'])
  })
})

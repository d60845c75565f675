import { defaultRegistry, Registry } from '@narthex/core'
import { Counted, PrometheusModule } from '@narthex/nestjs'
import { Controller, Get, Module } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { adapterOf, platforms } from './platform.ts'
import { linesOf, listen } from './start.ts'

@Controller('cats')
class CatsController {
  @Get(':id')
  @Counted({ name: 'cats_total' })
  one(): string {
    return 'cat'
  }
}

@Module({ imports: [PrometheusModule.forRoot()], controllers: [CatsController] })
class AppModule {}

describe.each(platforms)('a testing module on %s', (platform) => {
  it.each(['first', 'second'])('has a registry of its own with forTest, at zero in the %s test', async () => {
    const module = await Test.createTestingModule({
      imports: [PrometheusModule.forTest()],
      controllers: [CatsController],
    }).compile()
    const { get } = await listen(module.createNestApplication(adapterOf(platform), { logger: false }))
    expect(await get('/cats/7')).toEqual([200, 'cat'])
    const registry = module.get(Registry)
    expect(registry).not.toBe(defaultRegistry)
    expect(registry.getSampleValue('cats_total')).toBe(1)
    expect(registry.getSampleValue('http_requests_total', { method: 'GET', route: '/cats/:id', code: '200' })).toBe(1)
    expect(await get('/metrics')).toEqual([200, await registry.metrics()])
  })

  it('overrides the registry of a whole application', async () => {
    const registry = new Registry()
    const module = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(Registry)
      .useValue(registry)
      .compile()
    const { get } = await listen(module.createNestApplication(adapterOf(platform), { logger: false }))
    await get('/cats/7')
    await get('/nothing')
    expect(linesOf(await registry.metrics())).toEqual([
      '{method="GET",route="/cats/:id",code="200"} 1',
      '{method="GET",route="<unmatched>",code="404"} 1',
    ])
    expect(registry.getSampleValue('cats_total')).toBe(1)
    expect(await defaultRegistry.metrics()).toBe('')
  })

  it('rejects the start for options that the recorder refuses', async () => {
    const prometheus = PrometheusModule.forTest({ buckets: [2, 1] })
    const module = await Test.createTestingModule({ imports: [prometheus] }).compile()
    const begin = async (): Promise<unknown> => {
      const app = module.createNestApplication(adapterOf(platform), { logger: false })
      onTestFinished(() => app.close())
      return app.init()
    }
    await expect(begin()).rejects.toMatchObject({ code: 'ERR_NARTHEX_INVALID_BUCKETS' })
  })
})

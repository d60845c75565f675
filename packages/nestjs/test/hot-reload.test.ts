import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Registry } from '@narthex/core'
import { Counted, InProgress, makeGaugeProvider, PrometheusModule, Timed } from '@narthex/nestjs'
import { Injectable } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { expect, it } from 'vitest'
import { CatsController } from './cats.controller.ts'
import { adapterOf, type Platform, platforms } from './platform.ts'
import { linesOf } from './start.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

@Injectable()
class Queue {
  @Timed()
  @Counted()
  @InProgress()
  depth(): number {
    return 3
  }
}

it.each(platforms)('applications on %s that were made anew on one registry are let go', async (platform) => {
  const registry = new Registry()
  const gone: WeakRef<object>[] = []
  for (let round = 0; round < 3; round += 1) gone.push(...(await live(platform, registry)))
  // The last one is held by its `collect`, until there is another.
  await live(platform, registry)
  const held = (): WeakRef<object>[] => {
    collectGarbage()
    return gone.filter((each) => each.deref() !== undefined)
  }
  await expect.poll(held).toEqual([])
  expect(linesOf(await registry.metrics())).toEqual(['{method="GET",route="/cats/:id",code="200"} 4'])
  expect(registry.getSampleValue('http_requests_in_flight', { method: 'GET' })).toBe(0)
})

async function live(platform: Platform, registry: Registry): Promise<WeakRef<object>[]> {
  const module = await Test.createTestingModule({
    imports: [PrometheusModule.forRoot({ registry })],
    controllers: [CatsController],
    providers: [
      Queue,
      makeGaugeProvider({
        name: 'depth',
        help: 'Depth',
        inject: [Queue],
        collect: (gauge, queue: Queue) => gauge.set(queue.depth()),
      }),
    ],
  }).compile()
  const app = module.createNestApplication(adapterOf(platform))
  await app.listen(0, '127.0.0.1')
  const { port } = app.getHttpServer().address()
  const response = await fetch(`http://127.0.0.1:${port}/cats/7`)
  expect(await response.text()).toBe('cat')
  expect(await registry.metrics()).toContain('\ndepth 3\n')
  const held = [app, app.getHttpServer(), module.get(Queue)].map((each) => new WeakRef<object>(each))
  app.getHttpServer().closeAllConnections()
  await app.close()
  return held
}

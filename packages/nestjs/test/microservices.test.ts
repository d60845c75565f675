import { Registry } from '@narthex/core'
import { Counted, PrometheusModule, Timed } from '@narthex/nestjs'
import { Controller, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices'
import { lastValueFrom, type Observable, of, toArray } from 'rxjs'
import { expect, it, onTestFinished } from 'vitest'
import { freePort } from '../../../test/free-port.ts'

@Controller()
class Sums {
  @Timed({ name: 'sum_seconds' })
  @MessagePattern('sum')
  async sum(numbers: number[]): Promise<number> {
    return numbers.reduce((sum, number) => sum + number, 0)
  }

  @MessagePattern('list')
  @Counted({ name: 'lists_total' })
  list(numbers: number[]): Observable<number> {
    return of(...numbers)
  }
}

it('message handlers are measured by the same decorators, without a server for HTTP', async () => {
  const registry = new Registry()
  @Module({ imports: [PrometheusModule.forRoot({ registry })], controllers: [Sums] })
  class AppModule {}
  const options = { host: '127.0.0.1', port: await freePort() }
  const app = await NestFactory.createMicroservice(AppModule, { transport: Transport.TCP, options, logger: false })
  await app.listen()
  onTestFinished(() => app.close())
  const client = ClientProxyFactory.create({ transport: Transport.TCP, options })
  onTestFinished(() => void client.close())
  expect(await lastValueFrom(client.send<number>('sum', [1, 2, 3]))).toBe(6)
  expect(await lastValueFrom(client.send<number>('list', [1, 2]).pipe(toArray()))).toEqual([1, 2])
  expect(registry.getSampleValue('sum_seconds_count')).toBe(1)
  expect(registry.getSampleValue('lists_total')).toBe(1)
})

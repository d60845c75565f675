import { Registry } from '@narthex/core'
import { Counted, InProgress, PrometheusModule, Timed } from '@narthex/nestjs'
import { applyDecorators, Controller, Get, Inject, Injectable, Param, Scope, Sse, type Type } from '@nestjs/common'
import { REQUEST } from '@nestjs/core'
import { catchError, concat, defer, finalize, from, interval, map, type Observable, of, tap, throwError } from 'rxjs'
import { describe, expect, it, vi } from 'vitest'
import { platforms } from './platform.ts'
import { start } from './start.ts'

/** All that can be measured of a method, under one name. */
const Measured = (name: string): MethodDecorator =>
  applyDecorators(
    Timed({ name: `${name}_seconds` }),
    Counted({ name: `${name}_calls_total` }),
    Counted({ name: `${name}_errors_total`, errorsOnly: true }),
    InProgress({ name: `${name}_running` }),
  )

interface Worker {
  value(how: string): string
  promise(how: string): Promise<string>
  observable(how: string): Observable<string>
  generator(how: string): AsyncGenerator<string>
}

const kinds = ['value', 'promise', 'observable', 'generator'] as const

const check = (how: string): string => {
  if (how === 'fails') throw new Error('failed')
  return how
}

/** A provider of a scope, with a method of each kind; each instance has its own state. */
function workerOf(scope: Scope): Type<Worker> {
  @Injectable({ scope })
  class ScopedWorker implements Worker {
    readonly #prefix = 'did'

    @Measured('work_value')
    value(how: string): string {
      return `${this.#prefix} ${check(how)}`
    }

    @Measured('work_promise')
    async promise(how: string): Promise<string> {
      await new Promise((resolve) => setTimeout(resolve, 2))
      return `${this.#prefix} ${check(how)}`
    }

    @Measured('work_observable')
    observable(how: string): Observable<string> {
      return concat(
        of('first'),
        defer(() => this.promise(how)),
      )
    }

    @Measured('work_generator')
    async *generator(how: string): AsyncGenerator<string> {
      yield 'first'
      yield await this.promise(how)
    }
  }
  return ScopedWorker
}

async function readAll(pages: AsyncIterable<string>): Promise<string> {
  let last = ''
  for await (const page of pages) last = page
  return last
}

function controllerOf(worker: Type<Worker>, scope: Scope): Type {
  @Controller({ path: 'work', scope })
  class WorkController {
    @Inject(worker) readonly worker!: Worker
    @Inject(worker) readonly second!: Worker

    @Get('value/:how')
    @Measured('handler_value')
    value(@Param('how') how: string): string {
      return this.worker.value(how)
    }

    @Measured('handler_promise')
    @Get('promise/:how')
    promise(@Param('how') how: string): Promise<string> {
      return this.second.promise(how)
    }

    @Get('observable/:how')
    @Measured('handler_observable')
    observable(@Param('how') how: string): Observable<string> {
      return this.worker.observable(how).pipe(map((text) => text.trim()))
    }

    @Measured('handler_generator')
    @Get('generator/:how')
    async generator(@Param('how') how: string): Promise<string> {
      return readAll(this.worker.generator(how))
    }
  }
  return WorkController
}

describe.each(platforms)('on %s', (platform) => {
  it.each([
    ['default', Scope.DEFAULT, Scope.DEFAULT],
    ['transient', Scope.TRANSIENT, Scope.DEFAULT],
    ['request-scoped', Scope.REQUEST, Scope.DEFAULT],
    ['request-scoped, in a request-scoped controller', Scope.REQUEST, Scope.REQUEST],
  ])('methods of every kind are measured once a call, in providers that are %s', async (_, scope, ofController) => {
    const registry = new Registry()
    const worker = workerOf(scope)
    const { get } = await start(platform, PrometheusModule.forRoot({ registry }), {
      controllers: [controllerOf(worker, ofController)],
      providers: [worker],
    })
    const values = (name: string): (number | undefined)[] =>
      ['seconds_count', 'calls_total', 'errors_total', 'running'].map((end) =>
        registry.getSampleValue(`${name}_${end}`),
      )

    for (const kind of kinds) {
      expect([kind, await get(`/work/${kind}/well`)]).toEqual([kind, [200, 'did well']])
      expect([kind, (await get(`/work/${kind}/fails`))[0]]).toEqual([kind, 500])
    }
    for (const kind of kinds) expect([kind, ...values(`handler_${kind}`)]).toEqual([kind, 2, 2, 1, 0])
    // The Observable and the generator have called it too.
    const times = { value: 1, promise: 3, observable: 1, generator: 1 }
    for (const kind of kinds) {
      const own = times[kind]
      expect([kind, ...values(`work_${kind}`)]).toEqual([kind, 2 * own, 2 * own, own, 0])
    }
    for (const kind of kinds) {
      for (const code of ['200', '500']) {
        const labels = { method: 'GET', route: `/work/${kind}/:how`, code }
        expect(registry.getSampleValue('http_requests_total', labels)).toBe(1)
      }
    }
  })

  it('a call is in progress for as long as a client listens to it', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Ticker {
      @Inject(REQUEST) readonly request!: { url: string }

      @Measured('ticks')
      ticks(): Observable<number> {
        return interval(5)
      }

      @Measured('pages')
      async *pages(): AsyncGenerator<string> {
        for (let page = 0; ; page += 1) {
          await new Promise((resolve) => setTimeout(resolve, 2))
          yield `${this.request.url} ${page}`
        }
      }
    }
    @Controller('live')
    class LiveController {
      @Inject(Ticker) readonly ticker!: Ticker

      @Sse('ticks')
      @Measured('live_ticks')
      ticks(): unknown {
        return this.ticker.ticks().pipe(map((tick) => ({ data: `tick ${tick}` })))
      }

      @Sse('pages')
      @Measured('live_pages')
      pages(): unknown {
        return from(this.ticker.pages()).pipe(map((data) => ({ data })))
      }
    }
    const registry = new Registry()
    const value = (name: string): number | undefined => registry.getSampleValue(name)
    const { url } = await start(platform, PrometheusModule.forRoot({ registry }), {
      controllers: [LiveController],
      providers: [Ticker],
    })
    for (const what of ['ticks', 'pages']) {
      const leaving = new AbortController()
      const answer = await fetch(`${url}/live/${what}`, { signal: leaving.signal })
      const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
      // Nest sends an empty line before it listens itself.
      let received = ''
      for (let part = await reader.read(); !received.includes('data'); part = await reader.read()) {
        expect([what, received, part.done]).toEqual([what, expect.anything(), false])
        received += Buffer.from(part.value as Uint8Array).toString()
      }
      expect([value(`${what}_running`), value(`live_${what}_running`)]).toEqual([1, 1])
      expect(value(`${what}_calls_total`)).toBe(0)
      leaving.abort()
      await vi.waitFor(() => expect([value(`${what}_running`), value(`live_${what}_running`)]).toEqual([0, 0]))
      for (const name of [what, `live_${what}`]) {
        expect([value(`${name}_calls_total`), value(`${name}_errors_total`)]).toEqual([1, 0])
      }
      const labels = { method: 'GET', route: `/live/${what}`, code: '499' }
      await vi.waitFor(() => expect(registry.getSampleValue('http_requests_total', labels)).toBe(1))
    }
  })

  it('an Observable is measured once a subscription, whatever operators are put behind it', async () => {
    let subscribed = 0
    let given = 0
    @Injectable()
    class Prices {
      @Measured('prices')
      of(name: string): Observable<string> {
        const prices = name === 'none' ? throwError(() => new RangeError(name)) : of('1', '2')
        return prices.pipe(
          tap({ subscribe: () => (subscribed += 1) }),
          finalize(() => (given += 1)),
        )
      }
    }
    @Controller('prices')
    class PricesController {
      @Inject(Prices) readonly prices!: Prices

      @Get(':name')
      price(@Param('name') name: string): Observable<string> {
        const prices = this.prices.of(name)
        return concat(prices, prices).pipe(catchError(() => of('unknown')))
      }
    }
    const registry = new Registry()
    const { get } = await start(platform, PrometheusModule.forRoot({ registry }), {
      controllers: [PricesController],
      providers: [Prices],
    })
    expect(await get('/prices/tea')).toEqual([200, '2'])
    expect(await get('/prices/none')).toEqual([200, 'unknown'])
    expect([subscribed, given]).toEqual([3, 3])
    expect(registry.getSampleValue('prices_calls_total')).toBe(3)
    expect(registry.getSampleValue('prices_errors_total')).toBe(1)
    expect(registry.getSampleValue('prices_running')).toBe(0)
  })
})

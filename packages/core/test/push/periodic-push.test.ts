import { setTimeout as sleep } from 'node:timers/promises'
import { Counter, MetricError, Registry } from '@narthex/core'
import { type PeriodicPushOptions, PushError, startPushing } from '@narthex/core/push'
import { describe, expect, it, onTestFinished } from 'vitest'
import { caught } from '../caught.ts'
import { requireProgram } from '../program.ts'
import { recordWarnings } from '../warnings.ts'
import { runBuilt } from './built-program.ts'
import { fakeGateway } from './fake-gateway.ts'
import { startPushgateway } from './pushgateway.ts'

const periodic = new URL('programs/periodic.mjs', import.meta.url)

describe('pushing again and again', () => {
  it('sends the values of that moment, until the last push of stop()', async () => {
    const { url, received } = await fakeGateway((response) => response.end())
    const registry = new Registry()
    const counter = new Counter({ name: 'c', help: 'C', registry })
    const pushing = startPushing(url, { job: 'a', registry, interval: 10, mode: 'add' })
    await expect.poll(() => received.length).toBeGreaterThan(2)
    counter.inc()
    await pushing.stop()
    expect(String(received.at(-1)?.body)).toContain('c_total 1\n')
    expect(new Set(received.map(({ method }) => method))).toEqual(new Set(['POST']))
    const sent = received.length
    await sleep(50)
    expect(received).toHaveLength(sent)
  })

  it('never sends two at once, however slow the gateway is', async () => {
    let open = 0
    let most = 0
    const { url, received } = await fakeGateway((response) => {
      most = Math.max(most, ++open)
      setTimeout(() => {
        open -= 1
        response.end()
      }, 50)
    })
    const pushing = startPushing(url, { job: 'a', registry: new Registry(), interval: 5 })
    await expect.poll(() => received.length).toBeGreaterThan(2)
    // stop() waits for the one under way.
    await Promise.all([pushing.stop(), pushing.stop()])
    expect(most).toBe(1)
  })

  it('rejects stop() where the last push failed, always with the same error', async () => {
    const { url } = await fakeGateway((response) => {
      response.statusCode = 400
      response.end('no')
    })
    const pushing = startPushing(url, { job: 'a', registry: new Registry() })
    const error = await pushing.stop().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(PushError)
    await expect(pushing[Symbol.asyncDispose]()).rejects.toBe(error)
  })

  it('tells onError of each failure, whatever that does with it', async () => {
    const warnings = recordWarnings()
    const errors: unknown[] = []
    const { url } = await fakeGateway((response, attempt) => {
      response.statusCode = attempt < 3 ? 400 : 200
      response.end()
    })
    const onError = (error: unknown): void => {
      errors.push(error)
      throw new Error('onError has thrown')
    }
    const pushing = startPushing(url, { job: 'a', registry: new Registry(), interval: 5, onError })
    await expect.poll(() => errors.length).toBe(3)
    await pushing.stop()
    expect(errors.every((error) => error instanceof PushError)).toBe(true)
    expect(warnings.map(({ message }) => message)).toEqual(['onError has thrown'])
  })

  it('warns once for each row of failures where nobody listens', async () => {
    const warnings = recordWarnings()
    const failing = new Set([0, 1, 3, 4])
    const { url, received } = await fakeGateway((response, attempt) => {
      response.statusCode = failing.has(attempt) ? 400 : 200
      response.end()
    })
    const pushing = startPushing(url, { job: 'a', registry: new Registry(), interval: 5 })
    await expect.poll(() => received.length).toBeGreaterThan(5)
    await pushing.stop()
    expect(warnings.map(({ code }) => code)).toEqual(['NARTHEX_PUSH_FAILED', 'NARTHEX_PUSH_FAILED'])
    expect(warnings[0]?.message).toContain(`PUT ${url}/metrics/job/a failed: it answered 400`)
  })

  it('leaves nothing on the process', async () => {
    const { url } = await fakeGateway((response) => response.end())
    const before = process.listenerCount('beforeExit')
    const pushing = startPushing(url, { job: 'a', registry: new Registry() })
    expect(process.listenerCount('beforeExit')).toBe(before + 1)
    await pushing.stop()
    expect(process.listenerCount('beforeExit')).toBe(before)
  })

  it.each<[string, object]>([
    ['job', { job: '' }],
    ['interval', { interval: 0 }],
    ['interval', { interval: 2 ** 31 }],
    ['mode', { mode: 'delete' }],
    ['onError', { onError: 'log' }],
    ['every', { every: 5 }],
    ['timeout', { timeout: -1 }],
  ])('refuses a wrong `%s` when it is started', (argument, options) => {
    onTestFinished(() => expect(process.listenerCount('beforeExit')).toBe(listeners))
    const listeners = process.listenerCount('beforeExit')
    const error = caught(() => startPushing('gateway', { job: 'a', ...options } as PeriodicPushOptions))
    expect(error).toBeInstanceOf(MetricError)
    expect(error.argument).toBe(argument)
  })
})

describe('a program that pushes', () => {
  it.each(['stop', 'nothing left to do'])('has pushed its last values when it ends by %s', async (ending) => {
    const { url, received } = await fakeGateway((response) => response.end())
    expect(await runBuilt(periodic, [url, ending])).toEqual({ code: 0, output: 'done\n', errors: '' })
    expect(received.length).toBeGreaterThan(1)
    expect(String(received.at(-1)?.body)).toContain('rounds_total 104\n')
  })

  it('has its last values in a real Pushgateway', async (context) => {
    requireProgram('prometheus-pushgateway', context)
    const gateway = await startPushgateway()
    onTestFinished(() => gateway.stop())
    await runBuilt(periodic, [gateway.url, 'nothing left to do'])
    expect(await gateway.page()).toEqual({ 'rounds_total{job="periodic"}': 104 })
  })

  it('ends in bounded time, with a warning, where nobody answers', async () => {
    const { url } = await fakeGateway(() => {})
    const { code, output, errors } = await runBuilt(periodic, [url, 'nothing left to do'])
    expect({ code, output }).toEqual({ code: 0, output: 'done\n' })
    expect(errors).toMatch(/\[NARTHEX_PUSH_FAILED\] NarthexWarning: PUT \S+ failed: no answer within 1000 ms/)
  })

  it('learns from stop() that nobody takes its values', async () => {
    const { url } = await fakeGateway((response) => {
      response.statusCode = 500
      response.end('full')
    })
    const { code, output } = await runBuilt(periodic, [url, 'stop'])
    expect(code).toBe(0)
    expect(output).toMatch(/^stop: PUT \S+ failed: it answered 500: full\ndone\n$/)
  })
})

import { Gauge, Registry } from '@narthex/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { caught } from '../caught.ts'

const NOT_A_NUMBER = ['5', '', null, true, 1n, [[]], Symbol('s')]

function gaugeOf(): Gauge {
  return new Gauge({ name: 'g', help: 'G', registry: null })
}

describe('set(), inc() and dec()', () => {
  it('move the value', () => {
    const gauge = gaugeOf()
    gauge.set(10)
    gauge.inc()
    gauge.inc(4)
    gauge.dec()
    gauge.dec(2)
    gauge.inc(-0.5)
    expect(gauge.labels().value).toBe(11.5)
  })

  it('move the series of the labels', () => {
    const gauge = new Gauge({ name: 'g', help: 'G', labelNames: ['a'], registry: null })
    gauge.set({ a: 'x' }, 10)
    gauge.inc({ a: 'x' })
    gauge.inc({ a: 'x' }, 2)
    gauge.dec({ a: 'y' })
    gauge.dec({ a: 'y' }, 2)
    expect(gauge.labels('x').value).toBe(13)
    expect(gauge.labels('y').value).toBe(-3)
  })

  it.each([Number.NaN, Infinity, -Infinity, -0, 1e308])('take %s', (value) => {
    const gauge = gaugeOf()
    gauge.set(value)
    expect(gauge.labels().value).toBe(value)
  })

  it.each(NOT_A_NUMBER)('refuse %s and change nothing', (value) => {
    const gauge = gaugeOf()
    gauge.set(3)
    const child = gauge.labels()
    for (const method of ['set', 'inc', 'dec'] as const) {
      const expected = { code: 'ERR_NARTHEX_INVALID_VALUE', metric: 'g', argument: 'value', value }
      expect(caught(() => child[method](value as never))).toMatchObject(expected)
    }
    expect(child.value).toBe(3)
  })

  it.each(NOT_A_NUMBER)('refuse %s for labels not seen before, and make no series', (value) => {
    const gauge = new Gauge({ name: 'g', help: 'G', labelNames: ['a'], registry: null })
    for (const method of ['set', 'inc', 'dec', 'setFunction'] as const) {
      expect(caught(() => gauge[method]({ a: 'x' }, value as never)).code).toBe('ERR_NARTHEX_INVALID_VALUE')
    }
    expect([...gauge.family.series]).toEqual([])
  })

  it('set() refuses to be called without a value', () => {
    const gauge = new Gauge({ name: 'g', help: 'G', labelNames: ['a'], registry: null })
    expect(caught(() => (gauge.set as (labels: object) => void)({ a: 'x' })).code).toBe('ERR_NARTHEX_INVALID_VALUE')
    expect(caught(() => (gaugeOf().set as () => void)()).code).toBe('ERR_NARTHEX_INVALID_VALUE')
  })

  it('say what they expected, and what they got', () => {
    expect(caught(() => gaugeOf().set('5' as never)).message).toBe(
      'Gauge `g`: expected `value` to be a number, got `5` (string)',
    )
  })
})

describe('setFunction()', () => {
  it('lets a function tell the value at each scrape', async () => {
    const registry = new Registry()
    let queue = 3
    new Gauge({ name: 'g', help: 'G', registry }).setFunction(() => queue)
    expect(await registry.metrics()).toContain('\ng 3\n')
    queue = 4
    expect(await registry.metrics()).toContain('\ng 4\n')
  })

  it('ends with set(), inc() or dec()', async () => {
    const registry = new Registry()
    const gauge = new Gauge({ name: 'g', help: 'G', registry })
    for (const end of [() => gauge.set(1), () => gauge.inc(), () => gauge.dec()]) {
      gauge.setFunction(() => 100)
      await registry.metrics()
      end()
      expect(await registry.metrics()).not.toContain('\ng 100\n')
    }
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['gives no number', () => 'many' as never],
    ['gives a Promise', () => Promise.resolve(1) as never],
  ])('costs its own line only where it %s, and counts that', async (_, failing) => {
    const registry = new Registry()
    const gauge = new Gauge({ name: 'g', help: 'G', labelNames: ['a'], registry })
    gauge.setFunction({ a: 'bad' }, failing)
    gauge.setFunction({ a: 'good' }, () => 5)
    const page = await registry.metrics()
    expect(page).toContain('g{a="good"} 5\n')
    expect(page).not.toContain('g{a="bad"}')
    expect(registry.getSampleValue('narthex_collector_errors_total', { collector: 'g' })).toBe(1)
  })

  it('is not run by who reads without scraping', () => {
    const registry = new Registry()
    const run = vi.fn(() => 5)
    const gauge = new Gauge({ name: 'g', help: 'G', registry })
    gauge.setFunction(run)
    expect(registry.getSampleValue('g')).toBe(0)
    expect(registry.get('g')).toBe(gauge)
    expect(run).not.toHaveBeenCalled()
  })

  it('refuses what is no function', () => {
    expect(caught(() => gaugeOf().setFunction(5 as never))).toMatchObject({
      code: 'ERR_NARTHEX_INVALID_VALUE',
      value: 5,
    })
  })
})

describe('with a clock', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_700_000_000_250 }))
  afterEach(() => void vi.useRealTimers())

  it('setToCurrentTime() sets the time of day in seconds', () => {
    const gauge = gaugeOf()
    gauge.setToCurrentTime()
    expect(gauge.labels().value).toBe(1_700_000_000.25)
    const labelled = new Gauge({ name: 'g', help: 'G', labelNames: ['a'], registry: null })
    labelled.setToCurrentTime({ a: 'x' })
    expect(labelled.labels('x').value).toBe(1_700_000_000.25)
  })

  it('startTimer() sets the seconds since its start', () => {
    const gauge = gaugeOf()
    const end = gauge.startTimer()
    vi.advanceTimersByTime(1500)
    expect(end()).toBe(1.5)
    expect(gauge.labels().value).toBe(1.5)
  })

  it('time() sets the seconds that a call took', async () => {
    const gauge = gaugeOf()
    const call = gauge.time(() => new Promise((resolve) => void setTimeout(resolve, 2000)))()
    await vi.advanceTimersByTimeAsync(2000)
    await call
    expect(gauge.labels().value).toBe(2)
  })
})

describe('trackInProgress()', () => {
  it('is one up while a call runs, however it ends', async () => {
    const gauge = gaugeOf()
    const child = gauge.labels()
    expect(gauge.trackInProgress(() => child.value)()).toBe(1)
    expect(child.value).toBe(0)
    expect(
      gauge.trackInProgress(() => {
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(child.value).toBe(0)
    let release: () => void = () => undefined
    const pending = gauge.trackInProgress(() => new Promise<void>((resolve) => void (release = resolve)))()
    expect(child.value).toBe(1)
    release()
    await pending
    expect(child.value).toBe(0)
    await expect(gauge.trackInProgress(() => Promise.reject(new Error('no')))()).rejects.toThrow('no')
    expect(child.value).toBe(0)
  })

  it('counts calls that overlap', async () => {
    const gauge = new Gauge({ name: 'g', help: 'G', labelNames: ['a'], registry: null })
    const sleep = gauge.trackInProgress({ a: 'x' }, () => new Promise<void>((resolve) => void setImmediate(resolve)))
    const calls = [sleep(), sleep(), sleep()]
    expect(gauge.labels('x').value).toBe(3)
    await Promise.all(calls)
    expect(gauge.labels('x').value).toBe(0)
  })
})

it('goes back to zero on reset(), and a function goes on telling the value', async () => {
  const registry = new Registry()
  const gauge = new Gauge({ name: 'g', help: 'G', labelNames: ['a'], registry })
  gauge.set({ a: 'x' }, 5)
  gauge.setFunction({ a: 'y' }, () => 7)
  registry.reset()
  expect(await registry.metrics()).toMatch(/^g\{a="x"\} 0\ng\{a="y"\} 7$/m)
})

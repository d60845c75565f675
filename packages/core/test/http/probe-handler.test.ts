import { Gauge, GaugeMetricFamily, MetricError, type Registry } from '@narthex/core'
import { Exporter } from '@narthex/core/exporter'
import { probeHandler, type ProbeHandlerOptions } from '@narthex/core/http'
import { getSampleValue } from '@narthex/core/testing'
import { describe, expect, it } from 'vitest'
import { caught } from '../caught.ts'
import { startedServer } from './started-server.ts'

const never = (): Promise<never> => new Promise(() => {})

describe('a probe', () => {
  it('looks at the target that the request names, and answers with a page of its own', async () => {
    const at = await prober({
      targets: /db\d+/,
      modules({ target, module, registry }) {
        const looks = new Gauge({ name: 'looks', help: 'Some.', labelNames: ['target', 'module'], registry })
        looks.inc({ target, module })
      },
    })
    for (const target of ['db1', 'db2']) {
      const page = await (await at(`?target=${target}`)).text()
      expect(page).toMatch(
        /^# HELP probe_success Whether the probe succeeded\.\n# TYPE probe_success gauge\nprobe_success 1\n/,
      )
      expect(getSampleValue(page, 'probe_duration_seconds')).toBeGreaterThanOrEqual(0)
      expect([...page.matchAll(/^looks.*$/gm)].map(String)).toEqual([`looks{target="${target}",module="default"} 1`])
    }
  })

  it('is the module that the request names', async () => {
    const module =
      (name: string) =>
      ({ registry }: { registry: Registry }) => {
        new Gauge({ name, help: 'Some.', registry }).set(1)
      }
    const modules = { one: module('one'), two: module('two') }
    const at = await prober({ targets: 'db1', modules })
    expect(await (await at('?target=db1&module=two')).text()).toContain('two 1\n')
    expect((await at('?target=db1')).status).toBe(400)
    const withDefault = await prober({ targets: 'db1', modules, defaultModule: 'one' })
    expect(await (await withDefault('?target=db1')).text()).toContain('one 1\n')
  })

  it.each([
    ['throws', () => raise()],
    ['rejects', () => Promise.reject(new Error('refused'))],
    ['gives false', () => false],
    ['gives false later', () => Promise.resolve(false)],
    ['registers a name twice', ({ registry }: { registry: Registry }) => twice(registry)],
  ])('that %s is a page that says so', async (_, modules) => {
    const errors: unknown[] = []
    const at = await prober({ targets: 'db1', modules: modules as never, onError: (error) => errors.push(error) })
    const response = await at('?target=db1')
    expect(response.status).toBe(200)
    expect(getSampleValue(await response.text(), 'probe_success')).toBe(0)
    expect(errors.length).toBe(_.startsWith('gives') ? 0 : 1)
  })

  it('that is late is called off, and the page has what it found so far', async () => {
    const reasons: unknown[] = []
    const at = await prober({
      targets: 'db1',
      timeout: 30,
      modules({ registry, signal }) {
        new Gauge({ name: 'found', help: 'Some.', registry }).set(1)
        signal.addEventListener('abort', () => reasons.push(signal.reason))
        return never()
      },
    })
    const page = await (await at('?target=db1')).text()
    expect(getSampleValue(page, 'probe_success')).toBe(0)
    expect(getSampleValue(page, 'found')).toBe(1)
    expect(reasons).toEqual([expect.objectContaining({ message: 'The probe has not ended within 30 ms' })])
  })

  it('is given less time where Prometheus announces less', async () => {
    const at = await prober({ targets: 'db1', modules: never })
    const response = await at('?target=db1', { headers: { 'X-Prometheus-Scrape-Timeout-Seconds': '0.05' } })
    expect(getSampleValue(await response.text(), 'probe_success')).toBe(0)
  })

  it('may put an exporter on its page', async () => {
    const at = await prober({
      targets: /.*/,
      modules({ target, registry, signal }) {
        expect(signal.aborted).toBe(false)
        const collect = (): GaugeMetricFamily[] => [
          new GaugeMetricFamily({ name: 'length', help: 'Some.', value: target.length }),
        ]
        registry.register(new Exporter({ name: 'text', collectors: [{ name: 'length', collect }] }))
      },
    })
    const page = await (await at('?target=fennel')).text()
    expect([getSampleValue(page, 'text_up'), getSampleValue(page, 'length')]).toEqual([1, 6])
  })

  it('is not made for HEAD, nor for other methods', async () => {
    let probes = 0
    const at = await prober({ targets: 'db1', modules: () => probes++ })
    const head = await at('?target=db1', { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    expect((await at('?target=db1', { method: 'POST' })).status).toBe(405)
    expect(probes).toBe(0)
  })

  it('over the limit is refused, and there is room again when others end', async () => {
    const end: (() => void)[] = []
    const at = await prober({
      targets: 'db1',
      maxRequestsInFlight: 2,
      modules: () => new Promise<void>((resolve) => end.push(resolve)),
    })
    const running = [at('?target=db1'), at('?target=db1')]
    await expect.poll(() => end.length).toBe(2)
    const refused = await at('?target=db1')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
    for (const resolve of end) resolve()
    for (const response of await Promise.all(running)) expect(await response.text()).toContain('probe_success 1\n')
    const last = at('?target=db1')
    await expect.poll(() => end.length).toBe(3)
    end[2]?.()
    expect((await last).status).toBe(200)
  })
})

describe('the allow-list', () => {
  const targets = [
    'db1:3306',
    /db\d\.internal/gi,
    /a|b/y,
    (target: string) => target === 'chosen' || (target === 'x' && raise()),
  ]
  it.each([
    ['db1:3306', 200],
    ['db7.internal', 200],
    ['DB7.INTERNAL', 200],
    ['a', 200],
    ['b', 200],
    ['chosen', 200],
    ['x', 403],
    ['db1:3307', 403],
    ['DB1:3306', 403],
    ['db7.internal.attacker.example', 403],
    ['attacker.example/db7.internal', 403],
    ['db7.internal\nx', 403],
    ['ab', 403],
    ['169.254.169.254', 403],
    ['', 400],
  ])('answers %j with %i, each time', async (target, status) => {
    const at = await prober({ targets, modules: () => {} })
    const statuses = []
    for (let round = 0; round < 3; round++) statuses.push((await at(`?target=${encodeURIComponent(target)}`)).status)
    expect(statuses).toEqual([status, status, status])
  })

  it.each([
    ['', 400],
    ['?', 400],
    ['?module=default', 400],
    ['?target=db1&target=db2', 400],
    ['?target=db1&module=default&module=default', 400],
    ['?target=db1&module=', 400],
    ['?target=db1&module=__proto__', 400],
    ['?target=db1&module=constructor', 400],
    ['?target=db1&module=default', 200],
    ['?target=%64b1', 200],
    ['?%74arget=db1', 200],
    ['?target=db1#target=db2', 200],
    ['?target=%ff%fe', 403],
  ])('and the query %j are both asked: %i', async (query, status) => {
    const at = await prober({ targets: 'db1', modules: () => {} })
    expect((await at(query)).status).toBe(status)
  })
})

describe('options', () => {
  const modules = (): void => {}
  it.each([
    ['options', undefined],
    ['targets', { modules }],
    ['targets', { modules, targets: [] }],
    ['targets', { modules, targets: [''] }],
    ['targets', { modules, targets: [7] }],
    ['modules', { targets: 'a' }],
    ['modules', { targets: 'a', modules: {} }],
    ['modules', { targets: 'a', modules: { a: 7 } }],
    ['modules', { targets: 'a', modules: null }],
    ['defaultModule', { targets: 'a', modules, defaultModule: 'other' }],
    ['defaultModule', { targets: 'a', modules, defaultModule: 'toString' }],
    ['timeout', { targets: 'a', modules, timeout: 0 }],
    ['timeout', { targets: 'a', modules, timeout: Infinity }],
    ['maxRequestsInFlight', { targets: 'a', modules, maxRequestsInFlight: 0 }],
    ['onError', { targets: 'a', modules, onError: 'log' }],
  ])('refuse %s that cannot be right: %o', (argument, options) => {
    const error = caught(() => probeHandler(options as never))
    expect(error).toBeInstanceOf(MetricError)
    expect([error.code, error.argument]).toEqual(['ERR_NARTHEX_INVALID_OPTION', argument])
  })
})

/** Serves a probe handler at /probe; the function asks it. */
async function prober(options: ProbeHandlerOptions): Promise<(query: string, init?: RequestInit) => Promise<Response>> {
  const { url } = await startedServer({ paths: { '/probe': probeHandler(options) } })
  return (query, init) => fetch(`${url}${query}`, init)
}

function raise(): never {
  throw new Error('broken')
}

function twice(registry: Registry): void {
  new Gauge({ name: 'probe_success', help: 'Some.', registry })
}

import { Registry } from '@narthex/core'
import { fastifyMetricsNaming } from '@narthex/core/http'
import { PrometheusModule, type PrometheusModuleOptions } from '@narthex/nestjs'
import { Module } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { describe, expect, it } from 'vitest'
import { CatsController } from './cats.controller.ts'
import { adapterOf, type Platform, platforms } from './platform.ts'
import { linesOf, listen, start, type Started } from './start.ts'

const controllers = [CatsController]
const cats = '{method="GET",route="/cats/:id",code="200"} 1'

/** An application and a feature of it that import the module once each, on one registry. */
function startTwice(
  platform: Platform,
  registry: Registry,
  [own, feature]: readonly [PrometheusModuleOptions, PrometheusModuleOptions],
  prepare?: Parameters<typeof start>[3],
): Promise<Started> {
  @Module({ imports: [PrometheusModule.forRootAsync({ useFactory: async () => ({ registry, ...feature }) })] })
  class FeatureModule {}
  const imports = [FeatureModule]
  return start(platform, PrometheusModule.forRoot({ registry, ...own }), { imports, controllers }, prepare)
}

describe.each(platforms)('two imports, on %s,', (platform) => {
  it('have a page at each path, outside of all that the application adds, and count once', async () => {
    const registry = new Registry()
    const { get } = await startTwice(platform, registry, [{}, { path: '/internal/metrics' }], (app) => {
      app.setGlobalPrefix('api')
      app.useGlobalGuards({ canActivate: () => true })
      app.use((request: any, response: any, next: () => void) => {
        if (!request.url.includes('metrics')) return next()
        response.statusCode = 418
        response.end('mine')
      })
    })
    expect(await get('/api/cats/7')).toEqual([200, 'cat'])
    const inFlight: string[] = []
    for (const path of ['/metrics', '/internal/metrics', '/internal/metrics?name[]=http_requests_total', '/metrics']) {
      const [status, page] = await get(path)
      expect([path, status, linesOf(page)]).toEqual([path, 200, [cats.replace('/cats', '/api/cats')]])
      inFlight.push(...linesOf(page, 'http_requests_in_flight'))
    }
    expect(inFlight).toEqual(Array.from({ length: 3 }, () => '{method="GET"} 0'))
    expect(await get('/internal/metrics', { method: 'POST' })).toEqual([405, 'Method not allowed\n'])
    expect(await get('/internal/metrics/deeper')).toEqual([418, 'mine'])
    expect(linesOf(await registry.metrics())).toContain(cats.replace('/cats', '/api/cats'))
  })

  it('have what each says of its page', async () => {
    const registry = new Registry()
    const authorize = ({ headers }: { headers: object }): boolean => 'authorization' in headers
    const { get } = await startTwice(platform, registry, [
      { authorize },
      { path: '/open', recordScrapes: true, compression: false },
    ])
    expect((await get('/metrics'))[0]).toBe(401)
    expect((await get('/metrics', { headers: { authorization: 'x' } }))[0]).toBe(200)
    expect((await get('/open', { method: 'HEAD' }))[0]).toBe(200)
    expect(linesOf(await registry.metrics())).toEqual(['{method="HEAD",route="/open",code="200"} 1'])
  })

  it('have one page where only one of them has a path', async () => {
    const registry = new Registry()
    const { get } = await startTwice(platform, registry, [{ path: false }, { path: '/only' }])
    await get('/cats/7')
    expect((await get('/metrics'))[0]).toBe(404)
    const [status, page] = await get('/only')
    expect([status, linesOf(page)]).toEqual([200, [cats, '{method="GET",route="<unmatched>",code="404"} 1'].toSorted()])
  })

  it('have both pages in a testing module, whose server comes later', async () => {
    const registry = new Registry()
    const imports = ['/a', '/b'].map((path) => PrometheusModule.forRoot({ registry, path }))
    const module = await Test.createTestingModule({ imports, controllers }).compile()
    const { get } = await listen(module.createNestApplication(adapterOf(platform)))
    await get('/cats/7')
    for (const path of ['/a', '/b']) expect(linesOf((await get(path))[1])).toEqual([cats])
  })

  const differs = 'ERR_NARTHEX_DEFINITION_DIFFERS'
  it.each([
    ['other buckets', { buckets: [1, 2], path: '/more' }, differs, '`buckets`'],
    ['other labels at the same path', { labels: { a: () => '' } }, differs, '`labels`'],
    ['other names', { naming: fastifyMetricsNaming }, differs, '`naming`'],
    ['sizes that the other has not', { sizes: true }, differs, '`sizes`'],
    ['paths that are left out', { ignore: ['/cats/*', /^\/dogs/] }, differs, '`ignore`'],
    ['a guard at the same path', { authorize: () => false }, 'ERR_NARTHEX_INVALID_OPTION', 'or by none'],
  ])('are refused at the start where one has %s', async (_, other, code, message) => {
    for (const options of [
      [{}, other],
      [other, {}],
    ] as const) {
      const starting = startTwice(platform, new Registry(), options as never)
      await expect(starting).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
    }
  })

  it('say the same of requests where each makes its options itself, or gives what is the default', async () => {
    const registry = new Registry()
    const options = (): PrometheusModuleOptions => ({
      labels: { tenant: () => 'acme' },
      ignore: ['/dogs/*', /^\/mice/],
      promoteParams: { id: ['7'] },
      naming: { ...fastifyMetricsNaming, requests: 'http_requests_total' },
      buckets: [1, 2],
      exemplars: () => undefined,
      route: () => undefined,
    })
    const defaults = { groupStatusCodes: false, sizes: false, timeToHeaders: false }
    const { get } = await startTwice(platform, registry, [
      { ...defaults, ...options() },
      { path: '/b', ...options() },
    ])
    for (const path of ['/cats/7', '/dogs/7', '/mice']) await get(path)
    const expected = ['{method="GET",route="/cats/:id",status_code="200",id="7",tenant="acme"} 1']
    for (const path of ['/metrics', '/b']) expect(linesOf((await get(path))[1])).toEqual(expected)
  })

  it('of two registries count in each', async () => {
    const registries = [new Registry(), new Registry()] as const
    const { get } = await startTwice(platform, registries[0], [{}, { registry: registries[1], path: '/second' }])
    await get('/cats/7')
    for (const registry of registries) expect(linesOf(await registry.metrics())).toEqual([cats])
    for (const path of ['/metrics', '/second']) expect((await get(path))[0]).toBe(200)
  })
})

import { type Gauge, Registry } from '@narthex/core'
import { collectDefaultMetrics } from '@narthex/core/collectors'
import { deleteFromGateway, pushAddToGateway, pushToGateway } from '@narthex/core/push'
import {
  getMetricToken,
  makeCounterProvider,
  makeGaugeProvider,
  makeHistogramProvider,
  makeSummaryProvider,
  PrometheusController,
  PrometheusModule,
} from '@narthex/nestjs'
import { Controller, type DynamicModule, Get, type Provider, Res } from '@nestjs/common'
import { Test, type TestingModule } from '@nestjs/testing'
import * as peer from '@willsoto/nestjs-prometheus'
import { type Gauge as PeerGauge, Pushgateway, register } from 'prom-client'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { requireProgram } from '../../core/test/program.ts'
import { startPushgateway } from '../../core/test/push/pushgateway.ts'
import { start } from './start.ts'

/** Rows of the tables in docs/migrating/nestjs-prometheus.md: told to both, then compared. */
beforeEach(() => {
  register.clear()
  register.setDefaultLabels({})
})

const off = { defaultMetrics: { enabled: false } }

describe('names', () => {
  it('of the runtime have no prefix where only those of providers have one', async () => {
    const options = { customMetricPrefix: 'shop', defaultLabels: { region: 'eu' } }
    await compile(peer.PrometheusModule.register(options), [peer.makeGaugeProvider({ name: 'depth', help: 'Depth' })])
    const theirs = namesOf(await register.metrics())

    const registry = new Registry({ labels: { region: 'eu' } })
    using _ = collectDefaultMetrics({ registry })
    const shop = new Registry({ prefix: 'shop_' })
    registry.register({ collect: () => shop.gather() })
    const depth = makeGaugeProvider({ name: 'depth', help: 'Depth', registry: shop })
    await compile(PrometheusModule.forRoot({ registry }), [depth])
    const page = await registry.metrics()
    const ours = namesOf(page)

    expect(page).toContain('\nshop_depth{region="eu"} 0\n')
    expect(page).toContain('\nprocess_start_time_seconds{region="eu"} ')
    // Those that docs/runtime-metrics.md lists.
    expect(theirs.filter((name) => !ours.includes(name) && !name.startsWith('nodejs_eventloop_lag_'))).toEqual([
      'nodejs_active_resources_total gauge',
      'nodejs_active_handles gauge',
      'nodejs_active_handles_total gauge',
      'nodejs_active_requests gauge',
      'nodejs_active_requests_total gauge',
    ])
  })

  it('of everything have the prefix of the one registry', async () => {
    const registry = new Registry({ prefix: 'shop_' })
    using _ = collectDefaultMetrics({ registry, groups: ['version'] })
    const { get } = await start('express', PrometheusModule.forRoot({ registry }))
    await get('/nowhere')
    const [, page] = await get('/metrics')
    expect(namesOf(page).filter((name) => !name.startsWith('shop_'))).toEqual([])
    expect(namesOf(page)).toContain('shop_http_requests_total counter')
  })
})

describe('providers', () => {
  it('have the default buckets of the peer, and spell bounds from a million on with an exponent', async () => {
    const bytes = { name: 'size_bytes', help: 'Size', buckets: [100_000, 1_000_000] }
    const took = { name: 'took_seconds', help: 'Took' }
    await compile(peer.PrometheusModule.register(off), [
      peer.makeHistogramProvider(took),
      peer.makeHistogramProvider(bytes),
    ])
    const registry = new Registry()
    await compile(PrometheusModule.forRoot({ registry }), [makeHistogramProvider(took), makeHistogramProvider(bytes)])
    const [there, here] = [boundsOf(await register.metrics()), boundsOf(await registry.metrics())]
    expect(there.slice(-3)).toEqual(['100000', '1000000', '+Inf'])
    expect(here).toEqual(there.map((bound) => (bound === '1000000' ? '1e+06' : bound)))
  })

  it('have NaN for a quantile of nothing, and 0 there', async () => {
    await compile(peer.PrometheusModule.register(off), [
      peer.makeSummaryProvider({ name: 'size', help: 'Size', percentiles: [0.5] }),
    ])
    const registry = new Registry()
    await compile(PrometheusModule.forRoot({ registry }), [
      makeSummaryProvider({ name: 'size', help: 'Size', quantiles: [0.5] }),
    ])
    expect(await register.metrics()).toContain('size{quantile="0.5"} 0\n')
    expect(await registry.metrics()).toContain('size{quantile="0.5"} NaN\n')
  })

  it('of one name and two types are one metric there, and refused here', async () => {
    const gauge = { name: 'depth', help: 'Depth' }
    await compile(peer.PrometheusModule.register(off), [peer.makeGaugeProvider(gauge)])
    const again = await compile(peer.PrometheusModule.register(off), [peer.makeCounterProvider(gauge)])
    expect(again.get<PeerGauge>(peer.getToken('depth'))).toBe(register.getSingleMetric('depth'))
    expect(await register.metrics()).toContain('# TYPE depth gauge\n')

    const registry = new Registry()
    await compile(PrometheusModule.forRoot({ registry }), [makeGaugeProvider(gauge)])
    await expect(compile(PrometheusModule.forRoot({ registry }), [makeCounterProvider(gauge)])).rejects.toMatchObject({
      code: 'ERR_NARTHEX_DEFINITION_DIFFERS',
    })
  })
})

describe('the page', () => {
  it('has the path of its controller, and there that of `register`', async () => {
    @Controller('internal/metrics')
    class Theirs extends peer.PrometheusController {
      @Get()
      override index(@Res({ passthrough: true }) response: unknown): Promise<string> {
        return super.index(response)
      }
    }
    @Controller('internal/metrics')
    class Ours extends PrometheusController {}
    const there = await start('express', peer.PrometheusModule.register({ ...off, controller: Theirs }))
    expect(await statusesOf(there, ['/metrics', '/internal/metrics'])).toEqual([200, 404])
    const here = await start('express', PrometheusModule.forRoot({ registry: new Registry(), controller: Ours }))
    expect(await statusesOf(here, ['/metrics', '/internal/metrics'])).toEqual([404, 200])
  })

  it('is written by a controller that is none of ours where `path` is false', async () => {
    const registry = new Registry()
    registry.gauge({ name: 'depth', help: 'Depth' })
    @Controller('own')
    class Own {
      @Get()
      page(): Promise<string> {
        return registry.metrics()
      }
    }
    expect(() => PrometheusModule.forRoot({ controller: Own as never })).toThrow('a class that extends')
    const module = PrometheusModule.forRoot({ registry, path: false })
    const { get } = await start('express', module, { controllers: [Own] })
    expect(await get('/own')).toMatchObject([200, expect.stringContaining('depth 0\n')])
  })

  it('is at one address, which begins with a slash', async () => {
    const there = await start('express', peer.PrometheusModule.register({ ...off, path: 'm' }))
    expect(await statusesOf(there, ['/m', '/m/'])).toEqual([200, 200])
    const here = await start('express', PrometheusModule.forRoot({ registry: new Registry(), path: '/m' }))
    expect(await statusesOf(here, ['/m', '/m/'])).toEqual([200, 404])
    expect(() => PrometheusModule.forRoot({ path: 'm' })).toThrow('a path that starts with `/`')
  })

  it.each(['useFactory', 'useClass', 'useExisting'] as const)('has the path that %s gives, in both', async (way) => {
    const registry = new Registry()
    class Factory {
      createPrometheusOptions(): { readonly path: string } {
        return { ...(isPeer ? off : { registry }), path: '/m' }
      }
    }
    class Options {}
    const imports = [{ module: Options, providers: [Factory], exports: [Factory] }]
    const options = {
      useFactory: { useFactory: () => new Factory().createPrometheusOptions() },
      useClass: { useClass: Factory },
      useExisting: { imports, useExisting: Factory },
    }[way]
    let isPeer = true
    expect(await statusesOf(await start('express', peer.PrometheusModule.registerAsync(options)), ['/m'])).toEqual([
      200,
    ])
    isPeer = false
    expect(await statusesOf(await start('express', PrometheusModule.forRootAsync(options)), ['/m'])).toEqual([200])
  })
})

it('a gateway has after push, add and delete what it has of the peer', async (context) => {
  requireProgram('prometheus-pushgateway', context)
  const gateway = await startPushgateway()
  onTestFinished(() => gateway.stop())
  const { url } = gateway
  const depth = { name: 'depth', help: 'Depth' }
  const pushgateway = { url }
  const there = await compile(peer.PrometheusModule.register({ ...off, pushgateway }), [peer.makeGaugeProvider(depth)])
  there.get<PeerGauge>(peer.getToken('depth')).set(3)
  const theirs = there.get(Pushgateway)
  await theirs.push({ jobName: 'there', groupings: { stage: 'last' } })
  await theirs.pushAdd({ jobName: 'there-too' })
  await theirs.push({ jobName: 'gone' })

  const registry = new Registry()
  const here = await compile(PrometheusModule.forRoot({ registry, http: false }), [makeGaugeProvider(depth)])
  here.get<Gauge>(getMetricToken('depth')).set(4)
  await pushToGateway(url, { job: 'here', groupingKey: { stage: 'last' }, registry })
  await pushAddToGateway(url, { job: 'here-too', registry })
  await pushToGateway(url, { job: 'gone-too', registry })

  await theirs.delete({ jobName: 'gone' })
  await deleteFromGateway(url, { job: 'gone-too' })
  expect(await gateway.page()).toEqual({
    'depth{job="here",stage="last"}': 4,
    'depth{job="here-too"}': 4,
    'depth{job="there",stage="last"}': 3,
    'depth{job="there-too"}': 3,
  })
})

async function compile(module: DynamicModule, providers: Provider[]): Promise<TestingModule> {
  const testing = await Test.createTestingModule({ imports: [module], providers }).compile()
  onTestFinished(() => testing.close())
  return testing
}

/** Statuses, asked for one after the other. */
async function statusesOf({ url }: { readonly url: string }, paths: readonly string[]): Promise<number[]> {
  const statuses: number[] = []
  for (const path of paths) statuses.push((await fetch(url + path)).status)
  return statuses
}

/** Names of families with their types. */
function namesOf(page: string): string[] {
  return [...page.matchAll(/^# TYPE (.*)$/gm)].map(([, name]) => name as string)
}

function boundsOf(page: string): string[] {
  return [...page.matchAll(/le="([^"]+)"/g)].map(([, bound]) => bound as string)
}

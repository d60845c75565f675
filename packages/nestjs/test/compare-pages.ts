import { type Counter, type Gauge, type Histogram, Registry, samplesOf, type Summary } from '@narthex/core'
import { parseText } from '@narthex/core/parse'
import type { DynamicModule, FactoryProvider, Provider } from '@nestjs/common'
import type { TestingModule } from '@nestjs/testing'
import type * as Peer from '@willsoto/nestjs-prometheus'
import { expect, it, onTestFinished } from 'vitest'
import { type NestVersion, useNest } from './nest-version.ts'

/** What both are told, and what both count then. */
const counter = { name: 'orders', help: 'Orders placed', labelNames: ['kind'] as const }
const total = { name: 'visits_total', help: 'Visits' }
const histogram = { name: 'took_seconds', help: 'Took', labelNames: ['kind'] as const, buckets: [0.1, 1] }
const gauge = { name: 'depth', help: 'Depth' }

function observe(metric: <M>(name: string) => M): void {
  metric<Counter<'kind'>>('orders').inc({ kind: 'book' }, 2)
  metric<Counter>('visits_total').inc()
  metric<Histogram<'kind'>>('took_seconds').observe({ kind: 'book' }, 0.5)
  metric<Gauge>('depth').set(7)
  metric<Summary>('size_bytes').observe(3)
}

/** Compares the pages of this package and of a major of @willsoto/nestjs-prometheus: of 5 with Nest 10, beyond which it does not go. */
export function comparePages(version: NestVersion, major: 5 | 6): void {
  it(`the page has the lines of @willsoto/nestjs-prometheus ${major} on Nest ${version}, with prefix and default labels`, async () => {
    await useNest(version)
    const {
      PrometheusModule,
      getMetricToken,
      makeCounterProvider,
      makeGaugeProvider,
      makeHistogramProvider,
      makeSummaryProvider,
    } = await import('@narthex/nestjs')
    const { peer, register } = await peerOf(major)
    onTestFinished(() => register.clear())
    const theirs = await compile(
      peer.PrometheusModule.register({
        defaultMetrics: { enabled: false },
        defaultLabels: { region: 'eu' },
        customMetricPrefix: 'shop',
        global: true,
      }),
      [
        peer.makeCounterProvider({ ...counter, labelNames: [...counter.labelNames] }),
        peer.makeCounterProvider(total),
        peer.makeHistogramProvider({ ...histogram, labelNames: [...histogram.labelNames] }),
        peer.makeGaugeProvider(gauge),
        peer.makeSummaryProvider({ name: 'size_bytes', help: 'Size', percentiles: [0.5] }),
      ],
    )
    observe((name) => theirs.get(peer.getToken(name)))

    const registry = new Registry({ prefix: 'shop_', labels: { region: 'eu' } })
    const ours = await compile(PrometheusModule.forRoot({ registry }), [
      makeCounterProvider({ ...counter, totalSuffix: false }),
      makeCounterProvider(total),
      makeHistogramProvider(histogram),
      makeGaugeProvider(gauge),
      makeSummaryProvider({ name: 'size_bytes', help: 'Size', quantiles: [0.5] }),
    ])
    observe((name) => ours.get(getMetricToken(name)))

    const page = linesOf(await registry.metrics())
    expect(page).toContain('shop_orders kind=book,region=eu 2')
    expect(page).toEqual(linesOf(await register.metrics()))
  })
}

async function peerOf(
  major: 5 | 6,
): Promise<{ peer: typeof Peer; register: { clear(): void; metrics(): Promise<string> } }> {
  if (major === 6)
    return { peer: await import('@willsoto/nestjs-prometheus'), register: (await import('prom-client')).register }
  const { peer, register } = await import('../versions/nest-10/peer.ts')
  return { peer: peer as unknown as typeof Peer, register }
}

async function compile(module: DynamicModule, providers: Provider[]): Promise<TestingModule> {
  const { Test } = await import('@nestjs/testing')
  const testing = await Test.createTestingModule({
    imports: [module],
    providers: providers as FactoryProvider[],
  }).compile()
  onTestFinished(() => testing.close())
  return testing
}

/** Every line, and the type and help of its family, whatever the order. */
function linesOf(page: string): string[] {
  return parseText(page)
    .flatMap((family) => [
      `${family.name} ${family.type} ${family.help}`,
      ...[...samplesOf(family)].map(({ name, labels, value }) => `${name} ${pairsOf(labels)} ${value}`),
    ])
    .toSorted()
}

function pairsOf(labels: { readonly [name: string]: string }): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .toSorted()
    .join()
}

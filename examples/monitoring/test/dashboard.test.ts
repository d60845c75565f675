import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it, type TestContext } from 'vitest'
import { requireProgram } from '../../../packages/core/test/program.ts'
import { freePort } from '../../bookshop/src/free-port.ts'
import { Prometheus } from '../../bookshop/src/prometheus.ts'
import { QueryApi } from '../../bookshop/test/query-api.ts'
import { startEveryType } from './every-type.ts'
import { choicesOf, type Dashboard, poorQueries, printedDashboard } from './grafana-dashboard.ts'
import { type MonitoredShop, startMonitoredShop } from './monitored-shop.ts'

/** Milliseconds after which every counter has grown within the last four scrapes. */
const WATCHED = 8_000

let watched: Promise<MonitoredShop> | undefined

function watchedShop(context: TestContext): Promise<MonitoredShop> {
  requireProgram('prometheus', context)
  return (watched ??= startMonitoredShop().then(async (shop) => {
    await sleep(WATCHED)
    return shop
  }))
}

afterAll(async () => (await watched)?.stop())

describe('The dashboard of the bookshop', { timeout: 60_000 }, () => {
  it('is the one of this folder', async (context) => {
    const shop = await watchedShop(context)
    const args = ['--title', 'Bookshop', '--uid', 'bookshop', '--job', 'bookshop']
    const printed = await printedDashboard(shop.pages.bookshop, ...args)
    await expect(printed).toMatchFileSnapshot(fileURLToPath(new URL('../dashboard.json', import.meta.url)))
  })

  it.for(['bookshop', 'games'] as const)(
    'finds data in a real Prometheus for every query: %s',
    async (page, context) => {
      const shop = await watchedShop(context)
      const dashboard = JSON.parse(await printedDashboard(shop.pages[page])) as Dashboard
      expect(dashboard.panels.length).toBeGreaterThan(5)
      expect(await poorQueries(dashboard, new QueryApi(shop.url))).toEqual([])
    },
  )

  it('offers the job and its instances', async (context) => {
    const shop = await watchedShop(context)
    const dashboard = JSON.parse(await printedDashboard(shop.pages.bookshop)) as Dashboard
    expect(await choicesOf(dashboard, shop.url)).toEqual(
      new Map([
        ['job', ['bookshop']],
        ['instance', [new URL(shop.pages.bookshop).host]],
      ]),
    )
  })
})

describe('The dashboard of a page with every type', { timeout: 60_000 }, () => {
  it('finds data for every query, also of native histograms where Prometheus knows them', async (context) => {
    requireProgram('prometheus', context)
    const page = await startEveryType()
    const servers: Prometheus[] = []
    try {
      for (const features of [['native-histograms'], []]) {
        const target = new URL(page.url).host
        const server = await Prometheus.start({ target, port: await freePort('127.0.0.1', 0, false), features })
        servers.push(server!)
      }
      await sleep(WATCHED)
      // Prometheus 2 escapes names that it cannot spell.
      const dashboard = JSON.parse(await printedDashboard(page.url, '--escaping', 'underscores')) as Dashboard
      const [knowing, ignorant] = servers.map(({ url }) => new QueryApi(url))
      expect(titlesOf(dashboard)).toEqual(ROWS)
      // Prometheus 2.42 stores the buckets of a gauge histogram that it reads as protobuf without `_bucket`.
      const poor = await poorQueries(dashboard, knowing)
      expect(poor.filter((query) => !query.includes('queued_bytes_bucket'))).toEqual([])
      expect(await poorQueries(dashboard, ignorant)).toEqual(
        [0.5, 0.95, 0.99].map((q) =>
          expect.stringContaining(`nothing for histogram_quantile(${q}, sum(rate(native_seconds{`),
        ),
      )
    } finally {
      for (const server of servers) await server.stop()
      await page.stop()
    }
  })
})

const ROWS = ['HTTP server', 'HTTP, calls to others', 'Metrics', 'Exporters', 'Narthex']

function titlesOf({ panels }: Dashboard): string[] {
  return panels.filter(({ type }) => type === 'row').map(({ title }) => title)
}

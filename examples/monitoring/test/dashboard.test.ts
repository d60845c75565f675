import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it, type TestContext } from 'vitest'
import { requireProgram } from '../../../packages/core/test/program.ts'
import { freePort } from '../../../test/free-port.ts'
import { eventually } from '../../../test/until.ts'
import { Prometheus } from '../../bookshop/src/prometheus.ts'
import { QueryApi } from '../../bookshop/test/query-api.ts'
import { startEveryType } from './every-type.ts'
import { choicesOf, type Dashboard, poorQueries, printedDashboard } from './grafana-dashboard.ts'
import { hasScraped, type MonitoredShop, startMonitoredShop } from './monitored-shop.ts'

/** After so many scrapes every counter has grown within the last four. */
const SCRAPES = 6

let watched: Promise<MonitoredShop> | undefined

function watchedShop(context: TestContext): Promise<MonitoredShop> {
  requireProgram('prometheus', context)
  // The other page is watched meanwhile.
  void watchedPage(context).catch(() => {})
  return (watched ??= startMonitoredShop().then(async (shop) => {
    await shop.scraped(SCRAPES)
    return shop
  }))
}

/** A page with every type, and two that scrape it: one with native histograms, one without. */
interface WatchedPage {
  readonly url: string
  readonly knowing: QueryApi
  readonly ignorant: QueryApi
}

const stops: (() => Promise<void>)[] = []
let everyType: Promise<WatchedPage> | undefined

function watchedPage(context: TestContext): Promise<WatchedPage> {
  requireProgram('prometheus', context)
  return (everyType ??= watchEveryType())
}

async function watchEveryType(): Promise<WatchedPage> {
  const page = await startEveryType()
  stops.push(() => page.stop())
  const scraper = async (features: readonly string[]): Promise<QueryApi> => {
    const target = new URL(page.url).host
    const server = (await Prometheus.start({ target, port: await freePort(), features })) as Prometheus
    stops.push(() => server.stop())
    const api = new QueryApi(server.url)
    await hasScraped(api, ['bookshop'], SCRAPES)
    return api
  }
  const [knowing, ignorant] = await Promise.all([scraper(['native-histograms']), scraper([])])
  return { url: page.url, knowing, ignorant }
}

/** What is wrong with queries that stay poor: whose window sooner or later had its samples is not asked again. */
async function stayPoor(
  dashboard: Dashboard,
  api: QueryApi,
  isExpected: (expression: string) => boolean = () => false,
): Promise<string[]> {
  let poor = await poorQueries(dashboard, api, (expression) => !isExpected(expression))
  const isGood = async (): Promise<boolean> => {
    const last = poor
    poor = await poorQueries(dashboard, api, (expression) => last.has(expression))
    return poor.size === 0
  }
  await eventually(isGood, { interval: 500, milliseconds: 120_000 })
  return [...poor.values()]
}

afterAll(async () => {
  await (await watched)?.stop()
  await everyType
  for (const stop of stops.toReversed()) await stop()
})

describe('The dashboard of the bookshop', { timeout: 400_000 }, () => {
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
      expect(await stayPoor(dashboard, new QueryApi(shop.url))).toEqual([])
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

describe('The dashboard of a page with every type', { timeout: 400_000 }, () => {
  it('finds data for every query, also of native histograms where Prometheus knows them', async (context) => {
    const { url, knowing, ignorant } = await watchedPage(context)
    // Prometheus 2 escapes names that it cannot spell.
    const dashboard = JSON.parse(await printedDashboard(url, '--escaping', 'underscores')) as Dashboard
    expect(titlesOf(dashboard)).toEqual(ROWS)
    // Prometheus 2.42 stores the buckets of a gauge histogram that it reads as protobuf without `_bucket`.
    expect(await stayPoor(dashboard, knowing, (query) => query.includes('queued_bytes_bucket'))).toEqual([])
    const native = [0.5, 0.95, 0.99].map((q) => `histogram_quantile(${q}, sum(rate(native_seconds{`)
    const isNative = (expression: string): boolean => native.some((start) => expression.startsWith(start))
    expect(await stayPoor(dashboard, ignorant, isNative)).toEqual([])
    expect((await poorQueries(dashboard, ignorant, isNative)).size).toBe(native.length)
  })
})

const ROWS = ['HTTP server', 'HTTP, calls to others', 'Metrics', 'Exporters', 'Narthex']

function titlesOf({ panels }: Dashboard): string[] {
  return panels.filter(({ type }) => type === 'row').map(({ title }) => title)
}

import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expressApp } from '../src/express-app.ts'
import { Shop } from '../src/shop.ts'
import { exactQuantile, Traffic, type Visit } from '../src/traffic.ts'
import { eventually, until } from '../../../test/until.ts'
import { QueryApi } from './query-api.ts'

/** A program that scrapes every second and answers queries. */
export interface Reader {
  readonly url: string
  /** Milliseconds after which it shows a sample that it has scraped. */
  readonly lag: number
  stop(): Promise<void>
}

/** The middle one of some latencies in seconds: what the reader says, what customers measured, and a stopwatch in the server. */
export interface Median {
  readonly read: number
  readonly measured: number
  readonly served: number
}

/** What a reader says of the shop, beside what the customers measured themselves. */
export interface Observation {
  readonly up: number
  /** `outside` of the reader's first and last scrape in the window is what it cannot know of, in requests. */
  readonly rate: { readonly read: number; readonly measured: number; readonly outside: number }
  /** Of all requests, and of those of the slow route alone. */
  readonly median: Median
  readonly searchMedian: Median
  /** By method and route, when the traffic has ended. */
  readonly counted: { readonly read: ReadonlyMap<string, number>; readonly measured: ReadonlyMap<string, number> }
  /** The page itself, at the end. */
  readonly page: string
}

/** Where a scrape took too long for its reader, it is 0. */
const UP = 'up{job="bookshop"}'
/** Has a sample of each scrape that succeeded. */
const SCRAPED = 'http_requests_in_flight{job="bookshop",method="GET"}'

/** Seconds that rates are taken over. */
export const WINDOW = 10

/**
 * Opens the shop, lets customers in, has a reader scrape it, and asks both what happened in the same ten seconds. Takes
 * about 20 s, and leaves nothing running.
 */
export async function observe(startReader: (target: string) => Promise<Reader>): Promise<Observation> {
  const served: Served[] = []
  const server = createServer(timed(expressApp(new Shop()), served))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const traffic = new Traffic({ url: `http://${target}` })
  let reader: Reader | undefined
  try {
    reader = await startReader(target)
    const api = new QueryApi(reader.url)
    await until('the shop is up', async () => (await api.queryOne(UP)) === 1, { interval: 200 })
    // One more second than the window, so that every series has a sample before it.
    await sleep((WINDOW + 1) * 1_000)
    const end = Date.now()
    await untilVisible(api, reader, end)
    const whileOpen = await readWindow(api, traffic.visits, served, end)
    await traffic.stop()
    await untilVisible(api, reader, Date.now())
    const sent = traffic.total
    await eventually(async () => (await api.queryOne('sum(http_requests_total)')) >= sent, { interval: 200 })
    const routes = await api.query('sum by (method, route) (http_requests_total)')
    const read = new Map(routes.map(({ labels, value }) => [`${labels['method']} ${labels['route']}`, value]))
    const page = await (await fetch(`http://${target}/metrics`)).text()
    return { ...whileOpen, counted: { read, measured: traffic.sent }, page }
  } finally {
    await traffic.stop()
    await reader?.stop()
    server.close()
    server.closeAllConnections()
  }
}

async function readWindow(
  api: QueryApi,
  visits: readonly Visit[],
  served: readonly Served[],
  end: number,
): Promise<Omit<Observation, 'counted' | 'page'>> {
  const isInWindow = ({ at }: { readonly at: number }): boolean => at > end - WINDOW * 1_000 && at <= end
  const inWindow = visits.filter(isInWindow)
  const servedInWindow = served.filter(isInWindow)
  const medianOf = (timed: readonly { readonly seconds: number }[]): number =>
    exactQuantile(
      0.5,
      timed.map(({ seconds }) => seconds),
    )
  const median = async (selector: string): Promise<number> => {
    const rates = `rate(http_request_duration_seconds_bucket${selector}[${WINDOW}s])`
    return api.queryOne(`histogram_quantile(0.5, sum by (le) (${rates}))`, end / 1_000)
  }
  const scrapes = await api.timesOf(SCRAPED, WINDOW, end / 1_000)
  const [first = 0, last = 0] = [scrapes[0], scrapes.at(-1)]
  return {
    up: await api.queryOne(`max_over_time(${UP}[${WINDOW}s])`, end / 1_000),
    rate: {
      read: await api.queryOne(`sum(rate(http_requests_total{job="bookshop"}[${WINDOW}s]))`, end / 1_000),
      measured: inWindow.length / WINDOW,
      outside: inWindow.filter(({ at }) => at < first * 1_000 || at > last * 1_000).length,
    },
    median: { read: await median(''), measured: medianOf(inWindow), served: medianOf(servedInWindow) },
    searchMedian: {
      read: await median('{route="/search"}'),
      measured: medianOf(inWindow.filter(({ route }) => route === 'GET /search')),
      served: medianOf(servedInWindow.filter(({ path }) => path.startsWith('/search'))),
    },
  }
}

interface Served {
  readonly path: string
  /** When it ended: milliseconds since the epoch. */
  readonly at: number
  readonly seconds: number
}

/** Measures beside the shop's own metrics, and not with them, how long it takes for its customers' requests. */
function timed(shop: RequestListener, served: Served[]): RequestListener {
  return (request, response) => {
    const { url: path = '' } = request
    const start = performance.now()
    response.once('close', () => {
      if (path === '/metrics') return
      served.push({ path, at: Date.now(), seconds: (performance.now() - start) / 1_000 })
    })
    shop(request, response)
  }
}

/** Resolves when queries show all that was there to be scraped at a moment: a scrape that began later is stored. */
async function untilVisible(api: QueryApi, { lag }: Reader, moment: number): Promise<void> {
  await sleep(lag)
  const isStored = async (): Promise<boolean> => (await api.queryOne(`timestamp(${SCRAPED})`)) * 1_000 > moment
  await until('a scrape is stored', isStored, { interval: 200 })
}

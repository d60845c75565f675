import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expressApp } from '../src/express-app.ts'
import { Shop } from '../src/shop.ts'
import { exactQuantile, Traffic, type Visit } from '../src/traffic.ts'
import { QueryApi } from './query-api.ts'

/** A program that scrapes every second and answers queries. */
export interface Reader {
  readonly url: string
  stop(): Promise<void>
}

/** What a reader says of the shop, beside what the customers measured themselves. */
export interface Observation {
  readonly up: number
  readonly rate: { readonly read: number; readonly measured: number }
  /** In seconds: of all requests, and of those of the slow route alone. */
  readonly median: { readonly read: number; readonly measured: number }
  readonly searchMedian: { readonly read: number; readonly measured: number }
  /** By method and route, when the traffic has ended. */
  readonly counted: { readonly read: ReadonlyMap<string, number>; readonly measured: ReadonlyMap<string, number> }
  /** The page itself, at the end. */
  readonly page: string
}

/** Seconds that rates are taken over. */
export const WINDOW = 10

/** Milliseconds after which what was scraped can be queried, in whichever reader. */
const VISIBLE = 2_500

const READY = 15_000

/**
 * Opens the shop, lets customers in, has a reader scrape it, and asks both what happened in the same ten seconds. Takes
 * about 20 s, and leaves nothing running.
 */
export async function observe(startReader: (target: string) => Promise<Reader>): Promise<Observation> {
  const server = createServer(expressApp(new Shop()))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const traffic = new Traffic({ url: `http://${target}` })
  let reader: Reader | undefined
  try {
    reader = await startReader(target)
    const api = new QueryApi(reader.url)
    await untilUp(api)
    // One more second than the window, so that every series has a sample before it.
    await sleep((WINDOW + 1) * 1_000)
    const end = Date.now()
    await sleep(VISIBLE)
    const whileOpen = await readWindow(api, traffic.visits, end)
    await traffic.stop()
    await sleep(VISIBLE)
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
  end: number,
): Promise<Omit<Observation, 'counted' | 'page'>> {
  const inWindow = visits.filter(({ at }) => at > end - WINDOW * 1_000 && at <= end)
  const median = async (selector: string, measured: readonly Visit[]): Promise<Observation['median']> => {
    const rates = `rate(http_request_duration_seconds_bucket${selector}[${WINDOW}s])`
    const read = await api.queryOne(`histogram_quantile(0.5, sum by (le) (${rates}))`, end / 1_000)
    return {
      read,
      measured: exactQuantile(
        0.5,
        measured.map(({ seconds }) => seconds),
      ),
    }
  }
  return {
    up: await api.queryOne('up{job="bookshop"}', end / 1_000),
    rate: {
      read: await api.queryOne(`sum(rate(http_requests_total{job="bookshop"}[${WINDOW}s]))`, end / 1_000),
      measured: inWindow.length / WINDOW,
    },
    median: await median('', inWindow),
    searchMedian: await median(
      '{route="/search"}',
      inWindow.filter(({ route }) => route === 'GET /search'),
    ),
  }
}

async function untilUp(api: QueryApi): Promise<void> {
  for (const start = performance.now(); performance.now() - start < READY; await sleep(200)) {
    if ((await api.queryOne('up{job="bookshop"}')) === 1) return
  }
  throw new Error(`The shop was not up within ${READY / 1_000} s.`)
}

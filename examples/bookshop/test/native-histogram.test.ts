import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { defaultRegistry, Histogram } from '@narthex/core'
import { describe, expect, it, type TestContext } from 'vitest'
import { requireProgram } from '../../../packages/core/test/program.ts'
import { freePort } from '../../../test/free-port.ts'
import { until } from '../../../test/until.ts'
import { expressApp } from '../src/express-app.ts'
import { Prometheus } from '../src/prometheus.ts'
import { Shop } from '../src/shop.ts'
import { exactQuantile, Traffic } from '../src/traffic.ts'
import { QueryApi } from './query-api.ts'

const FACTOR = 1.1
const QUANTILES = [0.1, 0.5, 0.9, 0.99]

/** What a Prometheus that asks for protobuf has stored of the shop, and what is known of it otherwise. */
interface Stored {
  readonly accept: readonly string[]
  /** Estimates of a histogram whose observations are known one by one. */
  readonly quantiles: readonly { readonly quantile: number; readonly read: number; readonly exact: number }[]
  readonly count: number
  readonly exemplars: readonly string[]
  readonly requests: { readonly read: number; readonly sent: number }
  /** Series of the classic buckets, which 2.42 leaves out where the native ones arrive. */
  readonly classicBuckets: number
}

let stored: Promise<Stored> | undefined

function storedBy(context: TestContext): Promise<Stored> {
  requireProgram('prometheus', context)
  return (stored ??= store())
}

async function store(): Promise<Stored> {
  const latencies = Array.from({ length: 5_000 }, () => Math.exp(-3 + gaussian()))
  const known = new Histogram({
    name: 'known_latency_seconds',
    help: 'Latencies',
    native: { factor: FACTOR },
    buckets: [0.1, 1],
  })
  for (const latency of latencies) known.observe(latency)
  const accept: string[] = []
  const shop = expressApp(new Shop())
  const server = createServer((request, response) => {
    if (request.url === '/metrics') accept.push(String(request.headers.accept))
    shop(request, response)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const traffic = new Traffic({ url: `http://${target}` })
  let prometheus: Prometheus | undefined
  try {
    const features = ['native-histograms', 'exemplar-storage']
    prometheus = await Prometheus.start({ target, port: await freePort(), features })
    if (prometheus === undefined) throw new Error('There is no prometheus on the PATH.')
    const scrapes = async (more: number): Promise<void> => {
      const enough = accept.length + more
      await until(`Prometheus has scraped ${more} times`, () => accept.length >= enough, { interval: 50 })
    }
    // Counted, not timed: however long the start takes.
    await scrapes(6)
    await until('more than a hundred requests were sent', () => traffic.total > 100)
    await traffic.stop()
    // The first that begins now sees all; the next one begins when that is stored.
    await scrapes(2)
    const api = new QueryApi(prometheus.url)
    const quantiles = []
    for (const quantile of QUANTILES) {
      const read = await api.queryOne(`histogram_quantile(${quantile}, known_latency_seconds)`)
      quantiles.push({ quantile, read, exact: exactQuantile(quantile, latencies) })
    }
    const sent = traffic.total
    return {
      accept,
      quantiles,
      count: await api.queryOne('histogram_count(known_latency_seconds)'),
      exemplars: await exemplarsOf(prometheus.url, 'http_requests_total'),
      requests: { read: await api.queryOne('histogram_count(sum(http_request_duration_seconds))'), sent },
      classicBuckets: (await api.query('known_latency_seconds_bucket')).length,
    }
  } finally {
    await traffic.stop()
    await prometheus?.stop()
    defaultRegistry.unregister(known)
    server.close()
    server.closeAllConnections()
  }
}

/** Box and Muller. */
function gaussian(): number {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
}

async function exemplarsOf(url: string, query: string): Promise<string[]> {
  const now = Date.now() / 1_000
  const parameters = new URLSearchParams({ query, start: String(now - 60), end: String(now + 1) })
  const response = await fetch(`${url}/api/v1/query_exemplars?${parameters}`)
  const { data } = (await response.json()) as { data: { exemplars: { labels: Record<string, string> }[] }[] }
  return data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => String(labels['trace_id'])))
}

describe('A real Prometheus that takes native histograms', { timeout: 180_000 }, () => {
  it('asks the shop for protobuf', async (context) => {
    const { accept } = await storedBy(context)
    for (const types of accept) expect(types).toMatch(/^application\/vnd\.google\.protobuf/)
  })

  it('estimates quantiles within the error that the factor promises', async (context) => {
    const { quantiles, count } = await storedBy(context)
    expect(count).toBe(5_000)
    for (const { read, exact } of quantiles) {
      expect(read).toBeGreaterThan(exact / FACTOR)
      expect(read).toBeLessThan(exact * FACTOR)
    }
  })

  it('counts every request in the native histogram', async (context) => {
    const { requests } = await storedBy(context)
    expect(requests.sent).toBeGreaterThan(100)
    expect(requests.read).toBe(requests.sent)
  })

  it('gives back the traces of requests as exemplars', async (context) => {
    const { exemplars } = await storedBy(context)
    expect(exemplars.length).toBeGreaterThan(5)
    for (const trace of exemplars) expect(trace).toMatch(/^[0-9a-f]{32}$/)
  })

  it('leaves the classic buckets to those who ask for text', async (context) => {
    expect((await storedBy(context)).classicBuckets).toBe(0)
  })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultRegistry, Registry } from '@narthex/core'
import { collectDefaultMetrics } from '@narthex/core/collectors'
import { startMetricsServer } from '@narthex/core/http'
import { expressApp } from '../../bookshop/src/express-app.ts'
import { Shop } from '../../bookshop/src/shop.ts'
import { Traffic } from '../../bookshop/src/traffic.ts'
import { QueryApi } from '../../bookshop/test/query-api.ts'
import { GAME_SERVERS, GameApi } from '../../game-servers-exporter/src/game-api.ts'
import { GameServers } from '../../game-servers-exporter/src/game-servers.ts'
import { freePort } from '../../../test/free-port.ts'
import { until } from '../../../test/until.ts'

const folder = fileURLToPath(new URL('..', import.meta.url))

/** A Prometheus with the configuration and rules of this example, watching a shop with customers and an exporter. */
export interface MonitoredShop {
  /** Of Prometheus. */
  readonly url: string
  /** Of the metrics that it scrapes. */
  readonly pages: { readonly bookshop: string; readonly games: string }
  /** Resolves when Prometheus has scraped so often. */
  scraped(times: number): Promise<void>
  stop(): Promise<void>
}

/** Starts them all; only the addresses and the seconds between scrapes are other ones than in `prometheus.yml`. */
export async function startMonitoredShop(): Promise<MonitoredShop> {
  const stops: (() => unknown)[] = []
  const stop = async (): Promise<void> => {
    for (const end of stops.toReversed()) await end()
  }
  try {
    const shop = await startShop(stops)
    const games = await startGames(stops)
    const url = await startPrometheus({ 'localhost:3000': shop, 'localhost:9800': games }, stops)
    const api = new QueryApi(url)
    const scraped = (times: number): Promise<void> => hasScraped(api, ['bookshop', 'game-servers'], times)
    return { url, scraped, pages: { bookshop: `http://${shop}/metrics`, games: `http://${games}/metrics` }, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startShop(stops: (() => unknown)[]): Promise<string> {
  const metrics = collectDefaultMetrics({ registry: defaultRegistry })
  stops.push(() => metrics.stop())
  const server = createServer(expressApp(new Shop())).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const traffic = new Traffic({ url: `http://${address}` })
  stops.push(() => {
    server.close()
    server.closeAllConnections()
  })
  stops.push(() => traffic.stop())
  return address
}

async function startGames(stops: (() => unknown)[]): Promise<string> {
  const api = new GameApi()
  const url = await api.listen()
  stops.push(() => api.close())
  const registry = new Registry()
  const servers = new GameServers({ api: url, servers: [...GAME_SERVERS], registry, interval: 1_000 })
  const page = await startMetricsServer({ port: 0, registry })
  stops.push(() => page.close())
  await servers.start()
  stops.push(() => servers.stop())
  return new URL(page.url).host
}

async function startPrometheus(addresses: Record<string, string>, stops: (() => unknown)[]): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'monitoring-'))
  stops.push(() => rm(home, { recursive: true, force: true }))
  await cp(join(folder, 'rules'), join(home, 'rules'), { recursive: true })
  let configuration = (await readFile(join(folder, 'prometheus.yml'), 'utf8')).replaceAll(
    '_interval: 15s',
    '_interval: 1s',
  )
  for (const [example, real] of Object.entries(addresses)) configuration = configuration.replace(example, real)
  await writeFile(join(home, 'prometheus.yml'), configuration)
  const address = `127.0.0.1:${await freePort()}`
  const flags = ['--config.file=prometheus.yml', '--storage.tsdb.path=data', `--web.listen-address=${address}`]
  const child = spawn('prometheus', [...flags, '--log.level=error'], {
    cwd: home,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const exited = once(child, 'exit')
  stops.push(async () => {
    child.kill('SIGTERM')
    await exited
  })
  const isThere = async (): Promise<boolean> => child.exitCode !== null || isReady(`http://${address}/-/ready`)
  await until('Prometheus is ready', isThere, { interval: 100 })
  if (child.exitCode !== null) throw new Error('Prometheus ended at once.')
  return `http://${address}`
}

/** Resolves when a Prometheus has scraped each of these jobs so often, counted from its start. */
export async function hasScraped(api: QueryApi, jobs: readonly string[], times: number): Promise<void> {
  const isEnough = async (job: string): Promise<boolean> =>
    (await api.queryOne(`count_over_time(up{job="${job}"}[10m])`)) >= times
  for (const job of jobs) await until(`${job} is scraped ${times} times`, () => isEnough(job), { interval: 200 })
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1_000) })).ok
  } catch {
    return false
  }
}

import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { eventually, until } from '../../../../test/until.ts'
import { Load, Scraper } from './load.ts'
import { seenAfterRequests } from './same-requests.ts'
import { kill, Service } from './service.ts'
import { linesOf, temporaryFolder } from './shared-folder.ts'

const require = createRequire(import.meta.url)
const PM2 = require.resolve('pm2/bin/pm2')
const INSTANCES = 4

/** A daemon of PM2 of this test's own. */
class Pm2 {
  readonly #home: string
  readonly #service: Service

  constructor(service: Service) {
    this.#service = service
    this.#home = join(service.folder, 'pm2')
    mkdirSync(this.#home)
  }

  async run(...args: string[]): Promise<string> {
    const env = this.#service.environment({ PM2_HOME: this.#home, PM2_DISABLE_VERSION_CHECK: 'true', MODE: 'pm2' })
    const { stdout } = await promisify(execFile)(process.execPath, [PM2, ...args], { env, timeout: 120_000 })
    return stdout
  }

  /** Starts the service as an app of that name, each instance ready when it says so. */
  async start(name: string, instances: number): Promise<void> {
    const file = join(this.#service.folder, `${name}.config.json`)
    const { program: script } = this.#service
    const app = { name, script, instances, exec_mode: 'cluster', wait_ready: true, pmx: false, autorestart: false }
    writeFileSync(file, JSON.stringify({ apps: [app] }))
    await this.run('start', file)
  }

  /** The process ids of an app. */
  async pidsOf(name: string): Promise<number[]> {
    const list = JSON.parse(await this.run('jlist')) as { name: string; pid: number }[]
    return list.filter((one) => one.name === name).map(({ pid }) => pid)
  }

  async end(): Promise<void> {
    const daemon = Number(readFileSync(join(this.#home, 'pm2.pid'), 'utf8'))
    await this.run('kill').catch(() => {})
    if (daemon > 0) kill(daemon, 'SIGKILL')
    this.#service.killAll()
  }
}

it('instances of an app under PM2 are one target, through a reload, and apart from another app, which is as a process alone', async () => {
  const service = new Service(temporaryFolder())
  const pm2 = new Pm2(service)
  onTestFinished(() => pm2.end())
  await pm2.start('shop', INSTANCES)
  const shop = await service.placesOnce(INSTANCES)
  expect(shop.map(({ pid }) => pid).sort()).toEqual((await pm2.pidsOf('shop')).sort())

  const load = new Load(service)
  const scraper = new Scraper(service)
  load.start()
  scraper.start()
  onTestFinished(async () => void (await Promise.all([load.stop(), scraper.stop()])))
  await until('requests are answered', () => load.acknowledgedBy.main > 200)
  // An instance that is told to end writes its last snapshot; its threads are ended without being told.
  for (const place of shop) load.losesTraffic(place, 'thread', 'later')
  await pm2.run('reload', 'shop')
  const before = load.acknowledgedBy.main
  await until('requests are answered', () => load.acknowledgedBy.main > before + 200)
  await load.stop()
  await scraper.stop()
  const reloaded = await service.placesOnce(INSTANCES)
  expect(reloaded.filter(({ pid }) => shop.some((one) => one.pid === pid))).toEqual([])

  const { acknowledgedBy, unanswered } = load
  const [fromMain, fromThreads] = [acknowledgedBy.main, acknowledgedBy.thread - load.bound(1000)]
  let [main, thread]: number[][] = [[], []]
  const isComplete = async (): Promise<boolean> => {
    const pages = await Promise.all(
      reloaded.map(async ({ port }) => linesOf((await service.ask(port, '/metrics')).body)),
    )
    main = pages.map((lines) => lines['requests_total{kind="main"}'] ?? 0)
    thread = pages.map((lines) => lines['requests_total{kind="thread"}'] ?? 0)
    const agree = new Set(main).size === 1 && new Set(thread).size === 1
    return agree && (main[0] as number) >= fromMain && (thread[0] as number) >= fromThreads
  }
  // The numbers of the others are as old as their last snapshot.
  await eventually(isComplete, { interval: 200 })
  process.stdout.write(
    `pm2: ${JSON.stringify({ ...acknowledgedBy, totals: [main, thread], unanswered, unreachable: scraper.unreachable })}\n`,
  )
  expect(scraper.failures).toEqual([])
  // Whoever was asked just when it ended, or before its parent had seen it end.
  const ended = new Set(shop.map(({ name }) => name))
  expect(scraper.unreachable.filter(({ name }) => !ended.has(name))).toEqual([])
  expect(scraper.decreases).toEqual([])
  expect(scraper.errors).toEqual([])
  for (const total of main) {
    expect(total).toBe(main[0])
    expect(total).toBeGreaterThanOrEqual(fromMain)
    expect(total).toBeLessThanOrEqual(acknowledgedBy.main + unanswered)
  }
  for (const total of thread) {
    expect(total).toBe(thread[0])
    expect(total).toBeGreaterThanOrEqual(fromThreads)
    expect(total).toBeLessThanOrEqual(acknowledgedBy.thread + unanswered)
  }

  await pm2.start('other', 2)
  const other = (await service.placesOnce(INSTANCES + 2)).filter(({ pid }) => !reloaded.some((one) => one.pid === pid))
  const alone = new Service(temporaryFolder())
  const running = alone.start('alone', 1)
  onTestFinished(() => running.stop())
  const [single] = await seenAfterRequests(alone, await alone.placesOnce(1))
  expect(single?.counted).toMatchObject({ 'requests_total{kind="main"}': 6, 'requests_total{kind="thread"}': 6 })
  expect(await seenAfterRequests(service, other)).toEqual([single, single])
  for (const { port } of other) {
    const lines = linesOf((await service.ask(port, '/metrics')).body)
    expect(lines).toMatchObject({ 'narthex_processes{state="live"}': 2, 'narthex_processes{state="archived"}': 0 })
  }
}, 300_000)

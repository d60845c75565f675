import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { eventually, until } from '../../../../test/until.ts'
import { Load, Scraper } from './load.ts'
import { kill, type Place, Service } from './service.ts'
import { temporaryFolder } from './shared-folder.ts'

const WORKERS = 8
const QUIET_SECONDS = 2.5
const HANGING_SECONDS = 3.5
const KILLS = 30

it('eight workers under load are one target that never goes backwards, whoever is killed, stopped or terminated', async () => {
  const service = new Service(temporaryFolder())
  const running = service.start('cluster', WORKERS)
  onTestFinished(() => running.stop())
  await service.placesOnce(WORKERS)

  const stopped = new Set<string>()
  const isFree = (place: Place): boolean => !stopped.has(place.name)
  const load = new Load(service)
  const scraper = new Scraper(service, isFree)
  onTestFinished(async () => void (await Promise.all([load.stop(), scraper.stop()])))
  load.start()
  await sleep(1000)
  scraper.start()
  const quiet: number[] = []
  let quietSeconds = 0
  const watchQuiet = async (): Promise<void> => {
    scraper.takeTimes()
    const start = performance.now()
    await sleep(QUIET_SECONDS * 1000)
    await until('some scrapes were made', () => scraper.scrapes >= 8)
    quietSeconds += (performance.now() - start) / 1000
    quiet.push(...scraper.takeTimes())
  }
  await watchQuiet()

  const chaosStart = performance.now()
  for (let round = 0; round < KILLS; round++) {
    const start = performance.now()
    const free = service.places().filter((place) => isFree(place) && !scraper.isReading(place))
    const [victim, hanging, threaded] = shuffled(free)
    if (victim !== undefined) {
      load.losesTraffic(victim, 'all')
      service.forget(victim)
      kill(victim.pid, 'SIGKILL')
    }
    if (hanging !== undefined && round % 2 === 0) {
      stopped.add(hanging.name)
      kill(hanging.pid, 'SIGSTOP')
      setTimeout(() => {
        kill(hanging.pid, 'SIGCONT')
        stopped.delete(hanging.name)
      }, HANGING_SECONDS * 1000)
    }
    if (threaded !== undefined) {
      load.losesTraffic(threaded, 'thread')
      await service.ask(threaded.port, '/terminate')
    }
    await sleep(1000 - (performance.now() - start))
  }
  const chaotic = scraper.takeTimes()
  const chaoticSeconds = (performance.now() - chaosStart) / 1000
  // Until whoever was stopped goes on, and whoever was started answers.
  await sleep(HANGING_SECONDS * 1000)
  const places = await service.placesOnce(WORKERS)
  // What else the machine does comes and goes: it is as quiet as it was before or is now.
  await watchQuiet()
  await load.stop()
  await scraper.stop()

  let totals = new Set<number>()
  let lost = Infinity
  const isComplete = async (): Promise<boolean> => {
    totals = new Set()
    for (const { port } of places) totals.add(Scraper.requestsOn((await service.ask(port, '/metrics')).body))
    lost = load.acknowledged - Math.min(...totals)
    return totals.size === 1 && lost <= load.bound(1000)
  }
  // The numbers of the others are as old as their last snapshot.
  await eventually(isComplete, { interval: 500 })
  const [total] = totals
  const figures = { acknowledged: load.acknowledged, total, lost, bound: load.bound(1000), unsure: load.unanswered }
  const [before, during] = [summaryOf(quiet), summaryOf(chaotic)]
  process.stdout.write(
    `chaos: ${JSON.stringify({ ...figures, quiet: before, chaotic: during, missed: scraper.missed })}\n`,
  )

  expect([...scraper.failures, ...scraper.unreachable]).toEqual([])
  expect(scraper.decreases).toEqual([])
  expect(totals.size).toBe(1)
  expect(scraper.errors).toEqual([])
  // Nobody waits for whoever hangs. A process that begins takes a processor for a moment, which the 100 ms are for.
  expect(during.count / chaoticSeconds).toBeGreaterThan(0.5 * (before.count / quietSeconds))
  expect(during.median).toBeLessThanOrEqual(2 * before.median + 10)
  expect(during.p90).toBeLessThanOrEqual(2 * before.p90 + 100)
  expect(load.acknowledged).toBeGreaterThan(1000)
  expect(lost).toBeLessThanOrEqual(load.bound(1000))
  expect(lost).toBeGreaterThanOrEqual(-load.unanswered)
}, 300_000)

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => [Math.random(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
}

/** Milliseconds: how many there are, and their quantiles. */
function summaryOf(times: readonly number[]): { count: number; median: number; p90: number; max: number } {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (quantile: number): number => Math.round((sorted[Math.ceil(quantile * sorted.length) - 1] ?? 0) * 10) / 10
  return { count: sorted.length, median: at(0.5), p90: at(0.9), max: at(1) }
}

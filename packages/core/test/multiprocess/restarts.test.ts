import { copyFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Registry } from '@narthex/core'
import { expect, it } from 'vitest'
import { until } from '../../../../test/until.ts'
import { enableMultiprocess } from '@narthex/core/multiprocess'
import { deadName, leaveDead, linesOf, sharedDirectory } from './shared-folder.ts'

const RESTARTS = 1000
const SERIES = 200

function count(registry: Registry): void {
  const seconds = registry.histogram({ name: 'seconds', help: '', labelNames: ['route'] })
  for (let route = 0; route < SERIES; route++) seconds.observe({ route }, 0.1)
}

/** A process whose snapshots are written often: it looks for what has ended soon. */
function running(directory: string): { registry: Registry; stop(): Promise<void> } {
  const registry = new Registry()
  count(registry)
  const shared = enableMultiprocess({ directory, registry, flushInterval: 20 })
  return { registry, stop: () => shared.stop() }
}

/** Milliseconds of the shortest of some scrapes: the others tell of what else the machine does. */
async function scrapeTime(registry: Registry): Promise<number> {
  const times: number[] = []
  for (let scrape = 0; scrape < 20; scrape++) {
    const start = performance.now()
    await registry.metrics()
    times.push(performance.now() - start)
  }
  return Math.min(...times)
}

it('a thousand restarts do not slow a scrape, and lose nothing', async () => {
  const few = sharedDirectory()
  await leaveDead(few, 1, count)
  const one = running(few)
  await until('it is absorbed', () => !readdirSync(few).includes(deadName(1)))
  await scrapeTime(one.registry)
  const before = await scrapeTime(one.registry)
  await one.stop()

  const directory = sharedDirectory()
  const first = await leaveDead(directory, 1, count)
  for (let restart = 2; restart <= RESTARTS; restart++) copyFileSync(first, join(directory, deadName(restart)))
  const { registry, stop } = running(directory)
  // They are all there, absorbed or not.
  const lines = linesOf(await registry.metrics())
  expect(lines).toMatchObject({ 'seconds_count{route="7"}': RESTARTS + 1 })
  await until('all are absorbed', () => readdirSync(directory).length === 2, { interval: 50 })
  const after = await scrapeTime(registry)
  const absorbed = linesOf(await registry.metrics())
  await stop()
  process.stdout.write(`restarts: ${before.toFixed(1)} ms of 1, ${after.toFixed(1)} ms of ${RESTARTS}\n`)
  expect(absorbed).toMatchObject({
    'seconds_count{route="7"}': RESTARTS + 1,
    'narthex_processes{state="archived"}': RESTARTS,
    'narthex_processes{state="dead"}': 0,
  })
  expect(absorbed['seconds_sum{route="7"}']).toBeCloseTo((RESTARTS + 1) / 10, 9)
  expect(Object.keys(absorbed).filter((name) => name.startsWith('narthex_multiprocess_errors'))).toEqual([])
  expect(after).toBeLessThan(2 * before + 5)
}, 120_000)

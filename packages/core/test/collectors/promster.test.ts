import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { getSampleValue } from '../../src/testing/index.ts'

const benchmarks = fileURLToPath(new URL('../../../../benchmarks', import.meta.url))

/** Collections are forced and both pages read: soon, and after the peer's interval. It keeps a timer for good. */
const program = (interval: number): string => `
import { setTimeout as sleep } from 'node:timers/promises'
import { createGcMetrics, createGcObserver, defaultRegister } from '@promster/metrics'
import { Registry } from '@narthex/core'
import { collectDefaultMetrics } from '@narthex/core/collectors'
const registry = new Registry()
const options = { gcCollectionInterval: ${interval}, metricPrefix: '' }
collectDefaultMetrics({ registry, groups: ['gc'] })
createGcObserver(createGcMetrics(options), options)()
for (let index = 0; index < 3; index += 1) gc()
const pages = async () => [await defaultRegister.metrics(), await registry.metrics()]
await sleep(20)
const atOnce = await pages()
await sleep(${interval} * 1.5)
console.log(JSON.stringify([atOnce, await pages()]))
process.exit()
`

type Pages = readonly [theirs: string, ours: string]

it('counts collections as they happen, which @promster/metrics does every gcCollectionInterval; bytes it does not', async () => {
  const args = ['--expose-gc', '--input-type=module', '--eval', program(1000)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: benchmarks })
  const [atOnce, later] = JSON.parse(stdout) as [Pages, Pages]
  const theirs = (page: string, what: string): number | undefined =>
    getSampleValue(page, `nodejs_gc_${what}_total`, { gctype: 'MarkSweepCompact' })
  const ours = (page: string, what: string): number | undefined =>
    getSampleValue(page, `nodejs_gc_duration_seconds_${what}`, { kind: 'major' })

  expect(theirs(atOnce[0], 'runs')).toBeUndefined()
  expect(ours(atOnce[1], 'count')).toBeGreaterThanOrEqual(3)
  // A collection of its own may come between the two.
  expect(theirs(later[0], 'runs')).toBeGreaterThanOrEqual(3)
  expect(ours(later[1], 'count')).toBeGreaterThanOrEqual(theirs(later[0], 'runs') as number)
  expect(ours(later[1], 'sum')).toBeGreaterThan((theirs(later[0], 'pause_seconds') as number) / 2)
  expect(theirs(later[0], 'reclaimed_bytes')).toBeGreaterThanOrEqual(0)
  expect(later[1]).not.toContain('reclaimed')
})

// Counts collections from the first `gc()` on and up to the last one, with garbage in between, and tells the counts.
import { Registry } from '@narthex/core'
import { collectDefaultMetrics } from '@narthex/core/collectors'

const quiet = () => new Promise((resolve) => setTimeout(resolve, 300))
const { gc } = globalThis
const registry = new Registry()
// The page is read before the last `gc()`: what writing it is going to need is there by then.
await registry.metrics()
gc()
collectDefaultMetrics({ registry, groups: ['gc'] })
// A minor one stands beside both ends: else a major one in between could not be told from them.
gc({ type: 'minor' })
let kept = []
for (let round = 0; round < 60; round++) {
  for (let index = 0; index < 20_000; index++) kept.push({ index, list: [index] })
  if (round % 20 === 19) kept = []
  if (round === 30) gc()
  // Half of the rounds without a turn of the loop: several collections then come in one batch.
  if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
}
gc({ type: 'minor' })
await quiet()
const page = await registry.metrics()
gc()
const counts = {}
for (const kind of ['minor', 'major', 'incremental']) {
  const [, count] = new RegExp(`nodejs_gc_duration_seconds_count{kind="${kind}"} (\\d+)`).exec(page)
  counts[kind] = Number(count)
}
console.log(`\n${JSON.stringify(counts)}`)

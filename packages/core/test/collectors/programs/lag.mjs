// Blocks its event loop in a pattern: `blocks × milliseconds`, one each `period`, after `rest` milliseconds of nothing.
import { Registry } from '@narthex/core'
import { collectDefaultMetrics } from '@narthex/core/collectors'
import { setTimeout as sleep } from 'node:timers/promises'

const [blocks, milliseconds, period, rest] = process.argv.slice(2).map(Number)
const registry = new Registry()
const lag = async () => {
  const page = await registry.metrics()
  const values = {}
  for (const [, name, value] of page.matchAll(/^nodejs_eventloop_lag_seconds_(\S+) (\S+)$/gm))
    values[name] = Number(value)
  return values
}
collectDefaultMetrics({ registry, groups: ['eventLoop'] })
await sleep(100 + rest)
const before = await lag()
let blocked = 0
for (let block = 0; block < blocks; block++) {
  const start = performance.now()
  while (performance.now() - start < milliseconds);
  blocked += (performance.now() - start) / 1000
  await sleep(period - milliseconds)
}
// Another scraper in between, and one at the same time.
await lag()
const [after, second] = await Promise.all([lag(), lag()])
const grown = Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - before[name]]))
console.log(JSON.stringify({ blocked, grown, same: JSON.stringify(after) === JSON.stringify(second) }))

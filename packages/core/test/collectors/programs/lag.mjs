// Blocks its event loop in a pattern: `blocks × milliseconds`, one each `period`, after `rest` milliseconds of nothing.
// Where there is no rest that it would disturb, a plain timer looks at the same loop beside the metric; another one is in
// a thread that does nothing else: what it is late by, it owes to the machine.
import { once } from 'node:events'
import { Registry } from '@narthex/core'
import { collectDefaultMetrics } from '@narthex/core/collectors'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

const [blocks, milliseconds, period, rest] = process.argv.slice(2).map(Number)
const registry = new Registry()
const lag = async () => {
  const page = await registry.metrics()
  const values = {}
  for (const [, name, value] of page.matchAll(/^nodejs_eventloop_lag_seconds_(\S+) (\S+)$/gm))
    values[name] = Number(value)
  return values
}
const idle = new Worker(
  `const { parentPort } = require('node:worker_threads')
  let [last, held] = [performance.now(), 0]
  setInterval(() => {
    const now = performance.now()
    if (now - last > 120) held += 1
    last = now
  }, 20)
  parentPort.on('message', () => parentPort.postMessage(held))`,
  { eval: true },
)
const heldUp = async () => {
  idle.postMessage('tell', [])
  return (await once(idle, 'message'))[0]
}
collectDefaultMetrics({ registry, groups: ['eventLoop'] })
await sleep(100 + rest)
const heldBefore = await heldUp()
const before = await lag()
const began = performance.now()
const control = []
if (rest === 0) look(began)
function look(last) {
  setTimeout(() => {
    const now = performance.now()
    control.push((now - last) / 1000 - 0.02)
    look(now)
  }, 20).unref()
}
let blocked = 0
for (let block = 0; block < blocks; block++) {
  const start = performance.now()
  while (performance.now() - start < milliseconds);
  blocked += (performance.now() - start) / 1000
  await sleep(period - milliseconds)
}
const seconds = (performance.now() - began) / 1000
// Another scraper in between, and one at the same time.
await lag()
const [after, second] = await Promise.all([lag(), lag()])
const held = (await heldUp()) - heldBefore
const grown = Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - before[name]]))
console.log(
  JSON.stringify({ blocked, seconds, control, held, grown, same: JSON.stringify(after) === JSON.stringify(second) }),
)
await idle.terminate()

// The CPU time that a request costs, bare and instrumented: `node http.mjs <framework> <variant>...`, the bare variant
// first; one round. What is looked for is one part in a hundred, and two processes of the same program differ by several:
// the median of the rounds that `run.mjs` makes is what counts. Each variant has a process of its own, in an order that is
// another each time, and the load on the other core.
//
// Some of those differences are of Node's making, and would be on the bill of whoever meets them first. Once a collection
// finds none of `process.nextTick`'s objects alive, each costs 1 µs more, and every service has such collections sooner
// or later: each variant has three of them. And what `http-server.mjs` says of emitters.
//
// `node http.mjs koa bare nothing 'two clock reads' narthex` tells what middleware costs that does nothing, and what a
// latency costs that nobody records. `instructions.mjs` tells where.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServer } from './pinned.mjs'

const COLLECTIONS = 3
const COLLECT_SECONDS = 0.5
const WARM_UP_SECONDS = 1.5
const SECONDS = 2.5
const [, , framework, ...variants] = process.argv

const microseconds = {}
for (const variant of shuffled(variants)) microseconds[variant] = await measure(variant)
const bare = microseconds[variants[0]]
const results = {}
for (const variant of variants) {
  const added = microseconds[variant] - bare
  results[variant] = {
    microseconds: microseconds[variant],
    addedMicroseconds: added,
    addedPercent: (100 * added) / bare,
  }
}
console.log(JSON.stringify(results))

async function measure(variant) {
  const { child, load } = await startServer('http-server.mjs', [framework, variant])
  for (let collection = 0; collection < COLLECTIONS; collection++) {
    await sleep(1000 * COLLECT_SECONDS)
    child.send('collect')
  }
  await sleep(1000 * WARM_UP_SECONDS)
  const before = await usageOf(child)
  await sleep(1000 * SECONDS)
  const after = await usageOf(child)
  load.kill('SIGKILL')
  child.kill('SIGKILL')
  await once(child, 'exit')
  return (after.microseconds - before.microseconds) / (after.answered - before.answered)
}

async function usageOf(child) {
  child.send('usage')
  const [answer] = await once(child, 'message')
  return answer
}

function shuffled(values) {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value)
}

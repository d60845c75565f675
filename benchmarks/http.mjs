// The CPU time that a request costs, bare and instrumented: `node http.mjs <framework> <cycles> <variant>...`, the bare
// variant first. What is looked for is one part in a hundred, and two processes of the same program differ by several.
// So all variants are servers of one process, with one copy of the framework and connections of their own that stay
// open; `http/prototypes.mjs` says how they are kept apart. They take turns forwards and backwards, with the load on the
// other core; the start of a turn does not count, and each is compared with the bare one's turn of the same cycle. A turn
// is long enough for the collector to come by, so that garbage is on the bill of who made it.
// `node http.mjs koa 8 bare 'bare again' nothing 'two clock reads' narthex` tells what differences come to that are none,
// what middleware costs that does nothing, and what a latency costs that nobody records.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServer } from './pinned.mjs'
import { median } from './statistics.mjs'

const WARM_UP_SECONDS = 4
// Where methods of prototypes change with a turn, the engine has to compile anew what calls them.
const START_SECONDS = process.argv[2].endsWith('express') ? 1.2 : 0.1
const TURN_SECONDS = 0.4
const [, , framework, cycles, ...variants] = process.argv

const { child, loads } = await startServer('http-server.mjs', [framework, ...variants])
for (const load of loads) load.kill('SIGSTOP')
// The bare one would have the engine to itself at first.
for (const seconds of [1, WARM_UP_SECONDS - 1]) for (const index of variants.keys()) await turn(index, seconds, 0.1)
const turns = variants.map(() => [])
for (let cycle = 0; cycle < Number(cycles); cycle++) {
  const order = [...variants.keys()]
  for (const index of cycle % 2 === 0 ? order : order.toReversed()) {
    turns[index].push(await turn(index, START_SECONDS, TURN_SECONDS))
  }
}
for (const load of loads) load.kill('SIGKILL')
child.kill()

const bare = median(turns[0])
const results = {}
for (const [index, variant] of variants.entries()) {
  const added = median(turns[index].map((microseconds, cycle) => microseconds - turns[0][cycle]))
  results[variant] = { microseconds: bare + added, addedMicroseconds: added, addedPercent: (100 * added) / bare }
}
console.log(JSON.stringify(results))

/** CPU time a request while a variant has the load for itself, after some seconds that do not count. */
async function turn(index, startSeconds, seconds) {
  child.send({ enter: index })
  loads[index].kill('SIGCONT')
  await sleep(1000 * startSeconds)
  const before = await usage(index)
  await sleep(1000 * seconds)
  const after = await usage(index)
  loads[index].kill('SIGSTOP')
  return (after.microseconds - before.microseconds) / (after.answered - before.answered)
}

async function usage(index) {
  child.send({ usageOf: index })
  const [answer] = await once(child, 'message')
  return answer
}

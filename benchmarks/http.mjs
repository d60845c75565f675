// The CPU time that a request costs, bare and instrumented: `node http.mjs <framework> <cycles> <variant>...`, the bare
// variant first. A machine is never quiet, and what is looked for is one part in a hundred. So servers and load have a
// core each, and the servers take turns of a third of a second, forwards and backwards, on connections that stay open.
// The start of a turn does not count: a server that has waited finds its memory cold, and under turns of a tenth of a
// second a bigger program came out dearer than under a load that goes on. Of all slices of a server the lower quartile
// counts, because what disturbs one can only make it dearer. `node http.mjs express 12 bare bare` tells what differences
// come to that are none.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServer } from './pinned.mjs'
import { lowerQuartile } from './statistics.mjs'

// With two seconds the same program differed by a fifth from one process to the next.
const WARM_UP_SECONDS = 6
const START_SECONDS = 0.1
const SLICES = 4
const SLICE_SECONDS = 0.05
const [, , framework, cycles, ...variants] = process.argv

const servers = await Promise.all(variants.map(start))
for (const server of servers) await turn(server, WARM_UP_SECONDS, 1)
for (let cycle = 0; cycle < Number(cycles); cycle++) {
  for (const server of cycle % 2 === 0 ? servers : servers.toReversed()) {
    server.microseconds.push(...(await turn(server, START_SECONDS, SLICES)))
  }
}
for (const { child, load } of servers) {
  load.kill('SIGKILL')
  child.kill()
}

const bare = lowerQuartile(servers[0].microseconds)
const results = {}
for (const { variant, microseconds } of servers) {
  const added = lowerQuartile(microseconds) - bare
  results[variant in results ? `${variant} again` : variant] = {
    microseconds: bare + added,
    addedMicroseconds: added,
    addedPercent: (100 * added) / bare,
  }
}
console.log(JSON.stringify(results))

async function start(variant) {
  const { child, load } = await startServer('http-server.mjs', [framework, variant])
  load.kill('SIGSTOP')
  return { variant, child, load, microseconds: [] }
}

/** CPU time a request while a server has the load for itself, after some seconds that do not count. */
async function turn({ child, load }, startSeconds, slices) {
  const microseconds = []
  load.kill('SIGCONT')
  await sleep(1000 * startSeconds)
  let before = await usage(child)
  for (let slice = 0; slice < slices; slice++) {
    await sleep(1000 * SLICE_SECONDS)
    const after = await usage(child)
    microseconds.push((after.microseconds - before.microseconds) / (after.answered - before.answered))
    before = after
  }
  load.kill('SIGSTOP')
  return microseconds
}

async function usage(child) {
  child.send('usage')
  const [answer] = await once(child, 'message')
  return answer
}

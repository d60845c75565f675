// The CPU time that a request costs, bare and instrumented: `node http.mjs <framework> <variant>...`, one of them `bare`.
// Each has two processes of its own, and the load on the other core. They take turns forwards and backwards, and each is
// compared with the bare ones' turns of the same cycle: in the seconds of a longer measurement the machine changes by more
// than what is looked for. A turn is long enough for the collector to come by, so that garbage is on the bill of who made
// it. What counts is the median of the rounds that `run.mjs` makes, each with another variant that is started first.
//
// The young generation of each has its full size from the start. Left to itself it is 2 to 16 MB, as chance and the last
// quiet moment will have it, and everything in a process, the kernel's part too, is cheaper with another size: two bare
// servers differed by 3.4 µs of Koa's 40 and by 10 of Express' 140 without it, and by 0.1 and 2.5 of Koa's with it.
//
// Some of those differences are of Node's making, and would be on the bill of whoever meets them first. A collection that
// finds no request open takes away what compiled code knew of their classes, and constructors of requests are compiled
// anew. Every service has such collections sooner or later, in its first quiet minute: each variant has some, without its
// load, and as many as any other: a server that has waited for long is given none for that (`--no-memory-reducer`). And
// what `http-server.mjs` says of ticks and of emitters, and `load.mjs` of sleep.
//
// With Express on Node 20 and 22 the ground itself moves. What Express adds to a request behind its `setPrototypeOf`
// makes hidden classes that no other request shares (V8 gives objects like that no transitions; Node 24's does): 110
// look-ups a request miss their caches (`--log-ic`), which is two fifths of the CPU time, and each collection, some three
// a second, has the code that stood on such classes compiled anew, for 4 to 16 µs a request, as chance will have it
// (`--trace-opt`).
//
// `node http.mjs koa bare nothing 'two clock reads' narthex` tells what middleware costs that does nothing, and what a
// latency costs that nobody records. `instructions.mjs` tells where.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServer } from './pinned.mjs'
import { median } from './statistics.mjs'

const FLAGS = ['--min-semi-space-size=16', '--no-memory-reducer']
const COLLECTIONS = 4
const COLLECT_SECONDS = 0.5
const QUIET_SECONDS = 0.1
const WARM_UP_SECONDS = 2
const START_SECONDS = 0.1
const TURN_SECONDS = 0.7
const CYCLES = 8
const [, , framework, ...variants] = process.argv

// Processes of the same differ: bare ones of one round by up to 0.4 µs of Koa's 15, and six with Express by 1.5 of 74 in one
// run and 3.3 of 71 in another. So each variant has two, apart in order, and their mean counts.
const started = [...variants, ...variants]
const servers = []
for (const variant of started) servers.push(await start(variant))
const turns = started.map(() => [])
for (let cycle = 0; cycle < CYCLES; cycle++) {
  const order = [...started.keys()]
  for (const index of cycle % 2 === 0 ? order : order.toReversed()) turns[index].push(await turn(servers[index]))
}
for (const { child, load } of servers) {
  load.kill('SIGKILL')
  child.kill('SIGKILL')
}

const meansOf = (variant) => {
  const [one, other] = turns.filter((_, index) => started[index] === variant)
  return one.map((microseconds, cycle) => (microseconds + other[cycle]) / 2)
}
const turnsOfBare = meansOf('bare')
const bare = median(turnsOfBare)
const results = {}
for (const variant of variants) {
  const added = median(meansOf(variant).map((microseconds, cycle) => microseconds - turnsOfBare[cycle]))
  results[variant] = { microseconds: bare + added, addedMicroseconds: added, addedPercent: (100 * added) / bare }
}
console.log(JSON.stringify(results))

/** A server that is warm, and whose load is halted. */
async function start(variant) {
  const server = await startServer('http-server.mjs', [framework, variant], { flags: FLAGS })
  for (let collection = 0; collection < COLLECTIONS; collection++) {
    await sleep(1000 * COLLECT_SECONDS)
    server.load.kill('SIGSTOP')
    await sleep(1000 * QUIET_SECONDS)
    server.child.send('collect')
    await sleep(1000 * QUIET_SECONDS)
    server.load.kill('SIGCONT')
  }
  await sleep(1000 * WARM_UP_SECONDS)
  server.load.kill('SIGSTOP')
  return server
}

/** CPU time a request while a server has the load for itself. */
async function turn({ child, load }) {
  load.kill('SIGCONT')
  await sleep(1000 * START_SECONDS)
  const before = await usageOf(child)
  await sleep(1000 * TURN_SECONDS)
  const after = await usageOf(child)
  load.kill('SIGSTOP')
  return (after.microseconds - before.microseconds) / (after.answered - before.answered)
}

async function usageOf(child) {
  child.send('usage')
  const [answer] = await once(child, 'message')
  return answer
}

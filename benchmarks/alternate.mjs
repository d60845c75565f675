// For who looks for tenths of a microsecond: `node alternate.mjs <framework> <seconds> <variant>...` has the variants in
// one server, which they share by turns of some hundred requests, so that nothing of machine or process tells them
// apart; each of five processes has its line. Not what a table may quote: what a variant changes in Node or in the
// framework (diagnostics channels, prototypes) is there for the bare one as well. `node alternate.mjs koa 5 bare nothing
// 'two clock reads' narthex` says what middleware costs that does nothing, and a latency that is not recorded.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServer } from './pinned.mjs'
import { lowerQuartile, median } from './statistics.mjs'

const WARM_UP_SECONDS = 5
const PROCESSES = 5
const [, , framework, seconds, ...variants] = process.argv

const rows = []
for (let round = 0; round < PROCESSES; round++) {
  // Another one first in each.
  const order = variants.map((_, index) => (index + round) % variants.length)
  const turns = await measure(order.map((index) => variants[index]))
  const times = []
  order.forEach((index, place) => (times[index] = lowerQuartile(turns[place])))
  rows.push(times)
  console.log(times.map((time) => time.toFixed(2)).join('  '))
}
const bare = median(rows.map(([time]) => time))
for (const [index, variant] of variants.entries()) {
  const added = median(rows.map((times) => times[index] - times[0]))
  console.log(`${variant}: ${added.toFixed(2)} µs, ${((100 * added) / bare).toFixed(1)} % of ${bare.toFixed(1)} µs`)
}

async function measure(order) {
  const { child, load } = await startServer('alternate-server.mjs', [framework, ...order])
  await sleep(1000 * WARM_UP_SECONDS)
  child.send('begin')
  await sleep(1000 * seconds)
  child.send('end')
  const [turns] = await once(child, 'message')
  load.kill('SIGKILL')
  child.kill()
  return turns
}

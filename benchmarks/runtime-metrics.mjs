// What default metrics cost: at rest, as the share of a core that they add to a process with nothing to do, and for each
// scrape, as milliseconds of event loop: `node runtime-metrics.mjs <library> <milliseconds>`.
import { performance } from 'node:perf_hooks'
import { median } from './statistics.mjs'

const [, , name, milliseconds] = process.argv
const bare = await restingShare()
const scrape = await start(name)
// Compiled and at rest: what happens once is no cost of a long run.
for (let page = 0; page < 300; page++) await scrape()
const resting = await restingShare()
const busy = []
for (let page = 0; page < 50; page++) busy.push(await busyMilliseconds(scrape))
console.log(
  JSON.stringify({
    restingPercent: Math.max(0, resting - bare),
    barePercent: bare,
    scrapeMilliseconds: median(busy),
    longestScrapeMilliseconds: Math.max(...busy),
  }),
)
process.exit()

async function start(library) {
  if (library === 'narthex') {
    const { Registry } = await import('@narthex/core')
    const { collectDefaultMetrics } = await import('@narthex/core/collectors')
    const registry = new Registry()
    collectDefaultMetrics({ registry })
    return () => registry.metrics()
  }
  const { default: client } = await import(library)
  const registry = new client.Registry()
  client.collectDefaultMetrics({ register: registry })
  return () => registry.metrics()
}

/** Percent of a core that this process takes while it does nothing. */
async function restingShare() {
  // Until what was started has come to rest itself.
  await sleep(2500)
  const cpu = process.cpuUsage()
  const start = performance.now()
  await sleep(Number(milliseconds))
  const { user, system } = process.cpuUsage(cpu)
  return (user + system) / 10 / (performance.now() - start)
}

/** Milliseconds that the event loop was at work, not those in which files were read elsewhere. */
async function busyMilliseconds(work) {
  await sleep(20)
  const before = performance.eventLoopUtilization()
  await work()
  return performance.eventLoopUtilization(before).active
}

function sleep(duration) {
  return new Promise((resolve) => setTimeout(resolve, duration))
}

// One page over the workers of a cluster: `node --expose-gc multiprocess.mjs <library> <workers> <series>`. Every worker
// has as many histogram series; the primary is scraped, and watches its event loop. Of our own, too: what writing a
// snapshot costs a worker's event loop.
import cluster from 'node:cluster'
import { once } from 'node:events'
import { crossedLabelSets, fillHistogram } from './series.mjs'
import { median } from './statistics.mjs'
import { watch } from './watch.mjs'

const WARM_UPS = 4
const SCRAPES = 7

const libraries = {
  async narthex() {
    const { defaultRegistry: registry } = await import('@narthex/core')
    const { enableMultiprocess } = await import('@narthex/core/multiprocess')
    // The timer is out of the way: each snapshot that is measured is asked for.
    const processes = enableMultiprocess({ flushInterval: 60_000 })
    return {
      histogram: (options) => registry.histogram(options),
      ready: () => processes.flush(),
      flush: () => processes.flush(),
      async scrape() {
        let bytes = 0
        for await (const chunk of processes.stream()) bytes += chunk.length
        return bytes
      },
    }
  },
  async 'prom-client'() {
    const { default: client } = await import('prom-client')
    const aggregator = new client.AggregatorRegistry()
    return {
      histogram: (options) => new client.Histogram(options),
      ready: () => {},
      scrape: async () => Buffer.from(await aggregator.clusterMetrics()).length,
    }
  },
}

const [, , name, workers, series] = process.argv
const library = await libraries[name]()

if (cluster.isPrimary) {
  const started = Array.from({ length: Number(workers) }, () => cluster.fork())
  await Promise.all(started.map((worker) => once(worker, 'message')))
  // One alone, so that it does not wait for the others' turn on a core.
  started[0].send('measure')
  const [{ flush }] = await once(started[0], 'message')
  for (let scrape = 0; scrape < WARM_UPS; scrape++) await library.scrape()
  const scrapes = []
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    const stop = watch()
    const start = performance.now()
    const bytes = await library.scrape()
    const milliseconds = performance.now() - start
    const { longest, held } = stop()
    scrapes.push({ bytes, milliseconds, longest, held })
  }
  for (const worker of started) worker.process.kill('SIGKILL')
  console.log(
    JSON.stringify({
      stallMilliseconds: median(scrapes.map(({ longest }) => longest)),
      scrapeMilliseconds: median(scrapes.map(({ milliseconds }) => milliseconds)),
      megabytes: median(scrapes.map(({ held }) => held)) / 2 ** 20,
      flushMilliseconds: flush,
      pageMegabytes: scrapes[0].bytes / 1e6,
    }),
  )
  process.exit()
} else {
  fillHistogram(library, crossedLabelSets(Number(series)))
  await library.ready()
  process.on('message', async () => process.send({ flush: await measuredFlush() }))
  process.send('ready')
}

async function measuredFlush() {
  if (library.flush === undefined) return undefined
  const times = []
  for (let flush = 0; flush < 60; flush++) {
    const before = performance.eventLoopUtilization()
    await library.flush()
    if (flush >= 20) times.push(performance.eventLoopUtilization(before).active)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return median(times)
}

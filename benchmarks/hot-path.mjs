// One update, in nanoseconds: `node hot-path.mjs <library> <case> <milliseconds>`.
import { Bench } from 'tinybench'
import { LIBRARIES } from './libraries.mjs'
import { BUCKETS, LABEL_NAMES } from './series.mjs'

const METHODS = ['GET', 'POST', 'PUT', 'DELETE']
const ROUTES = ['/', '/users/:id', '/users/:id/orders', '/orders/:order/items/:item']
const CODES = ['200', '201', '404', '500']
/** A call is too short for a clock: each sample is this many. */
const BATCH = 20_000

const [, , name, work, milliseconds] = process.argv

/** The floor: a property of an object, as a program would count without any library. */
const objectCases = {
  inc() {
    const counts = { x: 0 }
    return {
      *run(times) {
        for (let index = 0; index < times; index++) counts.x += 1
      },
      read: () => counts.x,
    }
  },
}

const cases = (library) => ({
  inc() {
    const counter = library.counter({ name: 'requests_total', help: 'Requests.', labelNames: LABEL_NAMES })
    const child = counter.labels({ method: 'GET', route: '/', code: '200' })
    return {
      *run(times) {
        for (let index = 0; index < times; index++) child.inc()
      },
      read: () => readPage(library, /^requests_total\{/),
    }
  },
  'inc-labels'() {
    const counter = library.counter({ name: 'requests_total', help: 'Requests.', labelNames: LABEL_NAMES })
    return {
      *run(times) {
        for (let index = 0; index < times; index++) {
          counter.inc({ method: METHODS[index & 3], route: ROUTES[(index >> 2) & 3], code: CODES[(index >> 4) & 3] })
        }
      },
      read: () => readPage(library, /^requests_total\{/),
    }
  },
  observe() {
    const histogram = library.histogram({
      name: 'seconds',
      help: 'Seconds.',
      labelNames: LABEL_NAMES,
      buckets: BUCKETS,
    })
    const child = histogram.labels({ method: 'GET', route: '/', code: '200' })
    return {
      *run(times) {
        for (let index = 0; index < times; index++) child.observe(SECONDS[index & 1023])
      },
      read: () => readPage(library, /^seconds_count\{/),
    }
  },
  'observe-labels'() {
    const histogram = library.histogram({
      name: 'seconds',
      help: 'Seconds.',
      labelNames: LABEL_NAMES,
      buckets: BUCKETS,
    })
    return {
      *run(times) {
        for (let index = 0; index < times; index++) {
          const labels = { method: METHODS[index & 3], route: ROUTES[(index >> 2) & 3], code: CODES[(index >> 4) & 3] }
          histogram.observe(labels, SECONDS[index & 1023])
        }
      },
      read: () => readPage(library, /^seconds_count\{/),
    }
  },
})

/** Ours alone: `classic` is the same with buckets in place of the native ones. */
const nativeCases = (library, native) => ({
  'observe-native'() {
    const { observe } = cases({
      ...library,
      histogram: ({ buckets, ...options }) => library.histogram({ ...options, ...(native ?? { buckets }) }),
    })
    return observe()
  },
})

/** Latencies of a quick service: most of them far below a second, some over the last bucket. */
const SECONDS = Float64Array.from(
  { length: 1024 },
  (_, index) => ((Math.imul(index + 1, 2654435761) >>> 0) / 2 ** 32) ** 6 * 12,
)

/** Ours alone: `single` is the same without other processes. */
const multiprocessCases = (library) => ({
  async 'inc-multiprocess'() {
    if (name !== 'single') {
      const { enableMultiprocess } = await import('@narthex/core/multiprocess')
      enableMultiprocess({ registry: library.registry })
    }
    return cases(library).inc()
  },
})

let prepared
if (name === 'object') {
  prepared = objectCases[work]()
} else {
  const { open } = LIBRARIES[name] ?? LIBRARIES.narthex
  beAProgram(await open())
  const native = name === 'classic' ? undefined : { native: { factor: 1.1 } }
  const library = await open()
  prepared = await { ...cases(library), ...nativeCases(library, native), ...multiprocessCases(library) }[work]()
}

let calls = 0
const bench = new Bench({ time: Number(milliseconds), warmupTime: Number(milliseconds) / 4 })
bench.add(work, () => {
  calls += BATCH
  // A generator, because the engine never inlines one: Node 24 took a loop into its quick compiler's code for the
  // harness and left it there, and a figure would have been that of the harness.
  prepared.run(BATCH).next()
})
const [task] = await bench.run()
// Every call must have left its mark: a loop that the compiler emptied would be fast, too.
const counted = await prepared.read()
if (counted !== calls) throw new Error(`${name} ${work}: counted ${counted} of ${calls} calls`)
console.log(JSON.stringify({ nanoseconds: (task.result.latency.p50 * 1e6) / BATCH }))

/**
 * Uses metrics as a real program does before the measured one is made: many, of several shapes, by child and by labels.
 * What the engine learns of a single metric flatters.
 */
function beAProgram(library) {
  const counters = [[], ['code'], ['method', 'code'], LABEL_NAMES, ['a', 'b', 'c', 'd', 'e']].map(
    (labelNames, index) => {
      return library.counter({ name: `counter_${index}_total`, help: 'A counter.', labelNames })
    },
  )
  const gauge = library.gauge({ name: 'gauge', help: 'A gauge.', labelNames: ['pool'] })
  const histograms = [[], ['code'], LABEL_NAMES].map((labelNames, index) => {
    const buckets = index === 1 ? [1, 10, 100, 1000] : BUCKETS
    return library.histogram({ name: `histogram_${index}`, help: 'A histogram.', labelNames, buckets })
  })
  const held = counters[2].labels('GET', '200')
  const heldHistogram = histograms[1].labels('200')
  for (let round = 0; round < 30_000; round++) {
    const [method, route, code] = [METHODS[round & 3], ROUTES[(round >> 2) & 3], CODES[(round >> 4) & 3]]
    counters[0].inc()
    counters[0].inc(round)
    counters[1].inc({ code }, 0.25)
    counters[1].inc({ code: 200 + (round % 7) })
    counters[2].inc({ method, code })
    counters[3].inc({ method, route, code })
    counters[3].inc({ code, method, route }, 2)
    counters[4].inc({ a: 'a', b: 'b', c: 'c', d: method, e: code })
    held.inc()
    held.inc(1.5)
    gauge.set({ pool: method }, round / 3)
    gauge.inc({ pool: method })
    histograms[0].observe(round / 1000)
    histograms[1].observe({ code }, round)
    histograms[2].observe({ method, route, code }, SECONDS[round & 1023])
    heldHistogram.observe(round % 2000)
  }
}

/** The sum of the matching lines of the page. */
async function readPage(library, line) {
  const page = await library.registry.metrics()
  return page
    .split('\n')
    .reduce((sum, text) => (line.test(text) ? sum + Number(text.slice(text.lastIndexOf(' '))) : sum), 0)
}

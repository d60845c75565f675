// A scrape of many histogram series to bytes: `node scrape.mjs <library> <series> <milliseconds>`.
import { LIBRARIES } from './libraries.mjs'
import { crossedLabelSets, fillHistogram } from './series.mjs'
import { median } from './statistics.mjs'

const [, , name, count, milliseconds] = process.argv
const library = await LIBRARIES[name].open()
fillHistogram(library, crossedLabelSets(Number(count)))
library.counter({ name: 'requests_total', help: 'Requests.' }).inc(3)
library.gauge({ name: 'temperature_celsius', help: 'Degrees.', labelNames: ['room'] }).set({ room: 'cellar' }, 12.5)

let bytes = await library.scrape()
await library.scrape()
const seconds = []
const end = performance.now() + Number(milliseconds)
while (seconds.length < 3 || performance.now() < end) {
  const start = performance.now()
  bytes = await library.scrape()
  seconds.push((performance.now() - start) / 1000)
}
console.log(JSON.stringify({ megabytesPerSecond: bytes / 1e6 / median(seconds), megabytes: bytes / 1e6 }))

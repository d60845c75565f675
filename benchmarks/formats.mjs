// Writing and reading pages in every format: `node formats.mjs <variant> <encode|parse> <milliseconds>`. The page is that
// of a service: histograms, counters and gauges with three labels. A variant is a format of ours or another parser.
import { Counter, encode, Gauge, Histogram, openMetricsFormat, protobufFormat, textFormat } from '@narthex/core'
import { parseOpenMetrics, parseProtobuf, parseText } from '@narthex/core/parse'
import { BUCKETS, crossedLabelSets, LABEL_NAMES } from './series.mjs'
import { median } from './statistics.mjs'

const [, , variant, work, milliseconds] = process.argv
const SERIES = 2_000
const common = { help: 'Requests.', labelNames: LABEL_NAMES, registry: null, maxSeries: Infinity }
const duration = new Histogram({ name: 'http_request_duration_seconds', buckets: BUCKETS, ...common })
const requests = new Counter({ name: 'http_requests', ...common })
const inFlight = new Gauge({ name: 'http_requests_in_flight', ...common })
let seed = 1
for (const labels of crossedLabelSets(SERIES)) {
  for (let observation = 0; observation < 5; observation++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    duration.observe(labels, (seed / 2 ** 32) ** 4 * 12)
    requests.inc(labels)
  }
  inFlight.set(labels, seed % 9)
}
const families = [duration.family, requests.family, inFlight.family]

const FORMATS = { text: textFormat, openmetrics: openMetricsFormat, protobuf: protobufFormat }
const PARSERS = { text: parseText, openmetrics: parseOpenMetrics, protobuf: parseProtobuf }
const page = encode(families, FORMATS[variant] ?? textFormat)
const run = work === 'encode' ? () => encode(families, FORMATS[variant]) : await parser()

const seconds = []
for (let warm = 0; warm < 10; warm++) run()
const end = performance.now() + Number(milliseconds)
while (seconds.length < 5 || performance.now() < end) {
  const start = performance.now()
  run()
  seconds.push((performance.now() - start) / 1000)
}
console.log(
  JSON.stringify({
    megabytesPerSecond: page.length / 1e6 / median(seconds),
    nanosecondsPerSeries: (median(seconds) * 1e9) / (3 * SERIES),
  }),
)

async function parser() {
  if (PARSERS[variant] !== undefined) return () => PARSERS[variant](page)
  const { default: parse } = await import(variant)
  const text = new TextDecoder().decode(page)
  return () => parse(text)
}

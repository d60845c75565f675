// The bytes of a histogram series at rest: `node --expose-gc memory.mjs <library> <crossed|unique> <series>`.
import { LIBRARIES } from './libraries.mjs'
import { crossedLabelSets, fillHistogram, uniqueLabelSets } from './series.mjs'

const [, , name, pattern, count] = process.argv
const labelSets = { crossed: crossedLabelSets, unique: uniqueLabelSets }[pattern]
const library = await LIBRARIES[name].open()
fillHistogram(library, labelSets(100), 'warm_up_seconds')

const before = held()
const histogram = fillHistogram(library, labelSets(Number(count)))
const bytes = (held() - before) / Number(count)
// The metric is used once more, so that no collection above may have taken it.
histogram.labels([...labelSets(1)][0]).observe(1)
console.log(JSON.stringify({ bytes }))

function held() {
  for (let run = 0; run < 4; run++) globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

// A process from its first snapshot to its last. Says before each which total it has, and after each that it is written.
import { writeSync } from 'node:fs'
import { Registry } from '@narthex/core'
import { enableMultiprocess } from '@narthex/core/multiprocess'

const [, , directory, ending] = process.argv
const registry = new Registry()
const counter = registry.counter({ name: 'total', help: '' })
const histogram = registry.histogram({ name: 'seconds', help: '', buckets: [1, 2] })
const say = (text) => writeSync(1, `${text}\n`)
let total = 0
function count(number) {
  total += number
  counter.inc(number)
  for (let left = number; left > 0; left--) histogram.observe(left % 3)
  say(`writing ${total}`)
}

count(5)
const shared = enableMultiprocess({ directory, registry, flushInterval: 60_000 })
await shared.flush()
say('written')
count(3)
await shared.flush()
say('written')
count(4)
if (ending === 'stop') await shared.stop()
if (ending === 'stop') say('written')
process.on('exit', () => say(`calls ${JSON.stringify(globalThis.fileCalls)}`))

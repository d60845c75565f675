// Counts once, and is sent a signal: `listens` with a listener of its own that ends with 3, `stops` while all is stopped.
import { Registry } from '@narthex/core'
import { enableMultiprocess } from '@narthex/core/multiprocess'

const [, , directory, signal, does] = process.argv
const registry = new Registry()
const shared = enableMultiprocess({ directory, registry, flushInterval: 60_000 })
registry.counter({ name: 'c', help: '' }).inc()
if (does === 'listens') process.on(signal, () => process.exit(3))
if (does === 'stops') {
  // A snapshot is under way.
  void shared.flush()
  await new Promise(setImmediate)
  void shared.stop()
}
process.kill(process.pid, signal)
setTimeout(() => {}, 60_000)

// Counts once, and is sent a signal; a listener of its own for that ends with 3.
import { Registry } from '@narthex/core'
import { enableMultiprocess } from '@narthex/core/multiprocess'

const [, , directory, signal, listens] = process.argv
const registry = new Registry()
enableMultiprocess({ directory, registry, flushInterval: 60_000 })
registry.counter({ name: 'c', help: '' }).inc()
if (listens === 'listens') process.on(signal, () => process.exit(3))
process.kill(process.pid, signal)
setTimeout(() => {}, 60_000)

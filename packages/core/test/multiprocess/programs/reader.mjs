// Reads a directory once, as for a scrape.
import { Registry } from '@narthex/core'
import { enableMultiprocess } from '@narthex/core/multiprocess'

const [, , directory] = process.argv
const registry = new Registry()
const shared = enableMultiprocess({ directory, registry, flushInterval: 60_000 })
await shared.flush()
console.log(`page ${JSON.stringify(await registry.metrics())}`)
process.on('exit', () => console.log(`calls ${JSON.stringify(globalThis.fileCalls)}`))

// A thread, or a process, with the default metrics: it says when its first snapshot is written.
import { parentPort } from 'node:worker_threads'
import { Registry } from '@narthex/core'
import { collectDefaultMetrics } from '@narthex/core/collectors'
import { enableMultiprocess } from '@narthex/core/multiprocess'

const [, , directory] = process.argv
const registry = new Registry()
const shared = enableMultiprocess({ directory, registry })
collectDefaultMetrics({ registry })
registry.counter({ name: 'work', help: '' }).inc()
await shared.flush()
parentPort.postMessage('written', [])
setInterval(() => {}, 1000)

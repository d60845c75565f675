// Collects everything, serves nothing, has nothing to do: it must end by itself.
import { collectDefaultMetrics } from '@narthex/core/collectors'
import { Registry } from '@narthex/core'

const registry = new Registry()
collectDefaultMetrics({ registry })
await registry.metrics()
setTimeout(() => {}, 1500)
console.log('running')

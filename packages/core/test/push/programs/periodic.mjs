// Pushes to the address it is given, has nothing to do after a moment, and ends by itself.
import { Counter, Registry } from '@narthex/core'
import { startPushing } from '@narthex/core/push'

const [, , url, ending, retries = '0'] = process.argv
process.on('unhandledRejection', () => console.log('unhandled rejection'))
const registry = new Registry()
const counter = new Counter({ name: 'rounds', help: 'Rounds.', registry })
const pushing = startPushing(url, { job: 'periodic', registry, interval: 50, timeout: 1000, retries: Number(retries) })
for (let round = 0; round < 4; round++) {
  counter.inc()
  await new Promise((resolve) => setTimeout(resolve, 50))
}
counter.inc(100)
if (ending === 'stop') await pushing.stop().catch((error) => console.log(`stop: ${error.message}`))
console.log('done')

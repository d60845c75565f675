// Writes a big page where files may have no more than a few kilobytes.
import { Gauge, Registry } from '@narthex/core'
import { writeToTextfile } from '@narthex/core/push'

const [, , path] = process.argv
process.on('SIGXFSZ', () => {})
const registry = new Registry()
const gauge = new Gauge({ name: 'big', help: 'Big.', labelNames: ['n'], registry })
for (let n = 0; n < 5000; n++) gauge.set({ n }, n)
await writeToTextfile(path, registry).catch((error) => console.log(error.code))

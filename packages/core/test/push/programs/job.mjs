// A job that pushes once and tells how that went.
import { Gauge, Registry } from '@narthex/core'
import { pushToGateway } from '@narthex/core/push'

const [, , url] = process.argv
const registry = new Registry()
new Gauge({ name: 'job_last_success_unixtime', help: 'When it last succeeded.', registry }).setToCurrentTime()
try {
  await pushToGateway(url, { job: 'job', registry, timeout: 1000, retries: 2 })
  console.log('pushed')
} catch (error) {
  console.log(`${error.name}: ${error.message}`)
}

// Reads a directory once, as for a scrape.
import { Registry } from '@narthex/core'
import { enableMultiprocess } from '@narthex/core/multiprocess'
import { doJobs } from './jobs.mjs'

await doJobs(async (directory) => {
  const registry = new Registry()
  const shared = enableMultiprocess({ directory, registry, flushInterval: 60_000 })
  await shared.flush()
  console.log(`page ${JSON.stringify(await registry.metrics())}`)
  await shared.stop()
})

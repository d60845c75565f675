// A program with nothing to do, and a thread of it.
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker } from 'node:worker_threads'
import { Counter, defaultRegistry } from '@narthex/core'
import { enableMultiprocess } from '@narthex/core/multiprocess'

const shared = enableMultiprocess()
new Counter({ name: 'threads', help: '' }).inc()
if (isMainThread) {
  console.log(shared.directory)
  new Worker(fileURLToPath(import.meta.url)).on('exit', async () => {
    console.log(/^threads_total (.*)$/m.exec(await defaultRegistry.metrics())?.[1])
  })
}

import cluster, { type Address } from 'node:cluster'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { enableMultiprocess } from '@narthex/core/multiprocess'
import { prometheus } from '@narthex/express'
import express from 'express'

enableMultiprocess()

if (cluster.isPrimary) await lead()
else serve()

/** What each worker does: nothing here knows of the others. */
function serve(): void {
  const app = express()
  app.use(prometheus())
  app.get('/orders/:id', (request, response) => void response.json({ id: request.params.id, worker: process.pid }))
  app.listen(Number(process.env['PORT'] ?? 3000))
}

/** Starts the workers, and another one for each that ends. */
async function lead(): Promise<void> {
  const workers = Number(process.env['WORKERS'] ?? availableParallelism())
  const listening = Array.from({ length: workers }, () => once(cluster.fork(), 'listening'))
  const [[{ port }]] = (await Promise.all(listening)) as [[Address]]
  console.log(`${workers} workers: http://localhost:${port}/orders/7, http://localhost:${port}/metrics`)
  if (process.env['ROUNDS'] !== undefined) return tryOut(port, Number(process.env['ROUNDS']))
  cluster.on('exit', () => cluster.fork())
}

/** Sends requests, ends the worker that answered the last one, and shows what another one tells of all of them. */
async function tryOut(port: number, rounds: number): Promise<void> {
  // A connection is of one worker: the next request is to come to the next.
  const headers = { connection: 'close' }
  let last = 0
  for (let round = 0; round < rounds; round++) {
    const response = await fetch(`http://localhost:${port}/orders/${round}`, { headers })
    last = ((await response.json()) as { worker: number }).worker
  }
  // Each worker writes its numbers down once a second, for the others to read.
  await sleep(1500)
  process.kill(last, 'SIGKILL')
  await sleep(100)
  console.log(await (await fetch(`http://localhost:${port}/metrics`, { headers })).text())
  cluster.disconnect()
}

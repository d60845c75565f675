import { Summary } from '@narthex/core'
import { startMetricsServer } from '@narthex/core/http'

const REQUEST_TIME = new Summary({ name: 'request_processing_seconds', help: 'Time spent processing a request' })

/** A service whose method is timed. */
class Worker {
  @REQUEST_TIME.time()
  async processRequest(seconds: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  }
}

/** A function that is timed: it looks and behaves as before. */
const checksum = REQUEST_TIME.time((text: string): number => {
  let sum = 0
  for (const character of text) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) >>> 0
  return sum
})

const server = await startMetricsServer(Number(process.env['PORT'] ?? 8000))
console.log(`Metrics: ${server.url}`)

const worker = new Worker()
const rounds = Number(process.env['ROUNDS'] ?? Infinity)
for (let round = 0; round < rounds; round++) {
  await worker.processRequest(Math.random() / 10)
  checksum(`round ${round}`)
}
console.log(await (await fetch(server.url)).text())
await server.close()

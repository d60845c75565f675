import { hostname } from 'node:os'
import { pushAddToGateway, writeToTextfile } from '@narthex/core/push'
import { writeChecksums } from './checksums.ts'
import { JobMetrics } from './job-metrics.ts'

const { FOLDER = '.', LIST = 'checksums.txt', PUSHGATEWAY, TEXTFILE } = process.env

const metrics = new JobMetrics()
const failure = await metrics.run(() => writeChecksums(FOLDER, LIST, metrics))
if (failure !== undefined) {
  console.error(`The job has failed: ${messageOf(failure)}`)
  process.exitCode = 1
}

// A job whose numbers get lost has still done its work: that is told, and is no failure.
const { registry } = metrics
if (PUSHGATEWAY !== undefined) {
  const groupingKey = { instance: hostname(), folder: FOLDER }
  await pushAddToGateway(PUSHGATEWAY, { job: 'checksums', groupingKey, registry, timeout: 10_000 }).catch(lost)
}
if (TEXTFILE !== undefined) await writeToTextfile(TEXTFILE, registry).catch(lost)
if (PUSHGATEWAY === undefined && TEXTFILE === undefined) console.log(await registry.metrics())

function lost(error: unknown): void {
  console.error(`The metrics are lost: ${messageOf(error)}`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

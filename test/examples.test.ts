import { parseText } from '@narthex/core/parse'
import { Counter, Registry, samplesOf } from '@narthex/core'
import { startMetricsServer } from '@narthex/core/http'
import { expect, it } from 'vitest'
import { runExample } from './run-example.ts'

/** The lines of a page within what a program has printed, as name → value; series are told apart by their labels. */
function samplesIn(output: string): Map<string, number> {
  const lines = output.split('\n').filter((line) => /^(#|[a-z_]+(\{.*\})? [-+\d.eINaf]+$)/.test(line))
  const samples = new Map<string, number>()
  for (const family of parseText(`${lines.join('\n')}\n`)) {
    for (const { name, labels, value } of samplesOf(family)) samples.set(name + Object.values(labels).join(), value)
  }
  return samples
}

it('quickstart times a method and a function, and serves what it timed', async () => {
  const output = await runExample('quickstart', { PORT: '0', ROUNDS: '3' })
  expect(output).toMatch(/^Metrics: http:\/\/localhost:\d+\/metrics\n/)
  const samples = samplesIn(output)
  expect(samples.get('request_processing_seconds_count')).toBe(6)
  expect(samples.get('request_processing_seconds_sum')).toBeGreaterThan(0)
})

it('custom-collector reads a folder when it is scraped', async () => {
  const output = await runExample('custom-collector', {
    PORT: '0',
    ONCE: '1',
    FOLDER: new URL('.', import.meta.url).pathname,
  })
  const samples = samplesIn(output)
  expect(samples.get('folder_file_bytesrun-example.ts')).toBeGreaterThan(100)
  expect(samples.get('folder_scrapes_total')).toBe(1)
})

it('mount serves the same page from node:http and from Fetch, and leaves the rest to the application', async () => {
  const output = await runExample('mount', { PORT: '0', ONCE: '1' })
  expect(output).toContain('Both servers serve the same page.')
  const samples = samplesIn(output)
  expect(samples.get('greetings_totalnode')).toBe(1)
  expect(samples.get('greetings_totalfetch')).toBe(1)
})

it('bridge exposes another page again, with a label more, and outlives its loss', async () => {
  const other = new Registry()
  new Counter({ name: 'visits', help: 'Visits', labelNames: ['page'], registry: other }).inc({ page: '/' }, 3)
  const server = await startMetricsServer({ port: 0, registry: other })
  const output = await runExample('bridge', { PORT: '0', ONCE: '1' }, [server.url, 'lisbon'])
  expect(output).toContain('visits_total{page="/",site="lisbon"} 3')
  await server.close()
  const without = await runExample('bridge', { PORT: '0', ONCE: '1' }, [server.url, 'lisbon'])
  expect(without).toContain(`narthex_collector_errors_total{collector="${server.url}"} 1`)
})

it('cluster counts the requests of all workers, those of one that was killed too', async () => {
  const output = await runExample('cluster', { PORT: '0', WORKERS: '3', ROUNDS: '9' })
  expect(output).toMatch(/^3 workers: http:\/\/localhost:\d+\/orders\/7/)
  const samples = samplesIn(output)
  expect(samples.get('http_requests_total200,GET,/orders/:id')).toBe(9)
  // The primary is one of them.
  expect(samples.get('narthex_processeslive')).toBe(3)
  expect((samples.get('narthex_processesdead') ?? 0) + (samples.get('narthex_processesarchived') ?? 0)).toBe(1)
})

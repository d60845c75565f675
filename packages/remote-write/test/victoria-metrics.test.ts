import { Counter, Gauge, Histogram, Registry, samplesOf } from '@narthex/core'
import { RemoteWriter } from '@narthex/remote-write'
import { describe, expect, it, vi } from 'vitest'
import { requireProgram } from '../../core/test/program.ts'
import { type Receiver, startVictoriaMetrics } from './receiver.ts'

interface Exported {
  readonly metric: Record<string, string>
  readonly values: readonly number[]
}

async function exported({ url }: Receiver, selector: string): Promise<Exported[]> {
  await fetch(`${url}/internal/force_flush`)
  const parameters = new URLSearchParams({ 'match[]': selector })
  const text = await (await fetch(`${url}/api/v1/export?${parameters}`)).text()
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Exported)
}

describe('A real VictoriaMetrics that takes remote writes', { timeout: 120_000 }, () => {
  it('returns every value as it was observed', async (context) => {
    requireProgram('victoria-metrics', context)
    const server = await startVictoriaMetrics()
    const registry = new Registry()
    const requests = new Counter({ name: 'requests_total', help: 'Requests', labelNames: ['route'], registry })
    const level = new Gauge({ name: 'level', help: 'h', registry })
    const latency = new Histogram({ name: 'latency_seconds', help: 'h', buckets: [0.1, 1], registry })
    const writer = new RemoteWriter({ url: server.writeUrl, registry, labels: { job: 'batch' }, staleMarkers: false })
    const observed = new Map<string, number[]>()
    for (let turn = 1; turn <= 5; turn++) {
      for (let route = 0; route < 20; route++) requests.inc({ route: `/books/${route}` }, turn * route)
      level.set(turn / 8)
      latency.observe(turn / 4)
      for await (const family of registry.gather()) {
        for (const { name, labels, value } of samplesOf(family)) {
          const key = JSON.stringify(Object.entries({ ...labels, __name__: name, job: 'batch' }).sort())
          observed.set(key, [...(observed.get(key) ?? []), value])
        }
      }
      await writer.flush()
    }
    await writer.close()
    // `close` has written the last values once more.
    for (const values of observed.values()) values.push(values[4])
    expect(observed.size).toBe(26)
    // What was written can be read a second or two later.
    await vi.waitFor(
      async () => {
        const returned = new Map<string, readonly number[]>()
        for (const { metric, values } of await exported(server, '{job="batch",__name__!~"narthex_.*"}')) {
          returned.set(JSON.stringify(Object.entries(metric).sort()), values)
        }
        expect(returned).toEqual(observed)
      },
      { timeout: 60_000, interval: 250 },
    )
  })
})

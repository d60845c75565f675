import { Counter, Gauge, Histogram, Info, Registry, samplesOf, Summary } from '@narthex/core'
import { RemoteWriter } from '@narthex/remote-write'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { requireProgram } from '../../core/test/program.ts'
import { until } from '../../../test/until.ts'
import { type Receiver, startPrometheus } from './receiver.ts'

const WRITTEN = 'narthex_remote_write_samples_total'
const DROPPED = 'narthex_remote_write_dropped_samples_total'

interface Series {
  readonly metric: Record<string, string>
  readonly value?: readonly [time: number, value: string]
  readonly values?: readonly (readonly [time: number, value: string])[]
}

async function query({ url }: Receiver, expression: string, time = Date.now()): Promise<readonly Series[]> {
  const parameters = new URLSearchParams({ query: expression, time: String(time / 1_000) })
  const answer = (await (await fetch(`${url}/api/v1/query?${parameters}`)).json()) as {
    readonly data?: { readonly result: readonly Series[] }
    readonly error?: string
  }
  if (answer.data === undefined) throw new Error(`${expression}: ${answer.error}`)
  return answer.data.result
}

async function queryOne(receiver: Receiver, expression: string, time?: number): Promise<number> {
  return Number((await query(receiver, expression, time))[0]?.value?.[1])
}

describe('A real Prometheus that takes remote writes', { timeout: 120_000 }, () => {
  it('returns every value as it was observed', async (context) => {
    requireProgram('prometheus', context)
    const prometheus = await startPrometheus()
    const registry = new Registry()
    const requests = new Counter({ name: 'requests_total', help: 'Requests', labelNames: ['route', 'héllo'], registry })
    for (let route = 0; route < 300; route++)
      requests.inc({ route: `/books/${route} "é\n`, héllo: 'w' }, route * Math.PI)
    new Gauge({ name: 'huge', help: 'h', registry }).set(Number.MAX_VALUE)
    new Gauge({ name: 'tiny', help: 'h', registry }).set(-5e-324)
    new Gauge({ name: 'nothing', help: 'h', registry }).set(NaN)
    new Gauge({ name: 'endless', help: 'h', registry }).set(-Infinity)
    new Info({ name: 'build', help: 'h', registry }).info({ version: '1.2.3' })
    const latency = new Histogram({ name: 'latency_seconds', help: 'h', buckets: [0.1, 1], registry })
    const size = new Summary({ name: 'size_bytes', help: 'h', quantiles: [0.5], registry })
    for (const value of [0.05, 0.1, 0.3, 7]) {
      latency.observe(value)
      size.observe(value)
    }
    const labels = { job: 'batch', instance: 'i-1' }
    const writer = new RemoteWriter({ url: prometheus.writeUrl, registry, labels, maxSamplesPerSend: 100 })
    await writer.flush()

    const observed = new Map<string, string>()
    for await (const family of registry.gather()) {
      for (const { name, labels: own, value } of samplesOf(family)) {
        const written = Object.entries({ ...own, ...labels, __name__: name }).map(([key, text]) => [
          key.replace('é', '_'),
          text,
        ])
        observed.set(JSON.stringify(written.sort()), numberText(value))
      }
    }
    const returned = new Map<string, string>()
    for (const { metric, value } of await query(prometheus, '{job="batch", __name__!~"narthex_.*"}')) {
      returned.set(
        JSON.stringify(Object.entries(metric).sort()),
        numberText(Number(value?.[1].replace('Inf', 'Infinity'))),
      )
    }
    expect(observed.size).toBe(313)
    expect(returned).toEqual(observed)
    await writer.close()
  })

  it('finds nothing once a writer has closed, and the values before', async (context) => {
    requireProgram('prometheus', context)
    const prometheus = await startPrometheus()
    const registry = new Registry()
    const gauge = new Gauge({ name: 'level', help: 'h', labelNames: ['tank'], registry })
    gauge.set({ tank: 'a' }, 1)
    gauge.set({ tank: 'b' }, 2)
    const writer = new RemoteWriter({ url: prometheus.writeUrl, registry })
    await writer.flush()
    const open = Date.now()
    expect(await query(prometheus, 'level', open)).toHaveLength(2)
    gauge.remove({ tank: 'a' })
    await sleep(5)
    await writer.flush()
    expect(await query(prometheus, 'level')).toHaveLength(1)
    await sleep(5)
    await writer.close()
    expect(await query(prometheus, '{__name__=~".+"}')).toHaveLength(0)
    expect(await query(prometheus, 'level', open)).toHaveLength(2)
  })

  it('is restarted in the middle of a run and has every sample afterwards', async (context) => {
    requireProgram('prometheus', context)
    const prometheus = await startPrometheus()
    const registry = new Registry()
    const observed: number[] = []
    new Gauge({
      name: 'turn',
      help: 'h',
      registry,
      collect(gauge) {
        observed.push(observed.length)
        gauge.set(observed.length - 1)
      },
    })
    const errors: unknown[] = []
    const options = { staleMarkers: false, interval: 20, onError: (error: unknown) => void errors.push(error) }
    const writer = new RemoteWriter({ url: prometheus.writeUrl, registry, ...options }).start()
    const more = (count: number): Promise<void> => {
      const enough = observed.length + count
      return until(`${count} more samples are taken`, () => observed.length >= enough)
    }
    await more(20)
    await prometheus.stop()
    await more(20)
    await until('an error is told', () => errors.length > 0)
    await prometheus.start()
    await more(10)
    await until('the queue is short again', () => writer.queuedSamples <= 50)
    await writer.close()

    const [{ values = [] }] = await query(prometheus, 'turn[10m]')
    expect(values.map(([, value]) => Number(value))).toEqual(observed)
    expect(await queryOne(prometheus, 'narthex_remote_write_retries_total')).toBeGreaterThan(0)
    expect(await queryOne(prometheus, 'sum(narthex_remote_write_dropped_samples_total)')).toBe(0)
  })

  it('misses of a queue that was too small just what was counted', async (context) => {
    requireProgram('prometheus', context)
    const prometheus = await startPrometheus()
    const registry = new Registry()
    let turns = 0
    new Gauge({ name: 'turn', help: 'h', registry, collect: (gauge) => gauge.set(turns++) })
    const options = { staleMarkers: false, interval: 20, maxQueueSamples: 50, onError: () => {} }
    const writer = new RemoteWriter({ url: prometheus.writeUrl, registry, ...options }).start()
    await until('samples were written', async () => (await metricOf(writer, WRITTEN)) > 0)
    await prometheus.stop()
    await until('the queue was too small', async () => (await metricOf(writer, DROPPED)) > 100)
    await prometheus.start()
    const before = await metricOf(writer, WRITTEN)
    await until('the queue was written', async () => (await metricOf(writer, WRITTEN)) > before + 50)
    await writer.close()
    const series = await query(prometheus, '{__name__=~".+"}[10m]')
    const stored = series.reduce((sum, { values = [] }) => sum + values.length, 0)
    const written = await metricOf(writer, WRITTEN)
    const dropped = await metricOf(writer, DROPPED)
    expect(stored).toBe(written)
    expect(written + dropped).toBe(turns * series.length)
  })

  it('keeps exemplars, and finds them by their series', async (context) => {
    requireProgram('prometheus', context)
    const prometheus = await startPrometheus('--enable-feature=exemplar-storage')
    const registry = new Registry()
    const latency = new Histogram({ name: 'latency_seconds', help: 'h', buckets: [1, 5], registry })
    const writer = new RemoteWriter({ url: prometheus.writeUrl, registry, labels: { job: 'batch' } })
    for (const value of [0.5, 0.75, 3]) {
      latency.observe(value, { trace_id: `t${value}` })
      await sleep(5)
      await writer.flush()
    }
    const parameters = new URLSearchParams({
      query: 'latency_seconds_bucket{job="batch"}',
      start: String(Date.now() / 1_000 - 60),
      end: String(Date.now() / 1_000 + 60),
    })
    const answer = (await (await fetch(`${prometheus.url}/api/v1/query_exemplars?${parameters}`)).json()) as {
      data: { seriesLabels: { le: string }; exemplars: { labels: { trace_id: string }; value: string }[] }[]
    }
    const found = answer.data.flatMap(({ seriesLabels, exemplars }) =>
      exemplars.map(({ labels, value }) => [seriesLabels.le, labels.trace_id, Number(value)]),
    )
    expect(found.sort()).toEqual([
      ['1', 't0.5', 0.5],
      ['1', 't0.75', 0.75],
      ['5', 't3', 3],
    ])
    await writer.close()
  })

  it('takes native histograms, and their end', async (context) => {
    requireProgram('prometheus', context)
    const prometheus = await startPrometheus('--enable-feature=native-histograms')
    const registry = new Registry()
    const latency = new Histogram({ name: 'latency_seconds', help: 'h', native: { factor: 1.1 }, registry })
    const values = Array.from({ length: 2_000 }, (_, index) =>
      index % 200 === 0 ? 0 : Math.exp((index - 1_000) / 200),
    )
    for (const value of values) latency.observe(value)
    for (const value of [-1, -2, -3]) latency.observe(value)
    const writer = new RemoteWriter({ url: prometheus.writeUrl, registry, nativeHistograms: true })
    await writer.flush()
    expect(await queryOne(prometheus, 'histogram_count(latency_seconds)')).toBe(2_003)
    const sum = values.reduce((total, value) => total + value, 0) - 6
    expect(await queryOne(prometheus, 'histogram_sum(latency_seconds)')).toBeCloseTo(sum, 6)
    expect(await queryOne(prometheus, 'histogram_fraction(-Inf, -0.5, latency_seconds)')).toBeCloseTo(3 / 2_003, 9)
    expect(await queryOne(prometheus, 'histogram_fraction(-Inf, 0.005, latency_seconds)')).toBeCloseTo(13 / 2_003, 9)
    const exact = values.toSorted((one, other) => one - other)[Math.floor(0.9 * 2_000)]
    const estimate = await queryOne(prometheus, 'histogram_quantile(0.9, latency_seconds)')
    expect(Math.abs(Math.log(estimate / exact))).toBeLessThan(Math.log(1.1))
    expect(await query(prometheus, 'latency_seconds_bucket')).toHaveLength(0)
    await sleep(5)
    await writer.close()
    expect(await query(prometheus, 'latency_seconds')).toHaveLength(0)
  })
})

function numberText(value: number): string {
  return Object.is(value, -0) ? '0' : String(value)
}

async function metricOf(writer: RemoteWriter, name: string): Promise<number> {
  let sum = 0
  for await (const family of writer.collect() as AsyncIterable<Parameters<typeof samplesOf>[0]>) {
    for (const sample of samplesOf(family)) if (sample.name === name) sum += sample.value
  }
  return sum
}

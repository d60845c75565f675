import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import {
  type Collector,
  Counter,
  Enum,
  Gauge,
  GaugeHistogramMetricFamily,
  GaugeMetricFamily,
  Histogram,
  Info,
  Registry,
  StateSetMetricFamily,
  Summary,
  UnknownMetricFamily,
} from '@narthex/core'
import { Exporter } from '@narthex/core/exporter'
import { instrumentFetch, instrumentServer, startMetricsServer } from '@narthex/core/http'

/** Milliseconds between two changes of the metrics. */
const INTERVAL = 100

/** A page with metrics of every type and with awkward ones, that change all the time. */
export interface EveryType {
  readonly url: string
  stop(): Promise<void>
}

/** Starts it, with HTTP in OpenTelemetry's names, calls to others, an exporter of which a part fails, and losses. */
export async function startEveryType(): Promise<EveryType> {
  const registry = new Registry()
  const change = metricsOf(registry)
  registry.register(awkwardFamilies())
  registry.register(printerExporter())
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/broken' ? 500 : 200
    response.end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const instrumented = instrumentServer(server, { registry, naming: 'otel' })
  const calls = instrumentFetch({ registry })
  const shop = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const timer = setInterval(() => {
    change()
    for (const path of ['/', '/broken']) void fetch(`${shop}${path}`).then((answer) => answer.text())
  }, INTERVAL)
  const page = await startMetricsServer({ port: 0, host: '127.0.0.1', registry })
  return {
    url: page.url,
    async stop() {
      clearInterval(timer)
      instrumented.stop()
      calls.stop()
      server.close()
      server.closeAllConnections()
      await page.close()
    },
  }
}

/** Makes a metric of every class and more, and gives what changes them. */
function metricsOf(registry: Registry): () => void {
  const help = 'What it is.'
  const plain = new Counter({ name: 'plain', help, registry })
  const bare = new Counter({ name: 'bare', help, totalSuffix: false, registry })
  const sent = new Counter({ name: 'sent_bytes', help, labelNames: ['job', 'instance'], registry })
  const many = new Counter({ name: 'many', help, labelNames: ['kind', 'id'], registry })
  const crowded = new Counter({ name: 'crowded', help, labelNames: ['id'], maxSeries: 2, registry })
  const temperature = new Gauge({ name: 'outside_celsius', help, registry })
  const success = new Gauge({ name: 'backup_last_success_unixtime', help, registry })
  const crowd = new Gauge({ name: 'crowd', help, labelNames: ['id'], registry })
  const dotted = new Gauge({ name: 'room.temperature', help, labelNames: ['room.name'], registry })
  const classic = new Histogram({ name: 'classic_seconds', help, labelNames: ['kind'], registry })
  const native = new Histogram({ name: 'native_seconds', help, native: { factor: 1.1 }, registry })
  const both = new Histogram({ name: 'both_seconds', help, native: { factor: 1.1 }, buckets: [0.1, 1], registry })
  const summary = new Summary({ name: 'summary_seconds', help, quantiles: [0.5, 0.99], registry })
  const meanOnly = new Summary({ name: 'mean_bytes', help, quantiles: [], registry })
  new Info({ name: 'build', help, registry }).info({ version: '1.2.3' })
  const door = new Enum({ name: 'door', help, labelNames: ['place'], states: ['open', 'shut'], registry })
  let turn = 0
  return () => {
    turn += 1
    plain.inc()
    bare.inc()
    sent.inc({ job: 'mine', instance: 'this' }, 1_000)
    for (let id = 0; id < 30; id++) {
      many.inc({ kind: id % 2 === 0 ? 'even' : 'odd', id })
      crowded.inc({ id })
      crowd.set({ id }, id)
    }
    temperature.set(-4)
    success.setToCurrentTime()
    dotted.set({ 'room.name': 'kitchen' }, 20)
    classic.observe({ kind: 'a' }, Math.random())
    for (const metric of [native, both, summary, meanOnly]) metric.observe(Math.random())
    door.state({ place: 'front' }, turn % 20 < 10 ? 'open' : 'shut')
  }
}

/** What only custom collectors yield. */
function awkwardFamilies(): Collector {
  const help = 'What it is.'
  return {
    name: 'awkward',
    collect: () => [
      new GaugeHistogramMetricFamily({ name: 'queued_bytes', help }).add([], {
        sum: 50,
        buckets: [
          { le: 10, count: 2 },
          { le: 100, count: 3 },
        ],
      }),
      new StateSetMetricFamily({ name: 'feature', help }).add([], { a: true, b: true, c: false }),
      new UnknownMetricFamily({ name: 'whatever', help, value: 3 }),
    ],
  }
}

/** An exporter that reaches its printer, of whose collectors one fails. */
function printerExporter(): Exporter {
  return new Exporter({
    name: 'printer',
    check: () => true,
    onError: () => {},
    collectors: [
      {
        name: 'paper',
        collect: () => [new GaugeMetricFamily({ name: 'printer_sheets', help: 'Paper left', value: 7 })],
      },
      {
        name: 'ink',
        collect() {
          throw new Error('no ink')
        },
      },
    ],
  })
}

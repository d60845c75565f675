import { type Collector, type MetricFamily, Registry } from '@narthex/core'
import { startMetricsServer } from '@narthex/core/http'
import { parseText } from '@narthex/core/parse'

/** Exposes the page of another endpoint again, each series with more labels. */
class Bridge implements Collector {
  readonly name: string
  readonly #url: string
  readonly #labels: { readonly [name: string]: string }

  constructor(url: string, labels: { readonly [name: string]: string }) {
    this.name = url
    this.#url = url
    this.#labels = labels
  }

  async collect(): Promise<MetricFamily[]> {
    const response = await fetch(this.#url, { headers: { Accept: 'text/plain;version=0.0.4' } })
    if (!response.ok) throw new Error(`${this.#url} answered ${response.status}`)
    return parseText(await response.text()).map((family) => this.#withLabels(family))
  }

  #withLabels(family: MetricFamily): MetricFamily {
    const series = [...family.series].map((one) => ({ ...one, labels: { ...one.labels, ...this.#labels } }))
    return { ...family, series } as MetricFamily
  }
}

const url = process.argv[2] ?? 'http://localhost:3000/metrics'
const registry = new Registry()
registry.register(new Bridge(url, { site: process.argv[3] ?? 'berlin' }))

const server = await startMetricsServer({ port: Number(process.env['PORT'] ?? 8003), registry })
console.log(`${url} again, with labels: ${server.url}`)

if (process.env['ONCE'] !== undefined) {
  console.log(await registry.metrics())
  await server.close()
}

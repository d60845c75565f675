import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Collector, CounterMetricFamily, GaugeMetricFamily, type MetricFamily, Registry } from '@narthex/core'
import { startMetricsServer } from '@narthex/core/http'

/** Numbers that live elsewhere, read when somebody asks: what a folder holds now. */
class FolderCollector implements Collector {
  readonly name = 'folder'
  readonly #folder: string
  #scrapes = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  async collect(): Promise<MetricFamily[]> {
    const bytes = new GaugeMetricFamily({ name: 'folder_file_bytes', help: 'Size of a file', labelNames: ['file'] })
    for (const entry of await readdir(this.#folder, { withFileTypes: true })) {
      if (entry.isFile()) bytes.add([entry.name], (await stat(join(this.#folder, entry.name))).size)
    }
    const scrapes = new CounterMetricFamily({
      name: 'folder_scrapes',
      help: 'How often the folder was read',
      value: ++this.#scrapes,
    })
    return [bytes, scrapes]
  }
}

const registry = new Registry()
registry.register(new FolderCollector(process.env['FOLDER'] ?? '.'))

const server = await startMetricsServer({ port: Number(process.env['PORT'] ?? 8001), registry })
console.log(`Metrics: ${server.url}`)

if (process.env['ONCE'] !== undefined) {
  console.log(await registry.metrics())
  await server.close()
}

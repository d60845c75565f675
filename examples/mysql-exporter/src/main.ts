import { parseArgs } from 'node:util'
import { Registry } from '@narthex/core'
import { startMetricsServer } from '@narthex/core/http'
import { Database } from './database.ts'
import { LocalMariadb } from './local-mariadb.ts'
import { mysqlExporter } from './mysql-exporter.ts'

const { values } = parseArgs({ options: { port: { type: 'string', default: '9104' } } })

const url = process.env['MYSQL_URL']
const local = url === undefined ? await startLocal() : undefined
const database = new Database(url ?? { socketPath: local?.socket, user: 'root' })

const registry = new Registry()
registry.register(mysqlExporter(database))
const server = await startMetricsServer({ port: Number(values.port), registry, title: 'MySQL exporter' })
console.log(`Metrics: ${server.url}`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await server.close()
    await database.close().catch(() => {})
    await local?.[Symbol.asyncDispose]()
  })
}

async function startLocal(): Promise<LocalMariadb> {
  console.log('There is no MYSQL_URL: starting a MariaDB in a temporary folder …')
  try {
    return await LocalMariadb.start()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    console.error('There is no MariaDB on the PATH either: set MYSQL_URL=mysql://user:password@host:3306')
    process.exit(1)
  }
}

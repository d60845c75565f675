import { GaugeMetricFamily } from '@narthex/core'
import type { ExporterCollector } from '@narthex/core/exporter'
import type { Database, Row } from './database.ts'

/** The statements that servers of different makes and ages know; the last one is known to all but the newest MySQL. */
const STATEMENTS = ['SHOW ALL REPLICAS STATUS', 'SHOW REPLICA STATUS', 'SHOW SLAVE STATUS']

/** Replication, where this server is a replica: nothing where it is not. */
export function replicationCollector(database: Database): ExporterCollector {
  let known: string | undefined
  return {
    name: 'replication',
    async collect({ signal }) {
      const labelNames = ['source', 'connection']
      const family = (name: string, help: string): GaugeMetricFamily =>
        new GaugeMetricFamily({ name: `mysql_replication_${name}`, help, labelNames })
      const reads = family('io_running', 'Whether changes are read from the source')
      const applies = family('sql_running', 'Whether changes that were read are applied')
      const lag = family('lag_seconds', 'How far behind its source the replica is')
      known ??= await firstKnown(database, signal)
      for (const row of await database.query(known, signal)) {
        const of = (...names: string[]): Row[string] =>
          names.map((name) => row[name]).find((value) => value !== undefined) ?? null
        const host = `${of('Source_Host', 'Master_Host')}:${of('Source_Port', 'Master_Port')}`
        const labels = [host, String(of('Connection_name', 'Channel_Name') ?? '')]
        reads.add(labels, Number(of('Replica_IO_Running', 'Slave_IO_Running') === 'Yes'))
        applies.add(labels, Number(of('Replica_SQL_Running', 'Slave_SQL_Running') === 'Yes'))
        const seconds = of('Seconds_Behind_Source', 'Seconds_Behind_Master')
        // NULL where it does not know: no line rather than a 0 that looks like good news.
        if (seconds !== null) lag.add(labels, Number(seconds))
      }
      return [reads, applies, lag].filter(({ series }) => series.length > 0)
    },
  }
}

async function firstKnown(database: Database, signal: AbortSignal): Promise<string> {
  for (const statement of STATEMENTS) {
    try {
      await database.query(statement, signal)
      return statement
    } catch (error) {
      if ((error as { code?: string }).code !== 'ER_PARSE_ERROR') throw error
    }
  }
  throw new Error('The server knows no statement that shows the status of replication')
}

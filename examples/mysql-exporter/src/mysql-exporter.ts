import { type CollectContext, Exporter, type ExporterCollector } from '@narthex/core/exporter'
import type { Database } from './database.ts'
import { innodbCollector } from './innodb.ts'
import { replicationCollector } from './replication.ts'
import { statementsCollector } from './statements.ts'
import { statusCollector } from './status.ts'
import { tablesCollector } from './tables.ts'

export interface MysqlExporterOptions {
  /**
   * Milliseconds from one count of the tables' rows to the next: it is the one query that grows with the schema.
   * @default 60_000
   */
  readonly tablesInterval?: number
  /**
   * Milliseconds for all others: a second Prometheus does not make a second query.
   * @default 1_000
   */
  readonly minInterval?: number
  /**
   * Milliseconds that a scrape may take.
   * @default 4_000
   */
  readonly timeout?: number
}

/** Everything that is to be known of one server. */
export function mysqlExporter(database: Database, options: MysqlExporterOptions = {}): Exporter {
  const { tablesInterval = 60_000, minInterval = 1_000, timeout } = options
  const collectors: ExporterCollector[] = [
    statusCollector(database),
    statementsCollector(database),
    innodbCollector(database),
    replicationCollector(database),
    { ...tablesCollector(database), minInterval: tablesInterval },
  ]
  const check = ({ signal }: CollectContext): Promise<unknown> => database.query('SELECT 1', signal)
  return new Exporter({ name: 'mysql', minInterval, timeout, collectors, check })
}

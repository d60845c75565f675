import { CounterMetricFamily, GaugeMetricFamily, type MetricFamily } from '@narthex/core'
import type { ExporterCollector } from '@narthex/core/exporter'
import type { Database } from './database.ts'

/** InnoDB's memory, the buffer pool, and its disk. */
export function innodbCollector(database: Database): ExporterCollector {
  return {
    name: 'innodb',
    async collect({ signal }) {
      const status = await database.numbers(`SHOW GLOBAL STATUS LIKE 'Innodb\\_%'`, signal)
      const pageSize = status.get('Innodb_page_size')
      if (pageSize === undefined) return []
      const read = (variable: string): number => status.get(`Innodb_${variable}`) ?? Number.NaN
      const pool = new GaugeMetricFamily({
        name: 'mysql_innodb_buffer_pool_bytes',
        help: 'Memory of the buffer pool, by what is in it',
        labelNames: ['state'],
      })
      const dirty = read('buffer_pool_pages_dirty')
      pool.add(['clean'], (read('buffer_pool_pages_data') - dirty) * pageSize)
      pool.add(['dirty'], dirty * pageSize)
      pool.add(['free'], read('buffer_pool_pages_free') * pageSize)
      pool.add(['misc'], read('buffer_pool_pages_misc') * pageSize)
      const counter = (name: string, help: string, value: number): CounterMetricFamily =>
        new CounterMetricFamily({ name: `mysql_innodb_${name}`, help, value })
      const families: MetricFamily[] = [
        pool,
        counter('buffer_pool_read_requests', 'Pages asked of the buffer pool', read('buffer_pool_read_requests')),
        counter('buffer_pool_reads', 'Pages that the buffer pool had to read from disk', read('buffer_pool_reads')),
        counter('read_bytes', 'Bytes read from disk', read('data_read')),
        counter('written_bytes', 'Bytes written to disk', read('data_written')),
        counter('fsyncs', 'Calls of fsync', read('data_fsyncs')),
        ...(await fileSizes(database, signal)),
      ]
      return families
    },
  }
}

/** MariaDB and MySQL have the same numbers in tables of different names. */
async function fileSizes(database: Database, signal: AbortSignal): Promise<MetricFamily[]> {
  const [found] = await database.query(
    `SELECT TABLE_NAME AS name FROM information_schema.TABLES
     WHERE TABLE_SCHEMA = 'information_schema' AND TABLE_NAME IN ('INNODB_TABLESPACES', 'INNODB_SYS_TABLESPACES')`,
    signal,
  )
  if (found === undefined) return []
  const [row] = await database.query(`SELECT SUM(FILE_SIZE) AS bytes FROM information_schema.${found.name}`, signal)
  const value = Number(row?.bytes)
  return [new GaugeMetricFamily({ name: 'mysql_innodb_files_bytes', help: 'Size of the tablespaces on disk', value })]
}

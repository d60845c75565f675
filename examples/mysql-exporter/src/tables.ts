import { GaugeMetricFamily } from '@narthex/core'
import type { ExporterCollector } from '@narthex/core/exporter'
import type { Database } from './database.ts'

const TABLES = `
  SELECT TABLE_SCHEMA AS \`schema\`, TABLE_NAME AS name, TABLE_ROWS AS count,
    DATA_LENGTH AS data, INDEX_LENGTH AS indexes
  FROM information_schema.TABLES
  WHERE TABLE_TYPE = 'BASE TABLE'
    AND TABLE_SCHEMA NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')`

/** Rows and bytes of each table. InnoDB estimates both. */
export function tablesCollector(database: Database): ExporterCollector {
  return {
    name: 'tables',
    async collect({ signal }) {
      const rows = new GaugeMetricFamily({
        name: 'mysql_table_rows',
        help: 'Rows of a table, as its storage engine estimates them',
        labelNames: ['schema', 'table'],
      })
      const bytes = new GaugeMetricFamily({
        name: 'mysql_table_bytes',
        help: 'Size of a table on disk, by part',
        labelNames: ['schema', 'table', 'part'],
      })
      for (const { schema, name, count, data, indexes } of await database.query(TABLES, signal)) {
        const labels = [String(schema), String(name)]
        rows.add(labels, Number(count))
        bytes.add([...labels, 'data'], Number(data)).add([...labels, 'index'], Number(indexes))
      }
      return [rows, bytes]
    },
  }
}

import { SummaryMetricFamily } from '@narthex/core'
import type { ExporterCollector } from '@narthex/core/exporter'
import type { Database } from './database.ts'

/** How many statements of each kind there were, and the time they took. */
const STATEMENTS = `
  SELECT EVENT_NAME AS name, COUNT_STAR AS count, SUM_TIMER_WAIT AS picoseconds
  FROM performance_schema.events_statements_summary_global_by_event_name
  WHERE COUNT_STAR > 0 AND EVENT_NAME LIKE 'statement/sql/%'`

/** The time of statements. Nothing where the performance schema is off, as it is by default in MariaDB. */
export function statementsCollector(database: Database): ExporterCollector {
  return {
    name: 'statements',
    async collect({ signal }) {
      const duration = new SummaryMetricFamily({
        name: 'mysql_statement_duration_seconds',
        help: 'Time to execute statements, by their kind',
        labelNames: ['statement'],
      })
      for (const { name, count, picoseconds } of await database.query(STATEMENTS, signal)) {
        const statement = String(name).slice('statement/sql/'.length)
        duration.add([statement], { count: Number(count), sum: Number(picoseconds) / 1e12 })
      }
      return [duration]
    },
  }
}

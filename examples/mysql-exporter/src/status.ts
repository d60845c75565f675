import { CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, type MetricFamily } from '@narthex/core'
import type { ExporterCollector } from '@narthex/core/exporter'
import type { Database } from './database.ts'

/** Queries, connections and threads: SHOW GLOBAL STATUS and a few variables. */
export function statusCollector(database: Database): ExporterCollector {
  return {
    name: 'status',
    async collect({ signal }) {
      const status = await database.numbers('SHOW GLOBAL STATUS', signal)
      const [server] = await database.query('SELECT @@version AS version, @@max_connections AS connections', signal)
      const counter = (name: string, help: string, variable: string): CounterMetricFamily[] => {
        const value = status.get(variable)
        return value === undefined ? [] : [new CounterMetricFamily({ name, help, value })]
      }
      const threads = new GaugeMetricFamily({
        name: 'mysql_threads',
        help: 'Threads, by what they do',
        labelNames: ['state'],
      })
      for (const state of ['connected', 'running', 'cached']) {
        const value = status.get(`Threads_${state}`)
        if (value !== undefined) threads.add([state], value)
      }
      const commands = new CounterMetricFamily({
        name: 'mysql_commands',
        help: 'Statements executed, by command',
        labelNames: ['command'],
      })
      for (const [name, value] of status) {
        if (name.startsWith('Com_') && value > 0) commands.add([name.slice('Com_'.length)], value)
      }
      const families: MetricFamily[] = [
        new InfoMetricFamily({ name: 'mysql_server', help: 'The server' }).add([], {
          version: String(server?.version),
        }),
        new GaugeMetricFamily({
          name: 'mysql_uptime_seconds',
          help: 'Time since it started',
          value: status.get('Uptime'),
        }),
        ...counter('mysql_queries', 'Statements executed, those in stored programs included', 'Queries'),
        ...counter('mysql_slow_queries', 'Statements that took longer than long_query_time', 'Slow_queries'),
        ...counter('mysql_connections', 'Attempts to connect', 'Connections'),
        ...counter('mysql_aborted_connects', 'Attempts to connect that failed', 'Aborted_connects'),
        ...counter('mysql_aborted_clients', 'Connections whose client went away without closing', 'Aborted_clients'),
        ...counter('mysql_received_bytes', 'Bytes from clients', 'Bytes_received'),
        ...counter('mysql_sent_bytes', 'Bytes to clients', 'Bytes_sent'),
        new GaugeMetricFamily({
          name: 'mysql_max_connections',
          help: 'Connections that it takes at once',
          value: Number(server?.connections),
        }),
        threads,
        commands,
      ]
      return families
    },
  }
}

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Registry } from '@narthex/core'
import { expectNoLintProblems, getSampleValue } from '@narthex/core/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { requireProgram } from '../../../packages/core/test/program.ts'
import { Database } from '../src/database.ts'
import { LocalMariadb } from '../src/local-mariadb.ts'
import { mysqlExporter, type MysqlExporterOptions } from '../src/mysql-exporter.ts'

const COLLECTORS = ['status', 'statements', 'innodb', 'replication', 'tables']
/** What README.md tells to grant. */
const GRANTS = [
  `CREATE USER exporter IDENTIFIED BY 'fennel' WITH MAX_USER_CONNECTIONS 5`,
  'GRANT PROCESS, REPLICA MONITOR, SELECT ON *.* TO exporter',
]

let mariadb: LocalMariadb

beforeAll(async () => {
  const started = await startedWherePossible(['--log-bin', '--server-id=1', '--max-connections=50'])
  if (started === undefined) return
  mariadb = started
  await mariadb.run(...GRANTS, 'CREATE DATABASE shop', 'CREATE TABLE shop.books (isbn INT PRIMARY KEY, title TEXT)')
  await mariadb.run('INSERT INTO shop.books SELECT seq, "x" FROM shop.seq_1_to_1000', 'ANALYZE TABLE shop.books')
}, 180_000)

afterAll(() => mariadb?.[Symbol.asyncDispose]())

beforeEach((context) => {
  requireProgram('mariadbd', context)
  requireProgram('mariadb-install-db', context)
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
})

describe('the exporter of a MariaDB that is well', () => {
  it('shows it up, every collector successful, and a page that lint has nothing to say of', async () => {
    const registry = exported()
    const page = await registry.metrics()
    expect(getSampleValue(page, 'mysql_up')).toBe(1)
    for (const collector of COLLECTORS) {
      expect([collector, getSampleValue(page, 'mysql_collector_success', { collector })]).toEqual([collector, 1])
    }
    expect(page).toMatch(/^mysql_server_info\{version="\d+\.\d+\.\d+-MariaDB/m)
    await expectNoLintProblems(registry)
  })

  it('counts what was executed, and its time', async () => {
    const registry = exported()
    const read = async (name: string, labels = {}): Promise<number> =>
      getSampleValue(await registry.metrics(), name, labels) ?? 0
    const selects = { statement: 'select' }
    const before = await Promise.all([
      read('mysql_commands_total', { command: 'select' }),
      read('mysql_statement_duration_seconds_count', selects),
      read('mysql_statement_duration_seconds_sum', selects),
      read('mysql_queries_total'),
    ])
    await mariadb.run(...Array.from({ length: 20 }, () => 'SELECT SLEEP(0.02)'))
    // The server adds a connection's statements to the sums when it has wound the connection up.
    await expect
      .poll(() => read('mysql_statement_duration_seconds_count', selects), { interval: 100 })
      .toBeGreaterThanOrEqual((before[1] ?? 0) + 20)
    const after = await Promise.all([
      read('mysql_commands_total', { command: 'select' }),
      read('mysql_statement_duration_seconds_count', selects),
      read('mysql_statement_duration_seconds_sum', selects),
      read('mysql_queries_total'),
    ])
    const [commands = 0, statements = 0, seconds = 0, queries = 0] = after.map(
      (value, index) => value - (before[index] ?? 0),
    )
    expect(commands).toBeGreaterThanOrEqual(20)
    expect(statements).toBeGreaterThanOrEqual(20)
    expect(seconds).toBeGreaterThanOrEqual(0.4)
    expect(queries).toBeGreaterThanOrEqual(20)
  })

  it('shows connections and threads, rows and bytes of tables, memory and disk of InnoDB', async () => {
    const page = await exported().metrics()
    const value = (name: string, labels = {}): number => getSampleValue(page, name, labels) ?? Number.NaN
    expect(value('mysql_connections_total')).toBeGreaterThan(0)
    expect(value('mysql_max_connections')).toBe(50)
    expect(value('mysql_threads', { state: 'connected' })).toBeGreaterThan(0)
    expect(value('mysql_threads', { state: 'running' })).toBeGreaterThan(0)
    expect(value('mysql_table_rows', { schema: 'shop', table: 'books' })).toBe(1_000)
    expect(value('mysql_table_bytes', { schema: 'shop', table: 'books', part: 'data' })).toBeGreaterThan(10_000)
    const pool = ['clean', 'dirty', 'free', 'misc'].map((state) => value('mysql_innodb_buffer_pool_bytes', { state }))
    const sum = pool.reduce((total, bytes) => total + bytes)
    expect(sum).toBeGreaterThan(14 * 2 ** 20)
    expect(sum).toBeLessThanOrEqual(16 * 2 ** 20)
    expect(value('mysql_innodb_written_bytes_total')).toBeGreaterThan(0)
    expect(value('mysql_innodb_files_bytes')).toBeGreaterThan(1_000_000)
    expect(page).not.toContain('mysql_replication')
  })

  it('asks once for several scrapes within a second', async () => {
    const registry = exported({ minInterval: 60_000, tablesInterval: 60_000 })
    const pages = [await registry.metrics(), await registry.metrics(), await registry.metrics()]
    expect(new Set(pages).size).toBe(1)
  })

  it('shows what it may see where it may not see all', async () => {
    await mariadb.run(`CREATE USER guest IDENTIFIED BY 'guest'`)
    const page = await exported({}, 'mysql://guest:guest@').metrics()
    expect(getSampleValue(page, 'mysql_up')).toBe(1)
    expect(getSampleValue(page, 'mysql_collector_success', { collector: 'status' })).toBe(1)
    expect(getSampleValue(page, 'mysql_collector_success', { collector: 'replication' })).toBe(0)
    expect(getSampleValue(page, 'mysql_connections_total')).toBeGreaterThan(0)
  })
})

describe('replication', () => {
  it('is shown by a replica, and that it has stopped', { timeout: 180_000 }, async () => {
    const replica = await LocalMariadb.start(['--server-id=2'])
    onTestFinished(() => replica[Symbol.asyncDispose]())
    await mariadb.run(`CREATE USER replica IDENTIFIED BY 'replica'`, 'GRANT REPLICATION SLAVE ON *.* TO replica')
    await replica.run(
      `CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=${mariadb.port}, MASTER_USER='replica',
       MASTER_PASSWORD='replica', MASTER_USE_GTID=slave_pos`,
      'START SLAVE',
    )
    const registry = exportedFrom(new Database({ socketPath: replica.socket, user: 'root' }))
    const of = { source: `127.0.0.1:${mariadb.port}` }
    const read = async (name: string): Promise<number | undefined> => getSampleValue(await registry.metrics(), name, of)
    await expect.poll(() => read('mysql_replication_io_running')).toBe(1)
    await expect.poll(() => read('mysql_replication_lag_seconds')).toBe(0)
    expect(await read('mysql_replication_sql_running')).toBe(1)
    const books = { schema: 'shop', table: 'books' }
    const rows = async (): Promise<number | undefined> =>
      getSampleValue(await registry.metrics(), 'mysql_table_rows', books)
    await expect.poll(rows).toBeGreaterThan(900)
    await replica.run('STOP SLAVE')
    expect(await read('mysql_replication_io_running')).toBe(0)
    expect(await read('mysql_replication_lag_seconds')).toBe(undefined)
  })
})

describe('a MariaDB that is not well', () => {
  it('is down when it is gone, and up again by itself', { timeout: 180_000 }, async () => {
    const registry = exported()
    const up = async (): Promise<number | undefined> => getSampleValue(await registry.metrics(), 'mysql_up')
    expect(await up()).toBe(1)
    await mariadb.signal('SIGKILL')
    const page = await registry.metrics()
    expect(getSampleValue(page, 'mysql_up')).toBe(0)
    for (const collector of COLLECTORS) expect(getSampleValue(page, 'mysql_collector_success', { collector })).toBe(0)
    expect(page).not.toContain('mysql_queries_total')
    await mariadb.restart()
    expect(await up()).toBe(1)
    expect(await registry.metrics()).toContain('mysql_queries_total ')
  })

  it('is down while it hangs, with a page in bounded time, and up again by itself', { timeout: 180_000 }, async () => {
    const registry = exported({ timeout: 500 })
    const up = async (): Promise<number | undefined> => getSampleValue(await registry.metrics(), 'mysql_up')
    // The first scrape connects, for which a slow machine needs more than that.
    await expect.poll(up, { interval: 100 }).toBe(1)
    await mariadb.signal('SIGSTOP')
    try {
      // A signal has been sent before it has stopped every thread.
      await expect.poll(up, { interval: 100 }).toBe(0)
      expect(await up()).toBe(0)
    } finally {
      await mariadb.signal('SIGCONT')
    }
    await expect.poll(up, { interval: 100 }).toBe(1)
  })

  it('takes no connection more: the exporter stays within its own', async () => {
    const registry = exported()
    for (let round = 0; round < 5; round++) await Promise.all([registry.metrics(), registry.metrics()])
    const page = await registry.metrics()
    expect(getSampleValue(page, 'mysql_up')).toBe(1)
    for (const collector of COLLECTORS) expect(getSampleValue(page, 'mysql_collector_success', { collector })).toBe(1)
  })

  it('is down for who has the wrong password', async () => {
    const page = await exported({}, 'mysql://exporter:wrong@').metrics()
    expect(getSampleValue(page, 'mysql_up')).toBe(0)
  })
})

it(
  'the program serves its page with a MariaDB of its own, and ends when it is asked to',
  { timeout: 180_000 },
  async () => {
    const folder = fileURLToPath(new URL('..', import.meta.url))
    const tsc = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url))
    execFileSync(process.execPath, [tsc, '-b', folder], { stdio: 'inherit' })
    const { MYSQL_URL: _, ...env } = process.env
    const child = spawn(process.execPath, ['dist/main.js', '--port', '0'], { cwd: folder, env })
    onTestFinished(() => void child.kill('SIGKILL'))
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    await expect.poll(() => output, { timeout: 120_000 }).toMatch(/^Metrics: http/m)
    const page = await (await fetch(/^Metrics: (.*)$/m.exec(output)?.[1] ?? '')).text()
    expect(getSampleValue(page, 'mysql_up')).toBe(1)
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  },
)

/** Where the programs are not there, each test says so by itself. */
async function startedWherePossible(options: readonly string[]): Promise<LocalMariadb | undefined> {
  try {
    return await LocalMariadb.start(options)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function exported(options: MysqlExporterOptions = {}, login = 'mysql://exporter:fennel@'): Registry {
  return exportedFrom(new Database(`${login}127.0.0.1:${mariadb.port}`), options)
}

function exportedFrom(database: Database, options: MysqlExporterOptions = {}): Registry {
  const registry = new Registry()
  registry.register(mysqlExporter(database, { minInterval: 0, tablesInterval: 0, ...options }))
  onTestFinished(() => database.close().catch(() => {}))
  return registry
}

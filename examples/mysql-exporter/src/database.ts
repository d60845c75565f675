import { createPool, type Pool, type PoolOptions } from 'mysql2/promise'

/** A row as text and numbers, by column. */
export type Row = Readonly<Record<string, string | number | null>>

/** Milliseconds in which the server must have taken a connection. */
const CONNECT_TIMEOUT = 3_000

/** A few connections, made when they are needed: one that is lost is replaced by the next query. */
export class Database {
  readonly #pool: Pool

  /** A URL, `mysql://exporter:password@db1:3306`, or the options of mysql2. */
  constructor(where: string | PoolOptions) {
    const options = typeof where === 'string' ? { uri: where } : where
    this.#pool = createPool({ connectionLimit: 4, connectTimeout: CONNECT_TIMEOUT, ...options })
  }

  /** Rejects where the server refuses or is not there. The signal ends the query's connection with the query. */
  async query(sql: string, signal: AbortSignal): Promise<Row[]> {
    const connection = await this.#pool.getConnection()
    const cut = (): void => connection.destroy()
    signal.addEventListener('abort', cut, { once: true })
    try {
      signal.throwIfAborted()
      const [rows] = await connection.query(sql)
      return rows as Row[]
    } finally {
      signal.removeEventListener('abort', cut)
      // One that is lost already has left the pool by itself.
      if (signal.aborted) connection.destroy()
      else connection.release()
    }
  }

  /** The rows of a query with two columns as numbers by name; values that are no numbers are left out. */
  async numbers(sql: string, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>()
    for (const row of await this.query(sql, signal)) {
      const [name, value] = Object.values(row)
      if (value !== '' && value !== null && Number.isFinite(Number(value))) found.set(String(name), Number(value))
    }
    return found
  }

  close(): Promise<void> {
    return this.#pool.end()
  }
}

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createConnection } from 'mysql2/promise'

/** Milliseconds to start. */
const PATIENCE = 60_000
/** mariadbd refuses to run as root: the user `nobody` of every Unix. */
const NOBODY = 65_534

/** A MariaDB of our own: its data is in a folder that goes when it ends. Takes `mariadbd` on the PATH. */
export class LocalMariadb implements AsyncDisposable {
  readonly port: number
  readonly #folder: string
  readonly #arguments: readonly string[]
  #process: ChildProcess | undefined = undefined

  private constructor(folder: string, port: number, options: readonly string[]) {
    this.#folder = folder
    this.port = port
    this.#arguments = [
      '--no-defaults',
      `--datadir=${join(folder, 'data')}`,
      `--socket=${this.socket}`,
      `--pid-file=${join(folder, 'pid')}`,
      `--log-error=${this.#log}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      '--innodb-buffer-pool-size=16M',
      '--performance-schema=ON',
      ...options,
    ]
  }

  /** Resolves when it answers. `options` are those of `mariadbd`. */
  static async start(options: readonly string[] = []): Promise<LocalMariadb> {
    const folder = await mkdtemp(join(tmpdir(), 'narthex-mariadb-'))
    if (process.getuid?.() === 0) await chown(folder, NOBODY, NOBODY)
    let mariadb: LocalMariadb | undefined
    try {
      const install = ['--no-defaults', `--datadir=${join(folder, 'data')}`, '--auth-root-authentication-method=normal']
      await promisify(execFile)('mariadb-install-db', [...install, '--skip-test-db'], unprivileged(folder))
      // Chosen at the last moment: another program may have it a moment later.
      mariadb = new LocalMariadb(folder, await freePort(), options)
      await mariadb.restart()
      return mariadb
    } catch (error) {
      await mariadb?.signal('SIGKILL')
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  /** The Unix socket on which `root` needs no password. */
  get socket(): string {
    return join(this.#folder, 'socket')
  }

  get #log(): string {
    return join(this.#folder, 'log')
  }

  /** Starts it, again after a `signal` that ended it. */
  async restart(): Promise<void> {
    this.#process = spawn('mariadbd', this.#arguments, { ...unprivileged(this.#folder), stdio: 'ignore' })
    await once(this.#process, 'spawn')
    for (const start = performance.now(); ; await sleep(100)) {
      if (await this.#answers()) return
      if (!this.#isRunning || performance.now() - start > PATIENCE) {
        throw new Error(`MariaDB did not start:\n${await readFile(this.#log, 'utf8').catch(() => '')}`)
      }
    }
  }

  /** Executes statements as `root`, one after the other. */
  async run(...statements: string[]): Promise<void> {
    const connection = await createConnection({ socketPath: this.socket, user: 'root' })
    try {
      for (const statement of statements) await connection.query(statement)
    } finally {
      connection.destroy()
    }
  }

  /** Holds it, as a machine that swaps does, until `SIGCONT`; or ends it at once with `SIGKILL`. */
  async signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process
    if (child === undefined || !this.#isRunning) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    if (signal === 'SIGKILL' || signal === 'SIGTERM') await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.signal('SIGKILL')
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #answers(): Promise<boolean> {
    try {
      await this.run('SELECT 1')
      return true
    } catch {
      return false
    }
  }

  get #isRunning(): boolean {
    const child = this.#process
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null
  }
}

function unprivileged(cwd: string): { cwd: string; uid?: number; gid?: number } {
  return process.getuid?.() === 0 ? { cwd, uid: NOBODY, gid: NOBODY } : { cwd }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

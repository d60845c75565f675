import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'

export interface PrometheusOptions {
  /** Host and port of what it scrapes: `localhost:3000`. */
  readonly target: string
  /**
   * Where it listens; taken ports are passed over.
   * @default 9090
   */
  readonly port?: number
  /**
   * Experimental features to switch on: `native-histograms`, `exemplar-storage`. The first makes it ask for protobuf.
   * @default []
   */
  readonly features?: readonly string[]
}

/** Milliseconds that it may take to start, and to stop before it is killed. */
const PATIENCE = 30_000

export const HOW_TO_GET_PROMETHEUS = `There is no \`prometheus\` on the PATH. To get one:
  Debian, Ubuntu  apt install prometheus
  macOS           brew install prometheus
  anywhere        https://prometheus.io/download/`

/** A Prometheus server of our own: its configuration and data are in a folder that goes when it stops. */
export class Prometheus {
  /** `http://localhost:9090` */
  readonly url: string
  readonly #process: ChildProcess
  readonly #folder: string

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url
    this.#process = child
    this.#folder = folder
  }

  /** Resolves when it answers, with undefined where no such program is on the PATH. Rejects where it does not start. */
  static async start({
    target,
    port: wanted = 9090,
    features = [],
  }: PrometheusOptions): Promise<Prometheus | undefined> {
    const port = await freePort('127.0.0.1', wanted, true)
    const folder = await mkdtemp(join(tmpdir(), 'bookshop-prometheus-'))
    const configFile = join(folder, 'prometheus.yml')
    await writeFile(configFile, configurationFor(target))
    const child = spawn(
      'prometheus',
      [
        `--config.file=${configFile}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=error',
        ...(features.length > 0 ? [`--enable-feature=${features.join(',')}`] : []),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const prometheus = new Prometheus(`http://localhost:${port}`, child, folder)
    try {
      if (!(await isSpawned(child))) {
        await prometheus.stop()
        return undefined
      }
      await prometheus.#ready(`http://127.0.0.1:${port}/-/ready`)
      return prometheus
    } catch (error) {
      await prometheus.stop()
      throw error
    }
  }

  /** The link to a graph of the last minutes. */
  graph(expression: string): string {
    const query = new URLSearchParams({ 'g0.expr': expression, 'g0.tab': '0', 'g0.range_input': '5m' })
    return `${this.url}/graph?${query}`
  }

  /** Stops it and removes its folder. */
  async stop(): Promise<void> {
    if (isRunning(this.#process)) {
      const exited = new Promise((resolve) => this.#process.once('exit', resolve))
      this.#process.kill('SIGTERM')
      const force = setTimeout(() => this.#process.kill('SIGKILL'), PATIENCE)
      await exited
      clearTimeout(force)
    }
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #ready(url: string): Promise<void> {
    let complaint = ''
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      // The first lines tell what is wrong; a server that complains for hours must not fill the memory.
      if (complaint.length < 2_000) complaint += text
    })
    for (const start = performance.now(); performance.now() - start < PATIENCE; await sleep(100)) {
      if (!isRunning(this.#process)) throw new Error(`Prometheus ended at once.\n${complaint.trim()}`)
      if (await isReady(url)) return
    }
    throw new Error(`Prometheus was not ready within ${PATIENCE / 1_000} s.\n${complaint.trim()}`)
  }
}

function configurationFor(target: string): string {
  return `global:
  scrape_interval: 1s
scrape_configs:
  - job_name: bookshop
    static_configs:
      - targets: ['${target}']
`
}

/** False where there is no such program. */
function isSpawned(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(true))
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(false)
      else reject(error)
    })
  })
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1_000) })).ok
  } catch {
    return false
  }
}

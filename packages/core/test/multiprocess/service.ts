import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bundled } from '../push/built-program.ts'

/** One process, or thread, of a service: it answers at a port of its own. */
export interface Place {
  readonly name: string
  readonly pid: number
  readonly port: number
}

export interface Answer {
  readonly status: number
  readonly body: string
}

/** `programs/service.mjs` in all of its processes. */
export class Service {
  readonly folder: string
  readonly program: string
  readonly #agent = new Agent({ keepAlive: true })
  readonly #gone = new Set<string>()

  /** Prepares a service in a folder of its caller's. */
  constructor(folder: string) {
    this.folder = folder
    mkdirSync(this.placesFolder)
    this.program = bundled(new URL('programs/service.mjs', import.meta.url), folder)
  }

  get placesFolder(): string {
    return join(this.folder, 'places')
  }

  /** What its processes are given: the environment of this one without what Vitest adds. */
  environment(more: Record<string, string>): NodeJS.ProcessEnv {
    const { NODE_OPTIONS: _, VITEST: __, NARTHEX_MULTIPROCESS_DIR: ___, ...env } = process.env
    return { ...env, PLACES: this.placesFolder, ...more }
  }

  /** Starts it; gives what ends it, with all that it has started. */
  start(
    mode: string,
    processes: number,
    more: Record<string, string> = {},
  ): { readonly pid: number; stop(): Promise<void> } {
    const child = spawn(process.execPath, [this.program], {
      env: this.environment({ MODE: mode, PROCESSES: String(processes), ...more }),
      stdio: ['pipe', 'inherit', 'inherit'],
    })
    const exited = once(child, 'exit')
    const stop = async (): Promise<void> => {
      child.stdin.end()
      child.kill('SIGTERM')
      const late = sleep(10_000, undefined, { ref: false }).then(() => child.kill('SIGKILL'))
      await Promise.race([exited, late])
      this.killAll()
      await exited
      this.#agent.destroy()
    }
    return { pid: child.pid as number, stop }
  }

  /** Ends all processes that have ever told their place, also those that are stopped. */
  killAll(): void {
    for (const { pid } of this.#allPlaces()) if (pid !== process.pid) kill(pid, 'SIGKILL')
  }

  /** Those that run and answer. */
  places(): Place[] {
    return this.#allPlaces().filter(({ name, pid }) => !this.#gone.has(name) && kill(pid, 0))
  }

  async placesOnce(count: number, milliseconds = 60_000): Promise<Place[]> {
    for (const start = performance.now(); performance.now() - start < milliseconds; await sleep(20)) {
      const places = this.places()
      if (places.length === count) return places
    }
    throw new Error(`There were never ${count} processes, but ${this.places().length}.`)
  }

  /** Says that a process is, or is about to be, no more. */
  forget(place: Place): void {
    this.#gone.add(place.name)
  }

  /** Asks for a path; rejects where no whole answer came. */
  ask(port: number, path: string, milliseconds = 30_000): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path, agent: this.#agent, timeout: milliseconds }
      const request = get(options, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text: string) => (body += text))
        response.once('error', reject)
        response.once('end', () => resolve({ status: response.statusCode ?? 0, body }))
      })
      request.once('timeout', () => request.destroy(new Error(`no answer within ${milliseconds} ms`)))
      request.once('error', reject)
    })
  }

  #allPlaces(): Place[] {
    const files = readdirSync(this.placesFolder).filter((file) => file.endsWith('.json'))
    return files.map((name) => {
      const told = JSON.parse(readFileSync(join(this.placesFolder, name), 'utf8')) as Omit<Place, 'name'>
      return { ...told, name }
    })
  }
}

/** Sends a signal; false where nobody is there. 0 only asks. */
export function kill(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

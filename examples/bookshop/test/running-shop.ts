import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { until } from '../../../test/until.ts'

const folder = fileURLToPath(new URL('..', import.meta.url))
const tsc = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url))

/** What a program left behind. */
export interface Ended {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/** One line of the table at the end. */
export interface TableLine {
  readonly route: string
  readonly sent: number
  readonly counted: number
}

/** Builds the program, which takes a moment only where something has changed. */
export function buildShop(): void {
  execFileSync(process.execPath, [tsc, '-b', folder], { stdio: 'inherit' })
}

/** The bookshop as a user runs it, in a process of its own. */
export class RunningShop {
  readonly #child: ChildProcess
  output = ''
  #errors = ''

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.#child = spawn(process.execPath, ['dist/main.js', ...args], { cwd: folder, env, timeout: 100_000 })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.output += text))
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#errors += text))
  }

  /** Resolves when the text was printed. */
  async printed(text: string): Promise<void> {
    await until(`the shop prints \`${text}\``, () => this.output.includes(text) || this.#child.exitCode !== null)
    if (!this.output.includes(text)) throw new Error(`The shop has ended:\n${this.output}${this.#errors}`)
  }

  /** The routes on its page, as its tables name them, with how often each was counted. */
  async counted(): Promise<Map<string, number>> {
    const page = await (await fetch(metricsUrlIn(this.output))).text()
    const counted = new Map<string, number>()
    for (const [, method, route, count] of page.matchAll(
      /^http_requests_total\{method="(.+?)",route="(.+?)",.*\} (\d+)$/gm,
    )) {
      const name = `${method} ${route}`
      counted.set(name, (counted.get(name) ?? 0) + Number(count))
    }
    return counted
  }

  interrupt(): void {
    this.#child.kill('SIGINT')
  }

  /** Resolves when the program has ended by itself. */
  async ended(): Promise<Ended> {
    const [code] = (await once(this.#child, 'close')) as [number | null]
    return { code, output: this.output, errors: this.#errors }
  }
}

/** The URL in the first line of the output. */
export function metricsUrlIn(output: string): string {
  return /^Metrics +(\S+)\n/.exec(output)?.[1] ?? ''
}

/** The lines of the table at the end, without its headings. */
export function finalTableIn(output: string): TableLine[] {
  const lines = output.slice(output.lastIndexOf('\nROUTE')).split('\n')
  const matches = lines.map((line) => /^(\S.*?) {2,}([\d,]+) +([\d,]+) /.exec(line)).filter((match) => match !== null)
  return matches.map(([, route, sent, counted]) => ({
    route: String(route),
    sent: numberIn(sent),
    counted: numberIn(counted),
  }))
}

function numberIn(text: string | undefined): number {
  return Number(text?.replaceAll(',', ''))
}

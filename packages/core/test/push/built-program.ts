import { execFileSync, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const core = fileURLToPath(new URL('../..', import.meta.url))
const tsc = fileURLToPath(new URL('../../../../node_modules/typescript/bin/tsc', import.meta.url))

/** Builds the package, for programs that run outside of the tests; a moment only where nothing has changed. */
export function buildCore(): void {
  execFileSync(process.execPath, [tsc, '-b', core], { stdio: 'inherit' })
}

/** How a program ended. */
export interface Ended {
  /** Null where it did not end by itself. */
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/** Runs a JavaScript file in a Node of its own, stopped by force after half a minute. */
export function runBuilt(file: URL, args: readonly string[] = [], nodeFlags: readonly string[] = []): Promise<Ended> {
  const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env
  const child = spawn(process.execPath, [...nodeFlags, fileURLToPath(file), ...args], {
    env,
    timeout: 30_000,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output, errors }))
  })
}

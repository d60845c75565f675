import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

/** How a program ended. */
export interface Ended {
  /** Null where it did not end by itself. */
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/**
 * Runs a JavaScript file in a Node of its own, stopped by force after a minute. What it imports of this package is
 * bundled from the sources: no build is needed, and none that runs meanwhile is in the way.
 */
export async function runBuilt(
  file: URL,
  args: readonly string[] = [],
  nodeFlags: readonly string[] = [],
): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), 'narthex-program-'))
  try {
    return await run([...nodeFlags, bundled(file, folder), ...args])
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The path of a program that stands alone, in a folder that its caller removes. */
export function bundled(file: URL, folder: string): string {
  const outfile = join(folder, 'program.mjs')
  buildSync({
    entryPoints: [fileURLToPath(file)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    conditions: ['@narthex/source'],
    logLevel: 'error',
  })
  return outfile
}

function run(command: readonly string[]): Promise<Ended> {
  const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env
  const child = spawn(process.execPath, command, {
    env,
    timeout: 60_000,
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

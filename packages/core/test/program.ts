import { execFileSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import type { TestContext } from 'vitest'

/**
 * For tests that need a program of the system: goes on where it is on the PATH. Where it is not, the test is skipped
 * with the program's name, which `npm test` repeats in its closing lines; under `CI=true` it fails instead.
 */
export function requireProgram(program: string, context: TestContext): void {
  if (isOnPath(program)) return
  const missing = `\`${program}\` is not on the PATH`
  if (process.env['CI'] === 'true') throw new Error(`${missing}: under CI=true no test goes without it`)
  skipForWantOf(program, missing, context)
}

/** Skips a test, and has `npm test` name it and what it lacks in its closing lines. */
export function skipForWantOf(program: string, reason: string, context: TestContext): void {
  const log = process.env['NARTHEX_SKIPPED_LOG']
  if (log !== undefined) appendFileSync(log, `${JSON.stringify({ program, test: context.task.name })}\n`)
  context.skip(reason)
}

const found = new Map<string, boolean>()

function isOnPath(program: string): boolean {
  let known = found.get(program)
  if (known === undefined) {
    try {
      execFileSync(process.platform === 'win32' ? 'where' : 'which', [program], { stdio: 'ignore' })
      known = true
    } catch {
      known = false
    }
    found.set(program, known)
  }
  return known
}

import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'vitest'
import { skipForWantOf } from './program.ts'

const FOLDER =
  process.env['NARTHEX_CONFORMANCE_DIR'] ?? fileURLToPath(new URL('../../../../shared/conformance', import.meta.url))

/** The cases of one file of the official projects' data; skips the test, by the file's name, where there is none. */
export function conformanceCases<Case>(file: string, context: TestContext): readonly Case[] {
  const location = path.join(FOLDER, file)
  if (!existsSync(location)) {
    const reason = `no conformance data at hand: ${file}`
    // It lies beside the project, and CI may have none: no error there, as a program would be.
    if (process.env['CI'] === 'true') context.skip(reason)
    skipForWantOf('NARTHEX_CONFORMANCE_DIR', reason, context)
  }
  return (JSON.parse(readFileSync(location, 'utf8')) as { cases: Case[] }).cases
}

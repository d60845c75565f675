import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'vitest'

const FOLDER =
  process.env['NARTHEX_CONFORMANCE_DIR'] ?? fileURLToPath(new URL('../../../../shared/conformance', import.meta.url))

/** The cases of one file of the official projects' data; skips the test, by the file's name, where there is none. */
export function conformanceCases<Case>(file: string, context: TestContext): readonly Case[] {
  const location = path.join(FOLDER, file)
  if (!existsSync(location)) context.skip(`no conformance data at hand: ${file}`)
  return (JSON.parse(readFileSync(location, 'utf8')) as { cases: Case[] }).cases
}

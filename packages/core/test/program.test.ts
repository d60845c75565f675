import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished, type TestContext, vi } from 'vitest'
import { requireProgram } from './program.ts'

const MISSING = 'narthex-program-that-is-not-there'

/** A context that notes what it is skipped for, as vitest's ends the test there. */
function contextOf(): { context: TestContext; skipped: unknown[] } {
  const skipped: unknown[] = []
  const context = { task: { name: 'asks the program' }, skip: (note: unknown) => void skipped.push(note) }
  return { context: context as unknown as TestContext, skipped }
}

function withEnvironment(values: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(values)) vi.stubEnv(name, value)
  onTestFinished(() => void vi.unstubAllEnvs())
}

it('goes on where the program is there', () => {
  const { context, skipped } = contextOf()
  requireProgram('node', context)
  expect(skipped).toEqual([])
})

it('skips the test with the name of the program, and notes it for the closing lines of `npm test`', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'narthex-program-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const log = path.join(folder, 'skipped.jsonl')
  withEnvironment({ CI: undefined, NARTHEX_SKIPPED_LOG: log })
  const { context, skipped } = contextOf()
  requireProgram(MISSING, context)
  expect(skipped).toEqual([`\`${MISSING}\` is not on the PATH`])
  expect(readFileSync(log, 'utf8')).toBe(`{"program":"${MISSING}","test":"asks the program"}\n`)
})

it('fails the test under CI=true', () => {
  withEnvironment({ CI: 'true' })
  const { context, skipped } = contextOf()
  expect(() => requireProgram(MISSING, context)).toThrow(`\`${MISSING}\` is not on the PATH`)
  expect(skipped).toEqual([])
})

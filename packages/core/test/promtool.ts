import { spawnSync } from 'node:child_process'
import { expect, type TestContext } from 'vitest'
import { requireProgram } from './program.ts'

/** Expects that `promtool check metrics` reads a text page to its end and has nothing to say of it. */
export function expectPromtoolAccepts(page: string, context: TestContext): void {
  requireProgram('promtool', context)
  const { status, stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' })
  expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: '', stdout: '' })
}

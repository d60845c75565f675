import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { requireProgram } from '../../../packages/core/test/program.ts'

const folder = fileURLToPath(new URL('..', import.meta.url))

async function promtool(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('promtool', args, { cwd: folder })
  return stdout
}

describe('The rules', () => {
  it('are read by Prometheus, with the configuration', async (context) => {
    requireProgram('promtool', context)
    expect(await promtool('check', 'config', 'prometheus.yml')).toContain('3 rule files found')
    const files = ['http', 'node', 'targets'].map((name) => `rules/${name}.rules.yml`)
    await promtool('check', 'rules', '--lint=all', '--lint-fatal', ...files)
  })

  it('alert when they should, and only then', async (context) => {
    requireProgram('promtool', context)
    expect(await promtool('test', 'rules', 'rules/rules.test.yml')).toContain('SUCCESS')
  })
})

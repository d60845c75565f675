import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { requireProgram } from '../packages/core/test/program.ts'
import { codeBlocks } from './code-blocks.ts'

const docs = fileURLToPath(new URL('../docs', import.meta.url))

/** What a block of YAML is for Prometheus, by its keys; `undefined` for what is Grafana's. */
function kindOf(code: string): 'config' | 'rules' | 'tests' | undefined {
  if (/^tests:/m.test(code)) return 'tests'
  if (/^groups:/m.test(code)) return 'rules'
  return /^scrape_configs:/m.test(code) ? 'config' : undefined
}

const pages = readdirSync(docs, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.md'))
  .map((name) => {
    const blocks = codeBlocks(readFileSync(path.join(docs, name), 'utf8'), name, ['yaml'])
    return {
      name,
      blocks: blocks.map(({ code }) => ({ code, kind: kindOf(code) })).filter(({ kind }) => kind !== undefined),
    }
  })
  .filter(({ blocks }) => blocks.length > 0)

async function promtool(folder: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)('promtool', args, { cwd: folder })
  return stdout + stderr
}

describe('configuration and rules in the documentation', () => {
  it('are found', () => {
    const kinds = pages.flatMap(({ blocks }) => blocks.map(({ kind }) => kind))
    expect(new Set(kinds)).toEqual(new Set(['config', 'rules', 'tests']))
  })

  it.for(pages)('$name: Prometheus takes them, and their tests pass', async ({ blocks }, context) => {
    requireProgram('promtool', context)
    const folder = await mkdtemp(path.join(os.tmpdir(), 'narthex-docs-'))
    try {
      for (const { code, kind } of blocks) {
        // A test names its rules by the file that the page speaks of: those of the block before.
        const file = kind === 'rules' ? 'shop.rules.yml' : `${kind}.yml`
        await writeFile(path.join(folder, file), code)
        const verbs = kind === 'tests' ? ['test', 'rules'] : ['check', kind as string]
        expect(await promtool(folder, ...verbs, file)).toContain('SUCCESS')
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

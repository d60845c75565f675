import { describe, expect, it } from 'vitest'
import { runBuilt } from '../push/built-program.ts'

describe('garbage collections', () => {
  it.each<[string, string[]]>([
    ['as this Node collects', []],
    ['with a small young generation', ['--max-semi-space-size=1']],
    ['without incremental marking', ['--no-incremental-marking']],
  ])('are as many as --trace-gc prints, %s', async (_, flags) => {
    const program = new URL('programs/garbage.mjs', import.meta.url)
    const { code, output } = await runBuilt(program, [], ['--trace-gc', '--expose-gc', ...flags])
    expect(code).toBe(0)
    const counts = JSON.parse(/^\{.*\}$/m.exec(output)?.[0] ?? '{}') as object
    // From Node 26 on, a major one whose marking was done in steps begins with `Incremental`.
    const lines = output.split('\n').filter((line) => / ms: (Incremental )?(Scavenge|Minor|Mark)/.test(line))
    // What was before the first `gc()` of the program, and in the last, it does not count. One call is two collections
    // where marking is under way.
    const asked = lines.map((line) => / ms: Mark.*testing/.test(line))
    const first = asked.indexOf(false, asked.indexOf(true))
    const counted = lines.slice(first, asked.lastIndexOf(false) + 1)
    const minor = counted.filter((line) => / ms: (Scavenge|Minor)/.test(line)).length
    const printed = { minor, major: counted.length - minor }
    expect(counts).toMatchObject(printed)
    expect(printed.minor).toBeGreaterThan(2)
    expect(printed.major).toBeGreaterThan(0)
  })
})

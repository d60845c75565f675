import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeBlocks, type Run, runProgram } from './code-blocks.ts'
import { freePort } from './free-port.ts'

describe('blocks of code in Markdown', () => {
  it('are found with their line, language and words, outside and inside of lists', () => {
    const markdown = 'a\n```ts\nlet a\n```\n- b\n  ```js prints done now\n  let b\n    let c\n  ```\n```sh\nls\n```\n'
    expect(codeBlocks(markdown, 'a.md', ['ts', 'js'])).toEqual([
      { file: 'a.md', line: 2, language: 'ts', run: { kind: 'ends' }, code: 'let a\n' },
      {
        file: 'a.md',
        line: 6,
        language: 'js',
        run: { kind: 'prints', argument: 'done now' },
        code: 'let b\n  let c\n',
      },
    ])
  })

  it('end at a fence of their own kind', () => {
    const [block, ...others] = codeBlocks('````ts\n```\nlet a\n```\n````\n~~~sh\n```ts\n~~~\n', 'a.md', ['ts'])
    expect(block.code).toBe('```\nlet a\n```\n')
    expect(others).toEqual([])
  })

  it.each(['runs', 'no-run', 'serves'])('are refused with the words `%s`', (words) => {
    expect(() => codeBlocks(`\`\`\`ts ${words}\n\`\`\``, 'a.md', ['ts'])).toThrow('a.md:1')
  })
})

describe('the program of a block', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'narthex-blocks-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  async function run(code: string, how: Run, milliseconds = 50_000): Promise<string> {
    await writeFile(path.join(folder, 'program.mjs'), code)
    return runProgram('program.mjs', how, { cwd: folder, milliseconds })
  }

  it('ends by itself', async () => {
    expect(await run('console.log(1)', { kind: 'ends' })).toBe('1\n')
  })

  it('fails when it throws, with what it printed', async () => {
    await expect(run(`console.log('a'); throw new Error('b')`, { kind: 'ends' })).rejects.toThrow(
      /ended with 1; .*\na\n.*b/s,
    )
  })

  it('fails when it does not end', async () => {
    await expect(run('setInterval(() => {}, 1000)', { kind: 'ends' }, 500)).rejects.toThrow('not done after 500 ms')
  })

  it('is stopped after it printed what it should', async () => {
    const forever = `setInterval(() => {}, 1000); console.log('ready')`
    expect(await run(forever, { kind: 'prints', argument: 'ready' })).toBe('ready\n')
  })

  it('is stopped after it served what it should', async () => {
    const port = await freePort()
    const code = `import http from 'node:http'; http.createServer((_, response) => response.end('a')).listen(${port})`
    expect(await run(code, { kind: 'serves', argument: `http://localhost:${port}/` })).toBe('')
  })

  it('fails when it ends before it served or printed', async () => {
    await expect(run('', { kind: 'prints', argument: 'a' })).rejects.toThrow('ended by itself')
  })
})

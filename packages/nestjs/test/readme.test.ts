import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeBlocks } from '../../../test/code-blocks.ts'
import { freePort } from '../../../test/free-port.ts'

const home = fileURLToPath(new URL('..', import.meta.url))
const root = path.resolve(home, '..', '..')
const folder = path.join(home, 'temp', 'readme')
const documents = ['packages/nestjs/README.md', 'docs/migrating/nestjs-prometheus.md']

const blocks = (
  await Promise.all(
    documents.map(async (file) => codeBlocks(await readFile(path.join(root, file), 'utf8'), file, ['ts'])),
  )
).flat()

/** Programs with decorators in the form that Nest knows, which the documentation's own test does not compile. */
describe('the documented programs', () => {
  beforeAll(async () => {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    await writeFile(
      path.join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: '../../tsconfig.test.json', include: ['.'] }),
    )
    for (const [index, { code }] of blocks.entries()) {
      await writeFile(fileOf(index), code.replaceAll('3000', String(await freePort())))
    }
  })

  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('are all there, and give this test as the reason not to be run elsewhere', () => {
    expect(blocks.length).toBeGreaterThan(4)
    for (const { run } of blocks)
      expect(run).toMatchObject({ kind: 'no-run', argument: expect.stringContaining('readme.test.ts') })
  })

  it('compile', async () => {
    const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const diagnostics = await new Promise<string>((resolve) => {
      execFile(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], { cwd: root }, (_, stdout) =>
        resolve(stdout),
      )
    })
    const own = diagnostics.split('\n').filter((line) => line.includes('temp/readme'))
    expect(own).toEqual([])
  }, 60_000)

  it.each(blocks.map(({ file, line }, index) => [`${file}:${line}`, index] as const))('%s runs', async (_, index) => {
    await import(/* @vite-ignore */ pathToFileURL(fileOf(index)).href)
    const port = /listen\((\d+)\)/.exec(await readFile(fileOf(index), 'utf8'))?.[1]
    // Those that end close their application themselves.
    if (port === undefined || blocks[index]?.code.includes('.close()')) return
    expect(await (await fetch(`http://localhost:${port}/cats/7`)).text()).toBe('a cat')
    const page = await (await fetch(`http://localhost:${port}/metrics`)).text()
    expect(page).toContain('http_requests_total{method="GET",route="/cats/:id",code="200"} 1')
  })
})

function fileOf(index: number): string {
  return path.join(folder, `block-${index}.ts`)
}

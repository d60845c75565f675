import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { type CodeBlock, codeBlocks, runProgram } from './code-blocks.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = path.join(root, '.cache', 'docs')
/** By the language of a block: the ending of its file, and of what the compiler makes of it. */
const ENDINGS: Record<string, [source: string, built: string]> = {
  ts: ['.ts', '.js'],
  js: ['.js', '.js'],
  mts: ['.mts', '.mjs'],
  mjs: ['.mjs', '.mjs'],
  cts: ['.cts', '.cjs'],
  cjs: ['.cjs', '.cjs'],
}

const blocks = documents().flatMap((file) =>
  codeBlocks(readFileSync(path.join(root, file), 'utf8'), file, Object.keys(ENDINGS)),
)
const programs = blocks.filter(({ run }) => run.kind !== 'no-run')

describe.runIf(programs.length > 0)('programs in the documentation compile and run', () => {
  let diagnostics: string[]

  beforeAll(async () => {
    await build()
    await layOut()
    const typed = programs.some(({ language }) => language.endsWith('ts'))
    diagnostics = typed ? (await compiler('-p', folder)).split('\n').filter((line) => line !== '') : []
    for (const block of programs.filter(({ language }) => !language.endsWith('ts'))) {
      await write(path.join('built', fileOf(block, 1)), block.code)
    }
  }, 240_000)

  it('fails to compile nowhere but in a block', () => {
    const files = programs.map((block) => path.posix.join('blocks', fileOf(block, 0)))
    expect(diagnostics.filter((line) => !/^\s/.test(line) && !files.some((file) => line.includes(file)))).toEqual([])
  })

  // One after another: programs of the documentation have fixed ports.
  it.each(programs.map((block) => [`${block.file}:${block.line}`, block] as const))('%s', async (_, block) => {
    const source = path.posix.join('blocks', fileOf(block, 0))
    expect(diagnostics.filter((line) => line.includes(source))).toEqual([])
    await runProgram(path.join('built', fileOf(block, 1)), block.run, { cwd: folder, milliseconds: 50_000 })
  })
})

it('every Markdown file is read', () => {
  expect(documents().map((file) => path.basename(file))).toEqual(expect.arrayContaining(['CONTRIBUTING.md']))
})

function documents(): string[] {
  const named = ['README.md', 'CONTRIBUTING.md', ...markdownIn('docs')]
  for (const name of readdirSync(path.join(root, 'packages')))
    named.push(path.posix.join('packages', name, 'README.md'))
  return named.filter((file) => existsSync(path.join(root, file)))
}

function markdownIn(directory: string): string[] {
  const names = existsSync(path.join(root, directory))
    ? readdirSync(path.join(root, directory), { recursive: true })
    : []
  return names.map((name) => path.posix.join(directory, String(name))).filter((name) => name.endsWith('.md'))
}

function fileOf({ file, line, language }: CodeBlock, index: 0 | 1): string {
  return `${file.replaceAll(/[/.]/g, '-')}-${line}${ENDINGS[language][index]}`
}

/** Programs run against the built packages, as those of users do. */
async function build(): Promise<void> {
  const errors = await compiler('-b')
  if (errors !== '') throw new Error(`The packages do not build:\n${errors}`)
}

/** A folder that sees every package of the workspace and what those depend on, with one file a block. */
async function layOut(): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  for (const [name, target] of installed()) {
    const link = path.join(folder, 'node_modules', name)
    await mkdir(path.dirname(link), { recursive: true })
    await symlink(target, link, 'junction')
  }
  for (const block of programs) await write(path.join('blocks', fileOf(block, 0)), block.code)
  await write('package.json', JSON.stringify({ type: 'module' }))
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2024', 'ESNext.Disposable', 'ESNext.Decorators', 'DOM', 'DOM.Iterable'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    skipLibCheck: true,
    sourceMap: true,
    rootDir: 'blocks',
    outDir: 'built',
  }
  const files = programs.filter(({ language }) => language.endsWith('ts')).map((block) => `blocks/${fileOf(block, 0)}`)
  await write('tsconfig.json', JSON.stringify({ compilerOptions, files }))
}

function installed(): Map<string, string> {
  const found = new Map<string, string>([['@types/node', path.join(root, 'node_modules', '@types', 'node')]])
  for (const home of [...foldersIn('packages'), ...foldersIn('examples')]) {
    const { name, dependencies, devDependencies } = JSON.parse(readFileSync(path.join(home, 'package.json'), 'utf8'))
    found.set(name, home)
    for (const dependency of Object.keys({ ...dependencies, ...devDependencies })) {
      const target = path.join(home, 'node_modules', dependency)
      if (!found.has(dependency) && existsSync(target)) found.set(dependency, target)
    }
  }
  return found
}

function foldersIn(group: string): string[] {
  if (!existsSync(path.join(root, group))) return []
  const folders = readdirSync(path.join(root, group)).map((name) => path.join(root, group, name))
  return folders.filter((home) => existsSync(path.join(home, 'package.json')))
}

async function write(file: string, content: string): Promise<void> {
  await mkdir(path.dirname(path.join(folder, file)), { recursive: true })
  await writeFile(path.join(folder, file), content)
}

function compiler(...args: string[]): Promise<string> {
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  return new Promise((resolve) =>
    execFile(process.execPath, [tsc, ...args, '--pretty', 'false'], { cwd: root }, (_, stdout) => resolve(stdout)),
  )
}

/**
 * Checks the packages as users get them: packs each, lints the tarballs with publint and attw, then installs them into
 * a project outside the workspace, where programs import them, require them and check their types.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { entryPoints, publishedPackages } from './packages.mjs'
import { fail, pnpm, root, run, runBin } from './setup.mjs'

const packages = publishedPackages()
const specifiers = packages.flatMap((published) => entryPoints(published).map(({ specifier }) => specifier))
const folder = mkdtempSync(path.join(os.tmpdir(), 'narthex-packages-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const tarballs = packages.map(pack)
for (const tarball of tarballs) {
  const file = path.basename(tarball)
  step(`files of ${file}`, checkFiles(tarball))
  step(`publint ${file}`, runBin('publint', 'publint', ['run', tarball, '--strict'], { stdio: 'pipe' }))
  const attw = [tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-emoji', '--no-color']
  step(`attw ${file}`, runBin('@arethetypeswrong/cli', 'attw', attw, { stdio: 'pipe' }))
}

const consumer = path.join(folder, 'consumer')
installConsumer()
step('import from an ES module', run(process.execPath, ['imports.mjs'], { cwd: consumer }))
step('require from CommonJS', run(process.execPath, ['requires.cjs'], { cwd: consumer }))
step('the command, with nothing else installed', tryCommand())
for (const project of ['tsconfig.node.json', 'tsconfig.bundler.json']) {
  const tsc = path.join(consumer, 'node_modules', 'typescript', 'bin', 'tsc')
  step(`types, ${project}`, typeErrors([tsc, '--noEmit', '--pretty', 'false', '-p', project]))
}

/** The tarball of core alone, as npx runs it, makes a dashboard of a page. */
function tryCommand() {
  const lone = path.join(folder, 'lone')
  mkdirSync(lone)
  writeFileSync(path.join(lone, 'package.json'), '{ "private": true }')
  writeFileSync(path.join(lone, 'page.prom'), '# TYPE jobs_total counter\njobs_total 1\n')
  const core = tarballs[packages.findIndex(({ name }) => name === '@narthex/core')]
  const shell = process.platform === 'win32'
  const npm = ['install', '--no-audit', '--no-fund', '--offline', '--loglevel=error', core]
  if (run('npm', npm, { cwd: lone, shell, stdio: 'pipe' }) !== 0) return 1
  return run('npx', ['--no-install', 'narthex', 'dashboard', 'page.prom'], { cwd: lone, shell, stdio: 'pipe' })
}

/** Checks the types of our packages, and of all that they show, but for errors that lie within others' own files. */
function typeErrors(args) {
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: consumer, encoding: 'utf8' })
  if (status === 0) return 0
  const lines = stdout.split('\n').filter((line) => line !== '' && !/^node_modules\/(?!@narthex\/)/.test(line))
  console.log(lines.join('\n'))
  return lines.length === 0 ? 0 : 1
}

function pack({ name, folder: packageFolder }) {
  const destination = path.join(folder, name.replace('/', '-'))
  mkdirSync(destination)
  const { status, stdout, stderr } = pnpm(['pack', '--pack-destination', destination], { cwd: packageFolder })
  if (status !== 0) fail(`${name} cannot be packed: ${stdout}${stderr}`)
  return path.join(destination, readdirSync(destination)[0])
}

/** What a user needs is there, and nothing that is only of use here. */
function checkFiles(tarball) {
  const { stdout } = spawnSync('tar', ['-tzf', tarball], { encoding: 'utf8' })
  const files = stdout.split('\n').map((name) => name.replace('package/', ''))
  const lacking = ['LICENSE', 'README.md', 'package.json', 'dist/index.js'].filter((name) => !files.includes(name))
  const idle = files.filter((name) => /tsbuildinfo|^(test|temp|node_modules)\b/.test(name))
  for (const name of lacking) console.error(`${name} is lacking`)
  for (const name of idle) console.error(`${name} is of no use to users`)
  return lacking.length + idle.length
}

/** A project with the tarballs and their peers from the registry, as a user would have them. */
function installConsumer() {
  const { devDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
  const dependencies = { typescript: devDependencies.typescript, '@types/node': devDependencies['@types/node'] }
  for (const { manifest } of packages) {
    for (const peer of Object.keys(manifest.peerDependencies ?? {})) {
      for (const name of [peer, `@types/${peer}`]) {
        const version = manifest.devDependencies?.[name]
        if (version !== undefined && !version.startsWith('workspace:')) dependencies[name] = version
      }
    }
  }
  packages.forEach(({ name }, index) => (dependencies[name] = `file:${tarballs[index]}`))

  mkdirSync(consumer)
  write('package.json', JSON.stringify({ name: 'consumer', private: true, dependencies }))
  const imports = specifiers.map((specifier, index) => `import * as m${index} from '${specifier}'`)
  const list = `[${specifiers.map((_, index) => `m${index}`).join(', ')}]`
  const check = `for (const exports of ${list}) if (Object.keys(exports).length === 0) throw new Error('no exports')\n`
  write('imports.mjs', `${imports.join('\n')}\n${check}`)
  // One instance for both ways in: two would split the default registry.
  const requires = specifiers.map(
    (name) =>
      `import('${name}').then((m) => {
  for (const key of Object.keys(m)) if (m[key] !== require('${name}')[key]) throw new Error('${name} is there twice')
})`,
  )
  write('requires.cjs', `${requires.join('\n')}\n`)
  write('types.mts', `${imports.join('\n')}\nexport const all = ${list}\n`)
  write('types.cts', `${imports.join('\n')}\nexport const all = ${list}\n`)
  const options = {
    strict: true,
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Disposable', 'ESNext.Decorators', 'DOM', 'DOM.Iterable'],
    types: ['node'],
  }
  const node = { ...options, module: 'NodeNext', moduleResolution: 'NodeNext' }
  const bundler = { ...options, module: 'ESNext', moduleResolution: 'Bundler' }
  write('tsconfig.node.json', JSON.stringify({ compilerOptions: node, files: ['types.mts', 'types.cts'] }))
  write('tsconfig.bundler.json', JSON.stringify({ compilerOptions: bundler, files: ['types.mts'] }))
  const npm = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
  step('npm install of the tarballs', run('npm', npm, { cwd: consumer, shell: process.platform === 'win32' }))
}

function write(file, content) {
  writeFileSync(path.join(consumer, file), content)
}

function step(name, code) {
  console.log(`${code === 0 ? '✓' : '✗'} ${name}`)
  if (code !== 0) process.exitCode = 1
}

/**
 * What `npm start`, `npm test` and `npm run bench` need first: the dependencies as the lock file has them, and a build.
 * Both are skipped as far as they are up to date. Runs by itself too: `node scripts/setup.mjs`.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the workspace. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

const stamp = path.join(root, 'node_modules', '.cache', 'narthex-installed')

/** npm's settings that say where packages come from and how to get there: pnpm reads them too. */
const KEPT_SETTINGS =
  /^npm_config_(registry|userconfig|cache|(https?[-_])?proxy|no_?proxy|ca|cafile|cert|key|strict[-_]ssl|.*:.*)$/i

/** Installs and builds what is out of date. Ends the process with one line where that fails. */
export function setUp() {
  checkNode()
  install()
  build()
}

/** Runs a program of the workspace's own dependencies with Node itself, and gives its exit code. */
export function runBin(packageName, binary, args, options) {
  const folder = path.join(root, 'node_modules', packageName)
  const { bin } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
  const file = path.join(folder, typeof bin === 'string' ? bin : bin[binary])
  return run(process.execPath, [file].concat(args), options)
}

/**
 * Runs a program to its end in the workspace's folder and gives its exit code. It shows on this terminal; with
 * `stdio: 'pipe'` only if it fails.
 */
export function run(program, args, options) {
  const result = spawnSync(program, args, Object.assign({ cwd: root, stdio: 'inherit', encoding: 'utf8' }, options))
  if (result.error) fail(`${program} cannot be run: ${result.error.message}`)
  if (result.status !== 0) process.stderr.write(`${result.stdout || ''}${result.stderr || ''}`)
  return result.status === null ? 1 : result.status
}

/** Ends the process with a line that says why. */
export function fail(reason) {
  console.error(`narthex: ${reason}`)
  process.exit(1)
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const enough = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22
  if (!enough) fail(`this takes Node 20.19 or newer (of 22: 22.12), and here is ${process.versions.node}.`)
}

/** Runs the pnpm that package.json pins, quietly, and gives what spawnSync gives. */
export function pnpm(args, options) {
  const defaults = { cwd: root, env: environmentForPnpm(), encoding: 'utf8', shell: process.platform === 'win32' }
  return spawnSync('npx', ['--yes', pinnedPnpm()].concat(args), Object.assign(defaults, options))
}

function install() {
  const packageManager = pinnedPnpm()
  const wanted = createHash('sha256')
    .update(packageManager)
    .update(readFileSync(path.join(root, 'pnpm-lock.yaml')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return

  const started = Date.now()
  console.log(`Installing the dependencies with ${packageManager} …`)
  rmSync(stamp, { force: true })
  const args = ['install', '--frozen-lockfile', '--prod=false', '--reporter=append-only']
  const { status, stdout, stderr, error } = pnpm(args)
  if (error || status !== 0) {
    process.stderr.write(`${stdout || ''}${stderr || ''}`)
    fail(`the dependencies could not be installed${error ? `: ${error.message}` : '.'}`)
  }
  mkdirSync(path.dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
  console.log(`Installed in ${((Date.now() - started) / 1000).toFixed(1)} s.`)
}

function pinnedPnpm() {
  return JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).packageManager
}

/**
 * npm hands its own settings to scripts as variables, which pnpm would take for its own: a `--prefix` or `--omit=dev`
 * meant for npm would change what pnpm installs, and where. CI=true lets pnpm replace a `node_modules` without asking.
 */
function environmentForPnpm() {
  const env = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (!/^(npm_|NODE_ENV$|INIT_CWD$)/i.test(name) || KEPT_SETTINGS.test(name)) env[name] = value
  }
  env.CI = 'true'
  return env
}

function build() {
  const started = Date.now()
  const bundle = path.join(root, 'scripts', 'bundle.mjs')
  if (runBin('typescript', 'tsc', ['-b']) !== 0 || run(process.execPath, [bundle]) !== 0) fail('the build failed.')
  const seconds = (Date.now() - started) / 1000
  if (seconds > 2) console.log(`Built in ${seconds.toFixed(1)} s.`)
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) setUp()

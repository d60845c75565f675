import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { samplesOf } from '@narthex/core'
import { parseText } from '@narthex/core/parse'
import { afterEach, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest'
import { requireProgram } from '../../../packages/core/test/program.ts'
import { freePort } from '../../../test/free-port.ts'

const home = fileURLToPath(new URL('..', import.meta.url))
const tsc = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url))

let folder: string
let files: string

beforeAll(() => void execFileSync(process.execPath, [tsc, '-b', home], { stdio: 'inherit' }), 120_000)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'narthex-batch-job-'))
  files = join(folder, 'files')
  mkdirSync(files)
  writeFileSync(join(files, 'small'), 'a')
  writeFileSync(join(files, 'big'), 'b'.repeat(50_000))
})

afterEach(() => rmSync(folder, { recursive: true }))

it('tells a Pushgateway of a success, and keeps its time through a failure', async (context) => {
  requireProgram('prometheus-pushgateway', context)
  const gateway = await startPushgateway()
  const before = Date.now() / 1000
  expect(await run({ PUSHGATEWAY: gateway })).toEqual({ code: 0, errors: '' })
  const first = linesOf(await (await fetch(`${gateway}/metrics`)).text())
  expect(first).toMatchObject({ job_last_run_succeeded: 1, 'job_files_total read': 2, 'job_files_total failed': 0 })
  expect(first).toMatchObject({
    'job_file_bytes_bucket 1000': 1,
    'job_file_bytes_bucket 100000': 2,
    job_file_bytes_sum: 50_001,
  })
  expect(first['job_last_success_unixtime']).toBeGreaterThanOrEqual(Math.floor(before))
  expect(first['job_duration_seconds']).toBeGreaterThan(0)
  const groups = (await (await fetch(`${gateway}/api/v1/metrics`)).json()) as { data: { labels: object }[] }
  expect(groups.data.map(({ labels }) => labels)).toEqual([{ job: 'checksums', instance: hostname(), folder: files }])

  mkdirSync(join(files, 'unreadable'))
  expect(await run({ PUSHGATEWAY: gateway })).toEqual({
    code: 1,
    errors: 'The job has failed: could not read unreadable\n',
  })
  const second = linesOf(await (await fetch(`${gateway}/metrics`)).text())
  expect(second).toMatchObject({ job_last_run_succeeded: 0, 'job_files_total read': 2, 'job_files_total failed': 1 })
  expect(second['job_last_success_unixtime']).toBe(first['job_last_success_unixtime'])
  expect(second['job_last_run_unixtime']).toBeGreaterThan(first['job_last_run_unixtime'] as number)
})

it('leaves a file for node_exporter', async () => {
  const textfile = join(folder, 'checksums.prom')
  expect(await run({ TEXTFILE: textfile })).toEqual({ code: 0, errors: '' })
  const lines = linesOf(readFileSync(textfile, 'utf8'))
  expect(lines).toMatchObject({ job_last_run_succeeded: 1, job_file_bytes_count: 2 })
  expect(lines['job_last_success_unixtime']).toBeCloseTo(Date.now() / 1000, -2)
  expect(readFileSync(join(folder, 'list'), 'utf8')).toMatch(/^[0-9a-f]{64} {2}big\n[0-9a-f]{64} {2}small\n$/)
})

it('does its work where there is no gateway', async () => {
  const { code, errors } = await run({ PUSHGATEWAY: `127.0.0.1:${await freePort()}` })
  expect(code).toBe(0)
  expect(errors).toMatch(/^The metrics are lost: POST http:\S+ failed: connect ECONNREFUSED/)
})

async function run(env: Record<string, string>): Promise<{ code: number | null; errors: string }> {
  const own = { FOLDER: files, LIST: join(folder, 'list'), PATH: process.env['PATH'] }
  const child = spawn(process.execPath, ['dist/main.js'], { cwd: home, env: { ...own, ...env }, timeout: 60_000 })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, errors }
}

/** The job's lines of a page: their names, with what `outcome` or `le` says, to their values. */
function linesOf(page: string): Record<string, number> {
  const lines: Record<string, number> = {}
  for (const family of parseText(page)) {
    for (const { name, labels, value } of samplesOf(family)) {
      const detail = labels['outcome'] ?? labels['le']
      if (name.startsWith('job_')) lines[detail === undefined ? name : `${name} ${detail}`] = value
    }
  }
  return lines
}

/** The address of a Pushgateway that ends with the test. */
async function startPushgateway(): Promise<string> {
  const address = `127.0.0.1:${await freePort()}`
  const flags = [`--web.listen-address=${address}`, '--persistence.file=']
  const child = spawn('prometheus-pushgateway', flags, { stdio: 'ignore' })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  for (const start = performance.now(); performance.now() - start < 45_000; await sleep(50)) {
    const ready = await fetch(`http://${address}/-/ready`).catch(() => undefined)
    if (ready?.ok) return `http://${address}`
  }
  throw new Error('The Pushgateway was not ready within 45 s.')
}

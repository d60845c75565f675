import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Gauge, GaugeMetricFamily, MetricError, Registry } from '@narthex/core'
import { writeToTextfile } from '@narthex/core/push'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { expectPromtoolAccepts } from '../promtool.ts'
import { recordWarnings } from '../warnings.ts'
import { bundled } from './built-program.ts'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'narthex-textfile-'))
  path = join(folder, 'job.prom')
})

afterEach(() => rmSync(folder, { recursive: true }))

/** A registry whose page has this many lines of values, all the same. */
function page(value: number, lines = 1): Registry {
  const registry = new Registry()
  const gauge = new Gauge({ name: 'x', help: 'X', labelNames: ['n'], registry })
  for (let n = 0; n < lines; n++) gauge.set({ n }, value)
  return registry
}

describe('a textfile', () => {
  it('has the page, is readable by all, and stands alone in its folder', async (context) => {
    await writeToTextfile(path, page(1))
    expect(readFileSync(path, 'utf8')).toBe('# HELP x X\n# TYPE x gauge\nx{n="0"} 1\n')
    expect(statSync(path).mode & 0o777).toBe(0o644)
    expect(readdirSync(folder)).toEqual(['job.prom'])
    expectPromtoolAccepts(readFileSync(path, 'utf8'), context)
  })

  it('is readable by all where the file before was not', async () => {
    writeFileSync(path, 'old\n', { mode: 0o600 })
    await writeToTextfile(path, page(1))
    expect(statSync(path).mode & 0o777).toBe(0o644)
  })

  it('is only ever seen whole', async () => {
    const lines = 5000
    await writeToTextfile(path, page(0, lines))
    const reader = new Worker(READER, { eval: true, workerData: { path, lines, last: 20 } })
    await once(reader, 'message')
    const seen = once(reader, 'message')
    for (let value = 1; value <= 20; value++) await writeToTextfile(path, page(value, lines))
    const [{ reads, torn, values }] = (await seen) as [{ reads: number; torn: number; values: number }]
    expect(torn).toBe(0)
    expect(reads).toBeGreaterThan(2)
    expect(values).toBeGreaterThan(1)
  })

  it('is one of the pages where several are written at once', async () => {
    await Promise.all([1, 2, 3, 4].map((value) => writeToTextfile(path, page(value, 1000))))
    expect(readFileSync(path, 'utf8').match(/ [1-4]$/gm)).toHaveLength(1000)
    expect(new Set(readFileSync(path, 'utf8').match(/ [1-4]$/gm)).size).toBe(1)
    expect(readdirSync(folder)).toEqual(['job.prom'])
  })

  it('takes the place of a link, and leaves alone what that points to', async () => {
    writeFileSync(join(folder, 'other'), 'other\n')
    symlinkSync('other', path)
    await writeToTextfile(path, page(1))
    expect(lstatSync(path).isFile()).toBe(true)
    expect(readFileSync(join(folder, 'other'), 'utf8')).toBe('other\n')
  })
})

describe('a textfile that cannot be written', () => {
  const expectOld = (): void => {
    expect(readFileSync(path, 'utf8')).toBe('old\n')
    expect(readdirSync(folder)).toEqual(['job.prom'])
  }

  beforeEach(() => writeFileSync(path, 'old\n'))

  it('for a page with timestamps stays as it was', async () => {
    const registry = page(1)
    registry.register({ collect: () => [new GaugeMetricFamily({ name: 't', help: 'T' }).add([], 1, { timestamp: 1 })] })
    const error = await writeToTextfile(path, registry).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(MetricError)
    expect((error as Error).message).toBe(
      'writeToTextfile `t`: expected `timestamp` to be absent: a page with timestamps is refused, got `1` (number)',
    )
    expectOld()
  })

  it('since gathering broke off stays as it was', async () => {
    const families = page(1, 10_000).gather()
    const registry = {
      async *gather() {
        yield* families
        throw new Error('gone')
      },
    }
    await expect(writeToTextfile(path, registry)).rejects.toThrow('gone')
    expectOld()
  })

  it('in a folder that is not there rejects', async () => {
    await expect(writeToTextfile(join(folder, 'no', 'job.prom'), page(1))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(writeToTextfile(join(path, 'job.prom'), page(1))).rejects.toMatchObject({ code: 'ENOTDIR' })
    expectOld()
  })

  it.runIf(process.platform === 'linux')('where nobody may write, root neither, rejects', async () => {
    const error = await writeToTextfile('/sys/narthex.prom', page(1)).catch((reason: unknown) => reason)
    expect(['EACCES', 'EPERM', 'EROFS']).toContain((error as NodeJS.ErrnoException).code)
  })

  it('over a folder of that name rejects and leaves nothing', async () => {
    mkdirSync(join(folder, 'taken.prom'))
    await expect(writeToTextfile(join(folder, 'taken.prom'), page(1))).rejects.toMatchObject({ code: 'EISDIR' })
    expect(readdirSync(folder).sort()).toEqual(['job.prom', 'taken.prom'])
  })

  it.each(['', undefined, 5])('without a path (%s) is told', async (wrong) => {
    const error = await writeToTextfile(wrong as string, page(1)).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_ARGUMENT', argument: 'path' })
  })

  it('has everything but the family that failed', async () => {
    recordWarnings()
    const registry = page(1)
    registry.register({
      name: 'bad',
      collect: () => [{ name: 'bad', help: 'B', type: 'gauge', series: [{ labels: {}, value: '1' as never }] }],
    })
    await writeToTextfile(path, registry)
    expect(readFileSync(path, 'utf8')).toContain('x{n="0"} 1\n')
    expect(readFileSync(path, 'utf8')).toContain('narthex_collector_errors_total{collector="bad"} 1\n')
  })

  describe.skipIf(process.platform === 'win32')('since the disk is full', () => {
    it('stays as it was', async () => {
      const built = mkdtempSync(join(tmpdir(), 'narthex-program-'))
      onTestFinished(() => rmSync(built, { recursive: true }))
      const program = bundled(new URL('programs/full-disk.mjs', import.meta.url), built)
      // A limit of 4 KiB for files: what is written beyond it fails as it does on a full disk.
      const child = spawn('sh', ['-c', 'ulimit -f 4 && exec "$0" "$@"', process.execPath, program, path])
      let output = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
      const [code] = await once(child, 'close')
      expect({ code, output }).toEqual({ code: 0, output: 'EFBIG\n' })
      expectOld()
    })
  })
})

/** Reads the file again and again, and judges each page, until it has seen the last one. */
const READER = `
const { readFileSync } = require('node:fs')
const { parentPort, workerData: { path, lines, last } } = require('node:worker_threads')
let reads = 0, torn = 0
const values = new Set()
parentPort.postMessage('reading')
for (;;) {
  const found = readFileSync(path, 'utf8').match(/ \\d+$/gm) ?? []
  const distinct = new Set(found)
  if (found.length !== lines || distinct.size !== 1) torn++
  for (const value of distinct) values.add(value)
  reads++
  if (distinct.has(' ' + last)) break
}
parentPort.postMessage({ reads, torn, values: values.size })
`

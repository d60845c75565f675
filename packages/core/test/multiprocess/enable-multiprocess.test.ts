import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { defaultRegistry, Registry } from '@narthex/core'
import { enableMultiprocess, type MultiprocessOptions } from '@narthex/core/multiprocess'
import { expect, it } from 'vitest'
import { caught } from '../caught.ts'
import { bundled } from '../push/built-program.ts'
import { enabled, leaveDead, linesOf, sharedDirectory, temporaryFolder } from './shared-folder.ts'

const VARIABLE = 'NARTHEX_MULTIPROCESS_DIR'

it.each([
  [null, 'expected `options` to be an object, got `null`'],
  ['x', 'expected `options` to be an object, got `x` (string)'],
  [{ folder: '/x' }, 'folder'],
  [{ directory: '' }, 'expected `directory` to be the path of a directory'],
  [{ directory: 1 }, 'expected `directory` to be the path of a directory, got `1` (number)'],
  [{ registry: {} }, 'expected `registry` to be a Registry'],
  [{ registry: null }, 'expected `registry` to be a Registry, got `null`'],
  [{ flushInterval: 9 }, 'expected `flushInterval` to be a number of milliseconds from 10 to 60000, got `9` (number)'],
  [{ flushInterval: 60_001 }, 'got `60001` (number)'],
  [{ flushInterval: Number.NaN }, 'got `NaN` (number)'],
  [{ flushInterval: '1000' }, 'got `1000` (string)'],
])('refuses the options %j', (options, message) => {
  const error = caught(() => enableMultiprocess(options as MultiprocessOptions))
  expect(error.code).toMatch(/^ERR_NARTHEX_(INVALID|UNKNOWN)_OPTION$/)
  expect(error.message).toContain('enableMultiprocess: ')
  expect(error.message).toContain(message)
  expect(process.env[VARIABLE]).toBe(undefined)
})

it('gives what is there when it is called again, and refuses another directory', async () => {
  const directory = sharedDirectory()
  const { registry, shared } = enabled(directory)
  expect(enableMultiprocess({ registry })).toBe(shared)
  expect(enableMultiprocess({ registry, directory: join(directory, '..', 'shared') })).toBe(shared)
  const error = caught(() => enableMultiprocess({ registry, directory: sharedDirectory() }))
  expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_OPTION' })
  expect(error.message).toContain(`the one that the registry uses already, \`${directory}\``)
})

it('gives each registry of a process a directory of its own', async () => {
  const { registry } = enabled(sharedDirectory())
  const other = enabled(sharedDirectory()).registry
  registry.counter({ name: 'a', help: '' }).inc(1)
  other.counter({ name: 'a', help: '' }).inc(2)
  expect(linesOf(await registry.metrics())).toMatchObject({ a_total: 1 })
  expect(linesOf(await other.metrics())).toMatchObject({ a_total: 2 })
})

it('refuses a directory that another registry of the process has, be it through the environment', () => {
  const directory = sharedDirectory()
  enabled(directory)
  for (const options of [{ directory }, {}]) {
    const error = caught(() => enableMultiprocess({ ...options, registry: new Registry() }))
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_OPTION' })
    expect(error.message).toContain('to be used by one registry of a process')
  }
})

it('takes the default registry, and the directory that the environment names', async () => {
  const directory = sharedDirectory()
  process.env[VARIABLE] = directory
  const shared = enableMultiprocess()
  try {
    expect(shared.directory).toBe(directory)
    expect(enableMultiprocess({ registry: defaultRegistry })).toBe(shared)
    await shared.flush()
    expect(readdirSync(directory)).toHaveLength(1)
  } finally {
    await shared.stop()
  }
})

it('tells children of the directory, until it is stopped', async () => {
  const directory = sharedDirectory()
  const { shared } = enabled(directory)
  expect(process.env[VARIABLE]).toBe(directory)
  await shared.stop()
  expect(process.env[VARIABLE]).toBe(undefined)
})

it('leaves the page to the registry and its last numbers to others when it is stopped', async () => {
  const directory = sharedDirectory()
  const { registry, shared } = enabled(directory)
  await leaveDead(directory, 1, (dead) => dead.counter({ name: 'c', help: '' }).inc(10))
  const counter = registry.counter({ name: 'c', help: '' })
  registry.gauge({ name: 'g', help: '' }).set(1)
  counter.inc(1)
  expect(linesOf(await registry.metrics())).toMatchObject({ c_total: 11, g: 1 })
  counter.inc(2)
  await shared.stop()
  await shared.stop()
  expect(await registry.metrics()).toBe('# TYPE c_total counter\nc_total 3\n# TYPE g gauge\ng 1\n')
  await shared.flush()
  const other = spawnSync(process.execPath, [
    bundled(new URL('programs/reader.mjs', import.meta.url), temporaryFolder()),
    directory,
  ])
  const page = JSON.parse(/^page (.*)$/m.exec(other.stdout.toString())?.[1] ?? '""') as string
  const lines = linesOf(page)
  expect(lines).toMatchObject({ c_total: 13 })
  expect(lines).not.toHaveProperty('g')
})

it('goes on with the same registry, and keeps what another one has counted before', async () => {
  const directory = sharedDirectory()
  const { registry, shared } = enabled(directory)
  const counter = registry.counter({ name: 'c', help: '' })
  counter.inc(5)
  await shared.stop()
  const again = enabled(directory, { registry })
  counter.inc(10)
  expect(linesOf(await registry.metrics())).toMatchObject({ c_total: 15 })
  await again.shared.stop()
  const other = enabled(directory)
  other.registry.counter({ name: 'c', help: '' }).inc(100)
  const lines = linesOf(await other.registry.metrics())
  expect(lines).toMatchObject({ c_total: 115, 'narthex_processes{state="live"}': 1 })
})

it('stops when it is disposed of', async () => {
  const directory = sharedDirectory()
  const registry = new Registry()
  registry.counter({ name: 'c', help: '' }).inc(1)
  {
    await using shared = enableMultiprocess({ directory, registry })
    expect(await shared.metrics()).toContain('narthex_processes')
  }
  expect(await registry.metrics()).not.toContain('narthex_processes')
  expect(readdirSync(directory)).toHaveLength(1)
})

it('writes a snapshot when it is told to', async () => {
  const directory = sharedDirectory()
  const { shared } = enabled(directory)
  expect(readdirSync(directory)).toEqual([])
  await Promise.all([shared.flush(), shared.flush(), shared.flush()])
  expect(readdirSync(directory)).toHaveLength(1)
})

it('keeps no process alive, and leaves nothing behind it', () => {
  const folder = temporaryFolder()
  const program = bundled(new URL('programs/idle.mjs', import.meta.url), folder)
  const env = { ...process.env, [VARIABLE]: '' }
  const { stdout, status } = spawnSync(process.execPath, [program], { env, timeout: 60_000 })
  expect(status).toBe(0)
  const [directory = '', threads] = stdout.toString().trim().split('\n')
  expect(threads).toBe('2')
  expect(directory).toMatch(/narthex-\d+-[^/]+$/)
  expect(() => readdirSync(directory)).toThrow('ENOENT')
})

it('ends by a signal as it would have without, with its last snapshot', async () => {
  const folder = temporaryFolder()
  const directory = join(folder, 'shared')
  const program = bundled(new URL('programs/signalled.mjs', import.meta.url), folder)
  for (const [signal, does] of [
    ['SIGTERM', ''],
    ['SIGINT', ''],
    ['SIGTERM', 'listens'],
    ['SIGTERM', 'stops'],
  ]) {
    const ended = spawnSync(process.execPath, [program, directory, signal as string, does as string], {
      timeout: 60_000,
    })
    if (does !== 'listens') expect(ended.signal).toBe(signal)
    else expect(ended).toMatchObject({ status: 3, signal: null })
  }
  const { registry } = enabled(directory)
  expect(linesOf(await registry.metrics())).toMatchObject({ c_total: 4 })
})

import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Registry } from '@narthex/core'
import { describe, expect, it } from 'vitest'
import { absorbEnded } from '../../src/multiprocess/archive.ts'
import { currentParticipant } from '../../src/multiprocess/participant.ts'
import { Snapshot, SnapshotError } from '../../src/multiprocess/snapshot.ts'
import { bundled } from '../push/built-program.ts'
import { recordWarnings } from '../warnings.ts'
import { deadName, enabled, leaveDead, linesOf, sharedDirectory, smallDisk, temporaryFolder } from './shared-folder.ts'

const errors = (cause: string): string => `narthex_multiprocess_errors_total{cause="${cause}"}`

/** Leaves the snapshot of a process that has ended and had counted so much. */
function leave(directory: string, number: number, count: number, pid?: number): Promise<string> {
  return leaveDead(directory, number, (registry) => registry.counter({ name: 'c', help: '' }).inc(count), pid)
}

/** A process that runs and has counted so much. */
function counting(directory: string, count: number): { readonly registry: Registry; lines(): Promise<Lines> } {
  const { registry } = enabled(directory)
  registry.counter({ name: 'c', help: '' }).inc(count)
  return { registry, lines: async () => linesOf(await registry.metrics()) }
}

type Lines = Record<string, number>

function absorb(directory: string): Promise<number> {
  return absorbEnded(directory, currentParticipant(), () => {})
}

describe('a directory', () => {
  it.each(['000', '022', '077'])('and its files are for this user alone, whatever the umask %s', (umask) => {
    const folder = temporaryFolder()
    const directory = join(folder, 'above', 'shared')
    const program = bundled(new URL('programs/writer.mjs', import.meta.url), folder)
    execFileSync('sh', ['-c', `umask ${umask}; exec "$@"`, 'sh', process.execPath, program, directory, 'exit'])
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    const files = readdirSync(directory)
    expect(files).toHaveLength(1)
    expect(statSync(join(directory, files[0] as string)).mode & 0o777).toBe(0o600)
  })

  it('of earlier runs goes on with their sums', async () => {
    const folder = temporaryFolder()
    const directory = join(folder, 'shared')
    const program = bundled(new URL('programs/writer.mjs', import.meta.url), folder)
    execFileSync(process.execPath, [program, directory, 'exit'])
    execFileSync(process.execPath, [program, directory, 'stop'])
    const { registry } = enabled(directory)
    registry.counter({ name: 'total', help: '' }).inc(6)
    const lines = linesOf(await registry.metrics())
    expect(lines).toMatchObject({ total_total: 30, seconds_count: 24, 'narthex_processes{state="dead"}': 2 })
    expect(await absorb(directory)).toBe(2)
    const after = linesOf(await registry.metrics())
    expect(after).toMatchObject({ total_total: 30, seconds_count: 24, 'narthex_processes{state="archived"}': 2 })
  })

  it('tells a process that has ended from a later one with the same id', async () => {
    const directory = sharedDirectory()
    await leave(directory, 1, 10, process.pid)
    await leave(directory, 2, 20, process.ppid)
    const { lines } = counting(directory, 3)
    const processes = { 'narthex_processes{state="live"}': 1, 'narthex_processes{state="dead"}': 2 }
    expect(await lines()).toMatchObject({ c_total: 33, ...processes })
    expect(await absorb(directory)).toBe(2)
    expect(await lines()).toMatchObject({ c_total: 33, 'narthex_processes{state="archived"}': 2 })
  })

  it('keeps what it does not know', async () => {
    const directory = sharedDirectory()
    const names = ['README', 'x.snapshot', '.tmp', '.x.tmp', 'archive', 'archive-x', '1.2.3.4.5.snapshot']
    for (const name of names) writeFileSync(join(directory, name), name)
    await leave(directory, 1, 10)
    await absorb(directory)
    await absorb(directory)
    expect(readdirSync(directory).sort()).toEqual([...names, 'archive-1'].sort())
    const lines = await counting(directory, 3).lines()
    expect(lines).toMatchObject({ c_total: 13 })
    expect(Object.keys(lines).filter((name) => name.startsWith('narthex_multiprocess_errors'))).toEqual([])
  })

  it('loses what is left of a killed write, and nothing of one that is going on', async () => {
    const directory = sharedDirectory()
    const self = currentParticipant().name
    const going = [`.${self}.snapshot.tmp`, `.archive-7.${self}.tmp`]
    const left = [`.${deadName(1)}.tmp`, `.archive-7.${deadName(2).replace('.snapshot', '')}.tmp`]
    for (const name of [...going, ...left]) writeFileSync(join(directory, name), 'half')
    await absorb(directory)
    expect(readdirSync(directory).sort()).toEqual(going.sort())
  })

  it('that is taken away is made again, and that is told', async () => {
    const warnings = recordWarnings()
    const directory = sharedDirectory()
    await leave(directory, 1, 10)
    const { registry, lines } = counting(directory, 3)
    expect(await lines()).toMatchObject({ c_total: 13 })
    rmSync(directory, { recursive: true })
    registry.counter({ name: 'c', help: '' }).inc(1)
    expect(await lines()).toMatchObject({ c_total: 4 })
    expect(await lines()).toMatchObject({ c_total: 4, [errors('vanished')]: 1 })
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    expect(readdirSync(directory)).toHaveLength(1)
    expect(warnings.map(({ code }) => code)).toEqual(['NARTHEX_MULTIPROCESS'])
  })

  it('whose file was taken away has it again', async () => {
    recordWarnings()
    const directory = sharedDirectory()
    const { lines } = counting(directory, 3)
    await lines()
    for (const file of readdirSync(directory)) rmSync(join(directory, file))
    await lines()
    expect(await lines()).toMatchObject({ c_total: 3, [errors('vanished')]: 1 })
    expect(readdirSync(directory)).toHaveLength(1)
  })
})

describe('a directory that is not ours to use', () => {
  const cases: [what: string, make: (path: string) => void, message: string, mend: (path: string) => void][] = [
    ['a file', (path) => writeFileSync(path, ''), 'is no directory', (path) => rmSync(path)],
    ['a symlink', (path) => symlinkSync(temporaryFolder(), path), 'is no directory', (path) => rmSync(path)],
    [
      'one that all can write to',
      (path) => made(path, 0o777),
      'can be written by others',
      (path) => chmodSync(path, 0o700),
    ],
    [
      'one that a group can write to',
      (path) => made(path, 0o770),
      'can be written by others',
      (path) => chmodSync(path, 0o700),
    ],
  ]

  it.each(cases)('as %s, leaves the process alone until that changes', async (_what, make, message, mend) => {
    const warnings = recordWarnings()
    const directory = join(temporaryFolder(), 'shared')
    make(directory)
    const { registry, lines } = counting(directory, 3)
    await lines()
    const alone = await lines()
    expect(alone).toMatchObject({ c_total: 3, 'narthex_processes{state="live"}': 1 })
    expect(alone[errors('directory')]).toBeGreaterThanOrEqual(1)
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining(message)])
    expect(warnings[0]?.message).toContain(directory)
    mend(directory)
    registry.counter({ name: 'c', help: '' }).inc(2)
    await lines()
    await leave(directory, 1, 10)
    expect(await lines()).toMatchObject({ c_total: 15 })
  })

  it('as one of another user, leaves the process alone, and the directory as it is', async () => {
    const warnings = recordWarnings()
    let directory = '/'
    if (process.getuid?.() === 0) {
      directory = sharedDirectory()
      chownSync(directory, 65_534, 65_534)
    }
    const before = readdirSync(directory)
    const { lines } = counting(directory, 3)
    await lines()
    const alone = await lines()
    expect(alone).toMatchObject({ c_total: 3 })
    expect(alone[errors('directory')]).toBeGreaterThanOrEqual(1)
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringMatching(/belongs to user \d+, not to \d+/)])
    expect(readdirSync(directory)).toEqual(before)
  })

  it('as one that cannot be made, leaves the process alone', async () => {
    recordWarnings()
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'file'), '')
    const { lines } = counting(join(folder, 'file', 'shared'), 3)
    await lines()
    expect(await lines()).toMatchObject({ c_total: 3, [errors('directory')]: expect.any(Number) })
  })

  it('as one that can only be read, shows what others have left', async () => {
    const warnings = recordWarnings()
    const disk = smallDisk(1_000_000)
    const directory = join(disk.folder, 'shared')
    made(directory, 0o700)
    await leave(directory, 1, 10)
    disk.makeReadOnly()
    const { lines } = counting(directory, 3)
    await lines()
    expect(await lines()).toMatchObject({ c_total: 10 })
    expect(warnings[0]?.message).toContain('EROFS')
  })
})

function made(path: string, mode: number): void {
  mkdirSync(path)
  chmodSync(path, mode)
}

describe('a full disk', () => {
  it('costs a snapshot, and none of what was written before; with room again it goes on', async () => {
    const warnings = recordWarnings()
    const { folder } = smallDisk(64 * 1024)
    const directory = join(folder, 'shared')
    made(directory, 0o700)
    await leave(directory, 1, 10)
    const { registry, lines } = counting(directory, 3)
    const counter = registry.counter({ name: 'c', help: '' })
    expect(await lines()).toMatchObject({ c_total: 13 })
    const filler = join(folder, 'filler')
    expect(() => writeFileSync(filler, Buffer.alloc(128 * 1024))).toThrow('ENOSPC')

    counter.inc(1)
    await lines()
    expect(await lines()).toMatchObject({ c_total: 13 })
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('ENOSPC')])
    expect(await absorb(directory).catch((error: Error) => error.message)).toContain('ENOSPC')
    expect(readdirSync(directory).filter((file) => file.includes('archive') || file.endsWith('.tmp'))).toEqual([])
    expect(await lines()).toMatchObject({ c_total: 13 })

    rmSync(filler)
    expect(await lines()).toMatchObject({ c_total: 14, [errors('write')]: 3 })
    expect(await absorb(directory)).toBe(1)
    expect(await lines()).toMatchObject({ c_total: 14 })
  })

  it('does not make a number go down that was shown before others came', async () => {
    recordWarnings()
    const { folder } = smallDisk(64 * 1024)
    const [directory, filler] = [join(folder, 'shared'), join(folder, 'filler')]
    made(directory, 0o700)
    const other = readFileSync(await leave(temporaryFolder(), 1, 10))
    const { registry, lines } = counting(directory, 3)
    expect(await lines()).toMatchObject({ c_total: 3 })
    expect(() => writeFileSync(filler, Buffer.alloc(128 * 1024))).toThrow('ENOSPC')
    registry.counter({ name: 'c', help: '' }).inc(100)
    expect(await lines()).toMatchObject({ c_total: 103 })
    rmSync(filler)
    writeFileSync(join(directory, deadName(1)), other)
    expect(() => writeFileSync(filler, Buffer.alloc(128 * 1024))).toThrow('ENOSPC')
    expect(await lines()).toMatchObject({ c_total: 113 })
    rmSync(filler)
    expect(await lines()).toMatchObject({ c_total: 113 })
  })
})

describe('a file that is damaged', () => {
  const damages: [what: string, damage: (bytes: Buffer) => Buffer][] = [
    ['empty', () => Buffer.alloc(0)],
    ['a header and nothing else', (bytes) => bytes.subarray(0, 32)],
    ['cut off in its head', (bytes) => bytes.subarray(0, 60)],
    ['cut off at its end', (bytes) => bytes.subarray(0, -1)],
    ['longer than it should be', (bytes) => Buffer.concat([bytes, Buffer.alloc(8)])],
    ['zeros at its end', (bytes) => Buffer.concat([bytes.subarray(0, -8), Buffer.alloc(8)])],
    ['zeros', (bytes) => Buffer.alloc(bytes.length)],
    ['a text', () => Buffer.from('{"not": "a snapshot"}'.repeat(10))],
  ]

  it.each(damages)('as %s, does not count, and that is told', async (_what, damage) => {
    const warnings = recordWarnings()
    const directory = sharedDirectory()
    await leave(directory, 1, 10)
    const file = await leave(directory, 2, 20)
    const bytes = damage(readFileSync(file))
    writeFileSync(file, bytes)
    const { lines } = counting(directory, 3)
    expect(await lines()).toMatchObject({ c_total: 13 })
    expect(await lines()).toMatchObject({ c_total: 13, [errors('damaged')]: 1 })
    expect(await absorb(directory)).toBe(1)
    expect(await lines()).toMatchObject({ c_total: 13 })
    expect(readFileSync(file)).toEqual(bytes)
    expect(warnings).toHaveLength(1)
  })

  it.each(damages)('as %s, counts as it was read last', async (_what, damage) => {
    recordWarnings()
    const directory = sharedDirectory()
    const file = await leave(directory, 2, 20)
    const { lines } = counting(directory, 3)
    expect(await lines()).toMatchObject({ c_total: 23 })
    writeFileSync(file, damage(readFileSync(file)))
    expect(await lines()).toMatchObject({ c_total: 23 })
    expect(await lines()).toMatchObject({ c_total: 23, [errors('damaged')]: 1 })
  })

  it.each(damages)('as an archive that is %s, is not replaced by one without its numbers', async (_what, damage) => {
    recordWarnings()
    const directory = sharedDirectory()
    await leave(directory, 1, 10)
    await absorb(directory)
    await leave(directory, 2, 20)
    const archive = join(directory, 'archive-1')
    const whole = readFileSync(archive)
    const { lines } = counting(directory, 3)
    expect(await lines()).toMatchObject({ c_total: 33 })
    writeFileSync(archive, damage(whole))
    expect(await absorb(directory)).toBe(0)
    expect(await lines()).toMatchObject({ c_total: 33 })
    expect(await lines()).toMatchObject({ c_total: 33, [errors('damaged')]: 1 })
    writeFileSync(archive, whole)
    expect(await absorb(directory)).toBe(1)
    expect(await lines()).toMatchObject({ c_total: 33 })
  })

  it('by a single bit, anywhere, is not read as something else', async () => {
    const file = await leave(sharedDirectory(), 1, 10)
    const bytes = readFileSync(file)
    const whole = contentOf(bytes)
    let refused = 0
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
      try {
        expect(contentOf(damaged)).toEqual(whole)
      } catch (error) {
        // Both are `damaged`, or of another version, for whoever reads a directory.
        expect(error instanceof SnapshotError || error instanceof SyntaxError).toBe(true)
        refused += 1
      }
    }
    expect(refused).toBeGreaterThan(bytes.length * 7)
  })

  it('as a folder in its place, does not count, and that is told', async () => {
    recordWarnings()
    const directory = sharedDirectory()
    mkdirSync(join(directory, deadName(1)))
    const { lines } = counting(directory, 3)
    await lines()
    expect(await lines()).toMatchObject({ c_total: 3, [errors('read')]: expect.any(Number) })
  })

  it('or of another version, stays as it is', async () => {
    const warnings = recordWarnings()
    const directory = sharedDirectory()
    const file = await leave(directory, 1, 10)
    const bytes = readFileSync(file)
    bytes.write('NTHXMP99', 'latin1')
    writeFileSync(file, bytes)
    const { lines } = counting(directory, 3)
    await lines()
    expect(await lines()).toMatchObject({ c_total: 3, [errors('version')]: 1 })
    await absorb(directory)
    expect(readFileSync(file)).toEqual(bytes)
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('another version')])
  })
})

function contentOf(bytes: Buffer): unknown {
  const snapshot = new Snapshot(bytes)
  const blocks = [...snapshot.families()].flatMap(([, blocks]) => blocks.map((block) => block()))
  return [
    snapshot.head,
    blocks.map(({ keys, texts, rows }) => [keys, [...texts], rows.doubles.slice(rows.at, rows.end)]),
  ]
}

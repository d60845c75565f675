import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry, samplesOf } from '@narthex/core'
import { enableMultiprocess, type Multiprocess, type MultiprocessOptions } from '@narthex/core/multiprocess'
import { parseText } from '@narthex/core/parse'
import { onTestFinished } from 'vitest'
import { OwnSnapshots } from '../../src/multiprocess/own-snapshot.ts'
import { startOf, worldNow } from '../../src/multiprocess/participant.ts'

/** A folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'narthex-multiprocess-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A directory as `enableMultiprocess` makes it, in a folder that goes with the test. */
export function sharedDirectory(): string {
  const directory = join(temporaryFolder(), 'shared')
  mkdirSync(directory, { mode: 0o700 })
  chmodSync(directory, 0o700)
  return directory
}

/** A registry on a directory, whose snapshots are written only when it is told to or scraped; stopped with the test. */
export function enabled(
  directory: string,
  options: MultiprocessOptions = {},
): { readonly registry: Registry; readonly shared: Multiprocess } {
  const registry = options.registry ?? new Registry()
  const shared = enableMultiprocess({ flushInterval: 60_000, ...options, directory, registry })
  onTestFinished(() => shared.stop())
  return { registry, shared }
}

/** Higher than any process id of Linux: a process that has ended for sure. */
const DEAD_PID = 5_000_000

/** The name of the snapshot of a process that has ended. */
export function deadName(number: number, pid: number = DEAD_PID + number): string {
  return [worldNow(), pid, 1000 + number, 0, pid, 1000 + number, 0].join('.') + '.snapshot'
}

/** Leaves the snapshot of a process that has ended in a directory; gives its path. */
export function leaveDead(
  directory: string,
  number: number,
  fill: (registry: Registry) => void,
  pid?: number,
): Promise<string> {
  return leave(join(directory, deadName(number, pid)), fill)
}

/** Leaves the snapshot of a process that runs, the parent of this one, in a directory; gives its path. */
export function leaveLive(directory: string, fill: (registry: Registry) => void): Promise<string> {
  const { ppid } = process
  const started = startOf(ppid)
  return leave(join(directory, `${[worldNow(), ppid, started, 0, ppid, started, 0].join('.')}.snapshot`), fill)
}

async function leave(file: string, fill: (registry: Registry) => void): Promise<string> {
  const registry = new Registry()
  fill(registry)
  writeFileSync(file, await new OwnSnapshots(registry, 1000).take(1000), { mode: 0o600 })
  return file
}

/** Mounts a file system in memory, of so many bytes, on a new folder; it goes with the test. */
export function smallDisk(bytes: number): { readonly folder: string; makeReadOnly(): void } {
  const folder = temporaryFolder()
  const asRoot = (command: string, ...args: string[]): void => {
    const [program = command, ...rest] =
      process.getuid?.() === 0 ? [command, ...args] : ['sudo', '-n', command, ...args]
    execFileSync(program, rest)
  }
  asRoot('mount', '-t', 'tmpfs', '-o', `size=${bytes},uid=${process.getuid?.()},mode=0700`, 'tmpfs', folder)
  onTestFinished(() => asRoot('umount', '--lazy', folder))
  return { folder, makeReadOnly: () => asRoot('mount', '-o', 'remount,ro', folder) }
}

/** `name{labels}` to value of every line of a page. */
export function linesOf(page: string): Record<string, number> {
  const lines: Record<string, number> = {}
  for (const sample of parseText(page).flatMap((family) => [...samplesOf(family)])) {
    const labels = Object.entries(sample.labels).map(([name, value]) => `${name}="${value}"`)
    lines[labels.length === 0 ? sample.name : `${sample.name}{${labels.join(',')}}`] = sample.value
  }
  return lines
}

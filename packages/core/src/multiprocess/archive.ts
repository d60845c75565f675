import { link, readdir, rm, unlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from './directory.ts'
import { mergeParts, type MergeLoss } from './merge.ts'
import { lifeOf, type Participant, participantOf, SNAPSHOT_SUFFIX, worldNow } from './participant.ts'
import {
  archivePath,
  type FoundPart,
  generationOf,
  newestArchive,
  readDirectory,
  type ReadLoss,
} from './shared-directory.ts'
import { SnapshotWriter } from './snapshot-writer.ts'
import { Turn } from './turn.ts'

/** Only the owner may read what the metrics tell. */
export const FILE_MODE = 0o600

/**
 * Takes the snapshots of threads that have ended into the archive, so that a thousand of them cost a scrape no more than
 * one. The new archive appears at once, under a name that only one process can take, and says which files it has; after
 * that the old archive and the files go. Killed at any point, it leaves a directory that reads as before or as after.
 *
 * Safe to run in several processes at a time: one of them wins. Gives the number of files that were taken in.
 */
export async function absorbEnded(
  directory: string,
  self: Participant,
  onLoss: (loss: ReadLoss | MergeLoss) => void,
): Promise<number> {
  const view = await readDirectory(directory, undefined, () => {})
  const ended = endedParts(view.parts)
  const files = await readdir(directory)
  // What an archive that was made before the crash of its maker has left behind.
  const leftovers = files.filter((file) => view.absorbed.includes(file))
  await removeOldArchives(directory, files, view.generation)
  await removeAll(directory, leftovers)
  await removeAbandoned(directory, files)
  // An archive that cannot be read, as of another version, is not replaced by one without its numbers.
  const isUnreadable = view.archive === undefined && view.generation > 0
  if (ended.length === 0 || isUnreadable) return 0

  const writer = new SnapshotWriter()
  const turn = new Turn()
  const parts = view.archive === undefined ? ended : [...ended, view.archive]
  for await (const family of mergeParts(parts, { turn, onLoss, absorbing: true })) await family.writeTo(writer, turn)
  const absorbed = ended.map(({ participant }) => `${participant.name}${SNAPSHOT_SUFFIX}`)
  const processes = new Set(ended.filter((part) => part.isThreadOnly !== true).map((part) => part.process)).size
  const bytes = writer.end({
    at: Date.now() / 1000,
    interval: 0,
    absorbed: [...absorbed, ...leftovers],
    processes: processes + (view.archive?.snapshot.head.processes ?? 0),
  })
  const next = view.generation + 1
  if (!(await commit(directory, next, bytes, self))) return 0
  await removeOldArchives(directory, await readdir(directory), next)
  await removeAll(directory, absorbed)
  return absorbed.length
}

/**
 * Snapshots that can go into the archive. What a process' threads tell of the process goes with its last one: while it
 * runs, a thread that has ended goes without that, and only if another one tells it.
 */
function endedParts(parts: readonly FoundPart[]): FoundPart[] {
  const byProcess = new Map<string | undefined, FoundPart[]>()
  for (const part of parts) byProcess.set(part.process, [...(byProcess.get(part.process) ?? []), part])
  return [...byProcess.values()].flatMap((threads) => {
    const gone = threads.filter(({ isGone }) => isGone)
    if (gone.length === threads.length) return gone
    const told = new Set(threads.filter(({ isGone }) => !isGone).flatMap(namesOfProcess))
    return gone
      .filter((part) => namesOfProcess(part).every((name) => told.has(name)))
      .map((part) => ({ ...part, isThreadOnly: true }))
  })
}

function namesOfProcess({ snapshot }: FoundPart): string[] {
  return snapshot.head.families.filter(({ scope }) => scope === 'process').map(({ name }) => name)
}

/** Puts an archive in place; false where another process was first. */
async function commit(directory: string, generation: number, bytes: Uint8Array, self: Participant): Promise<boolean> {
  const temporary = path.join(directory, `.archive-${generation}.${self.name}.tmp`)
  const final = archivePath(directory, generation)
  try {
    await writeFile(temporary, bytes, { mode: FILE_MODE })
    // Unlike a rename, it fails where the name is taken.
    await link(temporary, final)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
  // Held up for long, it may have taken a name that others had left behind them.
  if (newestArchive(await readdir(directory)) === generation) return true
  await rm(final, { force: true })
  return false
}

async function removeOldArchives(directory: string, files: readonly string[], newest: number): Promise<void> {
  const old = files.filter((file) => generationOf(file) >= 0 && generationOf(file) < newest)
  for (const file of old) await unlink(path.join(directory, file)).catch(() => {})
}

/** What was being written when its writer was killed. */
async function removeAbandoned(directory: string, files: readonly string[]): Promise<void> {
  const world = worldNow()
  const abandoned = files.filter((file) => {
    const writer = participantOf((TEMPORARY.exec(file)?.[1] ?? '') + SNAPSHOT_SUFFIX)
    return writer !== undefined && lifeOf(writer, world) === 'dead'
  })
  for (const file of abandoned) await rm(path.join(directory, file), { force: true })
}

const TEMPORARY = /^\.(?:archive-\d+\.|last\.)?(.*?)(?:\.snapshot)?\.tmp$/

async function removeAll(directory: string, files: readonly string[]): Promise<void> {
  for (const file of files) {
    await rm(path.join(directory, file), { force: true })
    await rm(path.join(directory, temporaryName(file)), { force: true })
    await rm(path.join(directory, temporaryName(file, 'last')), { force: true })
  }
}

/** Where a file is written before it takes its name; the last time apart from those before. */
export function temporaryName(file: string, time?: 'last'): string {
  return time === undefined ? `.${file}.tmp` : `.${time}.${file}.tmp`
}

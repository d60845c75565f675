import type { Stats } from 'node:fs'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from './directory.ts'
import type { Part } from './merge.ts'
import { isBeforeBoot, type Life, lifeOf, type Participant, participantOf, processOf, worldNow } from './participant.ts'
import { Snapshot, SnapshotError } from './snapshot.ts'

/** A file that does not count: it cannot be read, is not whole, or was written by another version. */
export type ReadLoss = 'read' | 'damaged' | 'version'

/** The state of a thread, as its process shows it. */
export type ProcessState = 'live' | 'stale' | 'dead'

/** A snapshot that was found in a directory. */
export interface FoundPart extends Part {
  readonly participant: Participant
  readonly state: ProcessState
  /** Whether its thread can never write again. */
  readonly isGone: boolean
}

/** A directory as it was at one moment. */
export interface DirectoryView {
  readonly parts: readonly FoundPart[]
  /** What has ended before; absent before the first archive. */
  readonly archive: Part | undefined
  /** Counts the archives: the next one has the next number. */
  readonly generation: number
  /** Files whose numbers the archive has. */
  readonly absorbed: readonly string[]
}

/** How often a directory is read again because the archive was replaced meanwhile. */
const MOST_TRIES = 20
/** Files that are read at a time. */
const CONCURRENT_READS = 8
/** A thread that runs and has been silent for so many intervals hangs, or is stopped. */
const SILENT_INTERVALS = 5
const LEAST_SILENT_SECONDS = 5
/** How long a thread counts as running that nobody here can look at. */
const FOREIGN_SECONDS = 30

const ARCHIVE = /^archive-(\d+)$/

/**
 * Reads all snapshots of a directory as they were at one moment, the own one aside. Whoever takes dead ones into a new
 * archive removes the old archive first, and then the files: as long as the archive that was opened at the start has its
 * name at the end, no file can have gone that it lacks. Rejects where the directory cannot be read.
 */
export async function readDirectory(
  directory: string,
  own: string | undefined,
  onLoss: (loss: ReadLoss, file: string) => void,
): Promise<DirectoryView> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const view = await tryToRead(directory, own, onLoss)
    if (view !== undefined) return view
  }
  throw new Error(`its archive was replaced ${MOST_TRIES} times while it was read`)
}

async function tryToRead(
  directory: string,
  own: string | undefined,
  onLoss: (loss: ReadLoss, file: string) => void,
): Promise<DirectoryView | undefined> {
  const files = await readdir(directory)
  const generation = newestArchive(files)
  const losses: [ReadLoss, string][] = []
  const archive = generation < 0 ? undefined : await openIfThere(archivePath(directory, generation))
  if (generation >= 0 && archive === undefined) return undefined
  try {
    const archived = archive && (await snapshotOf(archive, path.basename(archivePath('', generation)), losses))
    const absorbed = new Set(archived?.head.absorbed)
    const parts: FoundPart[] = []
    const queue = files.filter((file) => {
      const participant = participantOf(file)
      return participant !== undefined && participant.name !== own && !absorbed.has(file)
    })
    const reader = async (): Promise<void> => {
      for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
        const part = await readPart(directory, file, losses)
        if (part !== undefined) parts.push(part)
      }
    }
    await Promise.all(Array.from({ length: CONCURRENT_READS }, reader))
    if (!(await isInPlace(archive, directory, generation))) return undefined
    for (const [loss, file] of losses) onLoss(loss, file)
    // In one order for everybody: what is equal is then equal everywhere.
    parts.sort((a, b) => (a.participant.name < b.participant.name ? -1 : 1))
    const part = archived && { snapshot: archived, started: -1, isLive: false }
    return { parts, archive: part, generation: Math.max(generation, 0), absorbed: [...absorbed] }
  } finally {
    await archive?.close()
  }
}

/** Whether the archive that was opened is still the one of its name, or there is still none. */
async function isInPlace(archive: FileHandle | undefined, directory: string, generation: number): Promise<boolean> {
  if (archive === undefined) return newestArchive(await readdir(directory)) < 0
  const [opened, named] = await Promise.all([archive.stat(), statIfThere(archivePath(directory, generation))])
  return named?.ino === opened.ino
}

export function archivePath(directory: string, generation: number): string {
  return path.join(directory, `archive-${generation}`)
}

/** The number of the newest archive among files; -1 where there is none. */
export function newestArchive(files: readonly string[]): number {
  return Math.max(-1, ...files.map(generationOf))
}

/** The number of an archive; -1 for any other file. */
export function generationOf(file: string): number {
  return Number(ARCHIVE.exec(file)?.[1] ?? -1)
}

async function readPart(directory: string, file: string, losses: [ReadLoss, string][]): Promise<FoundPart | undefined> {
  const participant = participantOf(file) as Participant
  // Before the file is opened: whoever ends after that has another one by its last word.
  const world = worldNow()
  const life = lifeOf(participant, world)
  const handle = await openIfThere(path.join(directory, file)).catch(() => losses.push(['read', file]))
  if (typeof handle !== 'object') return undefined
  try {
    const { mtimeMs } = await handle.stat()
    const snapshot = await snapshotOf(handle, file, losses)
    if (snapshot === undefined) return undefined
    return { ...judged(participant, snapshot, { life, world, writtenAt: mtimeMs / 1000 }), snapshot }
  } finally {
    await handle.close()
  }
}

/** What was seen of a thread, from this world, and of its file. */
interface Seen {
  readonly life: Life
  readonly world: string
  readonly writtenAt: number
}

/** What can be said of a snapshot's thread: whether it runs, and whether it does anything. */
function judged(participant: Participant, { head }: Snapshot, seen: Seen): Omit<FoundPart, 'snapshot'> {
  const { life, world, writtenAt } = seen
  const silent = Date.now() / 1000 - writtenAt
  const isSilent = silent > Math.max((head.interval / 1000) * SILENT_INTERVALS, LEAST_SILENT_SECONDS)
  const isRunning = life === 'live' || (life === 'foreign' && silent < FOREIGN_SECONDS)
  return {
    participant,
    process: processOf(participant),
    pid: pidLabelOf(participant),
    started: participant.started,
    isLive: isRunning && head.isFinal !== true,
    state: !isRunning ? 'dead' : isSilent && head.isFinal !== true ? 'stale' : 'live',
    isGone: life === 'dead' || (life === 'foreign' && isBeforeBoot(participant.world, world, writtenAt)),
  }
}

/** What tells gauges apart that are not merged: the process id, and of a worker thread its number too. */
export function pidLabelOf({ pid, threadId }: Participant): string {
  return threadId === 0 ? String(pid) : `${pid}-${threadId}`
}

function openIfThere(file: string): Promise<FileHandle | undefined> {
  return open(file, 'r').catch(ifThere)
}

function statIfThere(file: string): Promise<Stats | undefined> {
  return stat(file).catch(ifThere)
}

/** What is missing was taken into an archive since it was listed. */
function ifThere(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error
}

async function snapshotOf(
  handle: FileHandle,
  file: string,
  losses: [ReadLoss, string][],
): Promise<Snapshot | undefined> {
  try {
    return new Snapshot(await handle.readFile())
  } catch (error) {
    losses.push([
      error instanceof SnapshotError ? error.reason : error instanceof SyntaxError ? 'damaged' : 'read',
      file,
    ])
    return undefined
  }
}

import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import cluster from 'node:cluster'
import { createHash } from 'node:crypto'
import { isMainThread } from 'node:worker_threads'
import { isProcessAlive, lifeOf, type Participant, participantOf, processOf, startOf, worldNow } from './participant.ts'
import { Snapshot } from './snapshot.ts'

/** Names the directory that the processes of a program share; children inherit it. */
export const DIRECTORY_VARIABLE = 'NARTHEX_MULTIPROCESS_DIR'

/** A directory that cannot be shared: it is not ours, or not to be had. */
export class DirectoryError extends Error {}

const PREFIX = 'narthex'

/** Where snapshots go, and whether it was chosen here and may be taken away again. */
export interface ChosenDirectory {
  readonly path: string
  readonly isAutomatic: boolean
}

/**
 * The directory that was asked for, else that of the variable, else one named after the process that all have in common:
 * for threads their own, for workers of a cluster and for PM2's the one that started them.
 */
export function chooseDirectory(asked: string | undefined): ChosenDirectory {
  const given = asked ?? process.env[DIRECTORY_VARIABLE]
  if (given !== undefined && given !== '') return { path: path.resolve(given), isAutomatic: isOurName(given) }
  const { pm_id: pm2Id, name: pm2Name } = process.env
  const isPm2 = pm2Id !== undefined
  const root = isPm2 || cluster.isWorker ? process.ppid : process.pid
  // PM2 starts programs that have nothing to do with each other.
  const program = isPm2 ? `-${createHash('sha256').update(String(pm2Name)).digest('hex').slice(0, 12)}` : ''
  const name = `${PREFIX}-${userId()}-${worldNow()}-${root}-${startOf(root) ?? 0}${program}`
  return { path: path.join(memoryFolder(), name), isAutomatic: true }
}

/** Makes the directory where it is missing, for this user alone; throws {@link DirectoryError} for one that is not ours. */
export function prepareDirectory(directory: string): void {
  try {
    mkdirSync(path.dirname(directory), { recursive: true })
    mkdirSync(directory, { mode: 0o700 })
    // Whatever the umask.
    chmodSync(directory, 0o700)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw new DirectoryError(`cannot be made: ${messageOf(error)}`)
  }
  let stat
  try {
    stat = lstatSync(directory)
  } catch (error) {
    throw new DirectoryError(`cannot be read: ${messageOf(error)}`)
  }
  if (!stat.isDirectory()) throw new DirectoryError('is no directory')
  if (process.getuid === undefined) return
  if (stat.uid !== process.getuid()) {
    throw new DirectoryError(`belongs to user ${stat.uid}, not to ${process.getuid()}: name a folder inside it instead`)
  }
  if ((stat.mode & 0o022) !== 0) throw new DirectoryError('can be written by others: `chmod go-w` it')
}

/**
 * Takes away the directories that were chosen for programs that have ended, with a crash or a kill. Never throws: what
 * cannot be taken away stays.
 */
export function sweepDirectories(except: string): void {
  const folder = path.dirname(except)
  const world = worldNow()
  for (const name of namesIn(folder)) {
    const directory = path.join(folder, name)
    const root = rootOf(directory)
    if (root === undefined || directory === except || isProcessAlive(root)) continue
    if (!hasLive(directory, world)) removeDirectory(directory)
  }
}

/** Takes a directory away. Never throws. */
export function removeDirectory(directory: string): void {
  try {
    prepareDirectory(directory)
    rmSync(directory, { recursive: true, force: true })
  } catch {
    // It is somebody else's, or gone.
  }
}

/** Whether a thread that may write there again still runs, in a process other than `self`. */
export function hasLive(directory: string, world: string, self?: Participant): boolean {
  return namesIn(directory).some((file) => {
    const participant = participantOf(file)
    if (participant === undefined || lifeOf(participant, world) === 'dead') return false
    if (self !== undefined && processOf(participant) === processOf(self)) return false
    return !isFinal(path.join(directory, file))
  })
}

/** Of processes that end at the same time each sees the others run: their last words tell. */
function isFinal(file: string): boolean {
  try {
    return new Snapshot(readFileSync(file)).head.isFinal === true
  } catch {
    return false
  }
}

/** Whether an automatic directory goes with this process, if it is the last: the one it is named after is this, or gone. */
export function endsWithThis(directory: string): boolean {
  if (!isMainThread) return false
  const root = rootOf(directory)
  return root !== undefined && (root.pid === process.pid || !isProcessAlive(root))
}

/** The process that an automatic directory of this user is named after. */
function rootOf(directory: string): { world: string; pid: number; started: number } | undefined {
  const world = worldNow()
  const start = `${PREFIX}-${userId()}-${world}-`
  const name = path.basename(directory)
  if (!name.startsWith(start)) return undefined
  const [pid, started] = name.slice(start.length).split('-').map(Number)
  return pid === undefined || started === undefined ? undefined : { world, pid, started }
}

function isOurName(given: string): boolean {
  return (
    path.basename(given).startsWith(`${PREFIX}-${userId()}-${worldNow()}-`) && path.dirname(given) === memoryFolder()
  )
}

/** Memory that looks like files, where there is: a snapshot a second is nothing for a disk to keep. */
function memoryFolder(): string {
  if (process.platform !== 'linux') return os.tmpdir()
  try {
    return lstatSync('/dev/shm').isDirectory() ? '/dev/shm' : os.tmpdir()
  } catch {
    return os.tmpdir()
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function userId(): number {
  return process.getuid?.() ?? 0
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

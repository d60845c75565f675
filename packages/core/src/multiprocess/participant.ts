import { readFileSync, readlinkSync } from 'node:fs'
import os from 'node:os'
import { threadId } from 'node:worker_threads'

/** A thread that writes snapshots, told apart from every other one, past ones included. */
export interface Participant {
  /** Names its file, and holds all that follows. */
  readonly name: string
  /** The boot of the machine and its process namespace: only within them a process id means anything. */
  readonly world: string
  readonly pid: number
  /** When the process began: ticks since boot where `/proc` tells, else seconds since the epoch. */
  readonly started: number
  readonly threadId: number
  /** The operating system's number of the thread, and when it began; 0 where it is not told. */
  readonly task: number
  readonly taskStarted: number
  /** Counts the registries that a thread has had in a directory one after the other. */
  readonly registry: number
}

/** `foreign`: of another machine, boot or container, whose process ids mean nothing here. */
export type Life = 'live' | 'dead' | 'foreign'

/** The ending of a participant's file. */
export const SNAPSHOT_SUFFIX = '.snapshot'

/** Where nothing is known of the world: process ids are all there is. */
const UNKNOWN_WORLD = '0'

/** This thread, with the registry of that number. `/proc/thread-self` is read by the thread itself, as that is what it names. */
export function currentParticipant(registry: number = 0): Participant {
  const { pid } = process
  const own = statOf(`/proc/${pid}/stat`)
  const world = worldNow()
  if (own === undefined || world === UNKNOWN_WORLD) {
    const started = Math.round(Date.now() / 1000 - process.uptime())
    return named({ world: UNKNOWN_WORLD, pid, started, threadId, task: 0, taskStarted: 0, registry })
  }
  let task = 0
  let taskStarted = 0
  try {
    const [seenPid, , seenTask] = readlinkSync('/proc/thread-self').split('/')
    const stat = statOf(`/proc/${pid}/task/${seenTask}/stat`)
    if (Number(seenPid) === pid && stat !== undefined) {
      task = Number(seenTask)
      taskStarted = stat.started
    }
  } catch {
    // Kernels before 3.17 have no thread-self: the process stands for the thread.
  }
  return named({ world, pid, started: own.started, threadId, task, taskStarted, registry })
}

function named(participant: Omit<Participant, 'name'>): Participant {
  const { world, pid, started, threadId, task, taskStarted, registry } = participant
  return { ...participant, name: [world, pid, started, threadId, task, taskStarted, registry].join('.') }
}

/** The participant that a file is named after; `undefined` for any other file. */
export function participantOf(file: string): Participant | undefined {
  if (!file.endsWith(SNAPSHOT_SUFFIX)) return undefined
  const name = file.slice(0, -SNAPSHOT_SUFFIX.length)
  const [world, ...numbers] = name.split('.')
  const [pid, started, threadId, task, taskStarted, registry] = numbers.map(Number)
  if (world === undefined || numbers.length !== 6 || !numbers.every((number) => /^\d+$/.test(number))) return undefined
  return named({ world, pid, started, threadId, task, taskStarted, registry } as Omit<Participant, 'name'>)
}

/** The process of a participant, the same for all of its threads. */
export function processOf({ world, pid, started }: Participant): string {
  return `${world}.${pid}.${started}`
}

/** Whether a participant's thread still runs. Reads `/proc`: some microseconds. */
export function lifeOf(participant: Participant, world: string): Life {
  const { pid, task, taskStarted } = participant
  if (participant.world !== world) return 'foreign'
  if (world === UNKNOWN_WORLD) return isRunning(pid) ? 'live' : 'dead'
  const isAlive = isProcessAlive(participant)
  if (!isAlive || task === 0 || task === pid) return isAlive ? 'live' : 'dead'
  const stat = statOf(`/proc/${pid}/task/${task}/stat`)
  return stat?.started === taskStarted && !stat.isDead ? 'live' : 'dead'
}

/** Whether the process of a participant still runs, be it without the thread. */
export function isProcessAlive({ world, pid, started }: Pick<Participant, 'world' | 'pid' | 'started'>): boolean {
  if (world === UNKNOWN_WORLD) return isRunning(pid)
  const stat = statOf(`/proc/${pid}/stat`)
  return stat?.started === started && !stat.isDead
}

/** When a running process began; `undefined` where that is not told. */
export function startOf(pid: number): number | undefined {
  return statOf(`/proc/${pid}/stat`)?.started
}

/** The boot of the machine and the process namespace that this process is in. */
export function worldNow(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8)
    const namespace = readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')
    // A /proc of another namespace would tell of other processes.
    return Number(readlinkSync('/proc/self')) === process.pid ? `${boot}-${namespace}` : UNKNOWN_WORLD
  } catch {
    return UNKNOWN_WORLD
  }
}

/** Whether a world was before the machine started: its processes are gone for good. */
export function isBeforeBoot(world: string, now: string, writtenAt: number): boolean {
  if (world === UNKNOWN_WORLD || now === UNKNOWN_WORLD || world.slice(0, 8) === now.slice(0, 8)) return false
  return writtenAt < Date.now() / 1000 - os.uptime()
}

/** What the kernel tells of a process or thread (proc(5)): the name in parentheses may hold anything. */
function statOf(path: string): { readonly started: number; readonly isDead: boolean } | undefined {
  try {
    const text = readFileSync(path, 'latin1')
    const [state, ...fields] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    // Killed and not yet waited for, it runs no more.
    return { started: Number(fields[18]), isDead: state === 'Z' || state === 'X' }
  } catch {
    return undefined
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

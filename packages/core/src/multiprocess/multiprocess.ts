import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { rename, rm, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { isMainThread } from 'node:worker_threads'
import type { CollectOptions, Gatherer, GatherOptions, PageView } from '../collector.ts'
import { MetricError, refuseUnknownOptions } from '../errors.ts'
import type { ExpositionFormat } from '../exposition/format.ts'
import type { MetricFamily } from '../family.ts'
import { GaugeMetricFamily } from '../metric-families.ts'
import { defaultRegistry, type Registry } from '../registry.ts'
import { emitWarning } from '../warning.ts'
import { absorbEnded, FILE_MODE, temporaryName } from './archive.ts'
import {
  chooseDirectory,
  type ChosenDirectory,
  codeOf,
  DIRECTORY_VARIABLE,
  hasLive,
  isRootOf,
  messageOf,
  prepareDirectory,
  removeDirectory,
  sweepDirectories,
} from './directory.ts'
import { type MergeLoss, mergeParts, type Part } from './merge.ts'
import { OwnSnapshots } from './own-snapshot.ts'
import { currentParticipant, type Participant, processOf, SNAPSHOT_SUFFIX } from './participant.ts'
import { type DirectoryView, pidLabelOf, readDirectory, type ReadLoss } from './shared-directory.ts'
import { Snapshot } from './snapshot.ts'
import { Turn } from './turn.ts'

export interface MultiprocessOptions {
  /**
   * The directory that all processes share: made if it is missing, for this user alone. Numbers outlive restarts of the
   * program in a directory that does.
   * @default what NARTHEX_MULTIPROCESS_DIR says, else one in memory that goes with the program
   */
  readonly directory?: string
  /** @default defaultRegistry */
  readonly registry?: Registry
  /**
   * Milliseconds between two snapshots: as much as a killed process can lose, and as old as another's numbers can be.
   * @default 1_000
   */
  readonly flushInterval?: number
}

const OPTIONS = ['directory', 'registry', 'flushInterval'] as const
const SUBJECT = 'enableMultiprocess'

/** After this many snapshots a process looks whether others have ended. */
const FLUSHES_PER_ABSORPTION = 3
/** Signals that end a process without a word, unless somebody listens. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const

type Cause = ReadLoss | MergeLoss | 'directory' | 'write' | 'vanished' | 'archive'

/**
 * Makes the pages of all processes and threads of a program one: call it in the program that each of them runs. From then
 * on the registry's page, whoever serves it, is that of all of them, from whichever process is asked. Works for
 * `node:cluster`, `child_process.fork`, PM2, worker threads, and processes that are given the same directory.
 *
 * Each thread writes a snapshot of its registry into a file of its own, every second and at its end; whoever is scraped
 * writes its own, reads all, and merges. Nobody waits for anybody. What a process has counted stays in the sum when it is
 * gone. Costs an observation nothing; a snapshot of 5,000 histogram series costs some milliseconds, in turns.
 *
 * Called again for the same registry it gives what is there. Throws `MetricError` for options that are wrong, or other
 * ones than the first time; a directory that cannot be used is warned of and counted, and leaves the process by itself.
 */
export function enableMultiprocess(options: MultiprocessOptions = {}): Multiprocess {
  const refuse = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject: SUBJECT, argument, rule, value })
  }
  if (typeof options !== 'object' || options === null) return refuse('options', 'to be an object', options)
  refuseUnknownOptions(SUBJECT, undefined, options, OPTIONS)
  const { directory, registry = defaultRegistry, flushInterval = 1_000 } = options
  if (typeof registry?.showThrough !== 'function') refuse('registry', 'to be a Registry', registry)
  if (directory !== undefined && (typeof directory !== 'string' || directory === '')) {
    refuse('directory', 'to be the path of a directory', directory)
  }
  if (typeof flushInterval !== 'number' || !(flushInterval >= 10 && flushInterval <= 60_000)) {
    refuse('flushInterval', 'to be a number of milliseconds from 10 to 60000', flushInterval)
  }
  const existing = registry.view
  if (isMultiprocess(existing)) {
    if (directory !== undefined && path.resolve(directory) !== existing.directory) {
      refuse('directory', `to be the one that the registry uses already, \`${existing.directory}\``, directory)
    }
    return existing
  }
  const chosen = chooseDirectory(directory)
  if (inUse.has(chosen.path)) refuse('directory', 'to be used by one registry of a process', chosen.path)
  return new Multiprocess(registry, chosen, flushInterval)
}

/** Marks the views of every copy of the package, where `instanceof` knows only those of its own. */
const MULTIPROCESS: unique symbol = Symbol.for('@narthex/core/multiprocess/v1')

function isMultiprocess(view: PageView | undefined): view is Multiprocess {
  return view !== undefined && MULTIPROCESS in view
}

/** Directories of this thread: two registries in one would be taken for two processes. */
const inUse = new Set<string>()

/** All processes of a program as one: whatever takes a registry to read from takes it, too. */
export class Multiprocess implements PageView, Gatherer, AsyncDisposable {
  /** @internal */
  readonly [MULTIPROCESS] = true
  /** The directory that all processes share. */
  readonly directory: string
  /** Names the view in `narthex_collector_errors_total`. */
  readonly name = 'multiprocess'
  readonly #registry: Registry
  readonly #self: Participant
  readonly #file: string
  readonly #snapshots: OwnSnapshots
  readonly #isAutomatic: boolean
  readonly #timer: NodeJS.Timeout
  readonly #warned = new Set<Cause>()
  #isReady = false
  #isStopped = false
  /** The snapshot as it is in the file. */
  #written: Uint8Array | undefined = undefined
  /** The snapshot as it is. */
  #latest: Uint8Array | undefined = undefined
  #running: Promise<void> | undefined = undefined
  #waiting: Promise<void> | undefined = undefined
  #absorbing: Promise<void> | undefined = undefined
  #untilAbsorption = FLUSHES_PER_ABSORPTION

  /** @internal */
  constructor(registry: Registry, { path: directory, isAutomatic }: ChosenDirectory, interval: number) {
    this.directory = directory
    this.#registry = registry
    this.#isAutomatic = isAutomatic
    this.#self = currentParticipant()
    this.#file = `${this.#self.name}${SNAPSHOT_SUFFIX}`
    this.#snapshots = new OwnSnapshots(registry, interval)
    inUse.add(directory)
    process.env[DIRECTORY_VARIABLE] = directory
    this.#prepare()
    if (isAutomatic && this.#isReady) sweepDirectories(directory)
    registry.showThrough(this)
    process.on('exit', this.#onExit)
    if (isMainThread) for (const signal of SIGNALS) process.on(signal, this.#onSignal)
    this.#timer = setInterval(() => void this.#tick(), interval)
    this.#timer.unref()
  }

  /** The `Content-Type` of {@link Multiprocess.metrics} in its default format. */
  get contentType(): string {
    return this.#registry.contentType
  }

  /** The families of all processes: the registry's own `gather` gives the same. */
  gather(options?: GatherOptions): AsyncIterable<MetricFamily> {
    return this.#registry.gather(options)
  }

  /** The page of all processes as a string, by default in text 0.0.4. */
  metrics(format?: ExpositionFormat): Promise<string> {
    return this.#registry.metrics(format)
  }

  /** The page of all processes in chunks of about 64 KiB. */
  stream(format?: ExpositionFormat, options?: GatherOptions): AsyncIterable<Uint8Array> {
    return this.#registry.stream(format, options)
  }

  /** @internal */
  seriesFailed(error: unknown, family: MetricFamily): void {
    this.#registry.seriesFailed(error, family)
  }

  /** Writes this thread's snapshot now. Never rejects: what fails is counted. */
  flush(): Promise<void> {
    return this.#flush(FLUSH_TIMEOUT)
  }

  /**
   * Writes the last snapshot and leaves the page to the registry again. What was counted stays in the sums of the others.
   */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#end()
    await Promise.all([this.#running, this.#absorbing])
    this.#writeLast()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** @internal */
  async *families({ timeout }: CollectOptions): AsyncGenerator<MetricFamily, void, void> {
    await this.#flush(timeout)
    const view = this.#isReady ? await this.#read() : undefined
    const parts = this.#partsWith(view)
    const turn = new Turn()
    for await (const merged of mergeParts(parts, turn, (loss) => this.#count(loss))) yield merged.toFamily()
    yield this.#processes(view)
  }

  /** One flush at a time; whoever comes while one runs waits for the next, which has what was counted until now. */
  #flush(timeout: number): Promise<void> {
    this.#waiting ??= (this.#running ?? Promise.resolve()).then(() => {
      this.#waiting = undefined
      this.#running = this.#write(timeout)
      return this.#running
    })
    return this.#waiting
  }

  async #write(timeout: number): Promise<void> {
    if (this.#isStopped) return
    const bytes = await this.#snapshots.take(timeout)
    this.#latest = bytes
    if (!this.#prepare() || this.#isStopped) return
    try {
      await this.#put(bytes)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') {
        this.#count('write', messageOf(error))
        return
      }
      // Somebody cleans up where programs run: it is made again, without what had ended before.
      this.#count('vanished', messageOf(error))
      this.#isReady = false
      if (this.#prepare()) await this.#put(bytes).catch((again: unknown) => this.#count('write', messageOf(again)))
    }
  }

  async #put(bytes: Uint8Array): Promise<void> {
    const file = path.join(this.directory, this.#file)
    const temporary = path.join(this.directory, temporaryName(this.#file))
    const now = Date.now() / 1000
    // Shows that the thread runs, and that the file is there.
    if (this.#written !== undefined) await utimes(file, now, now)
    try {
      await writeFile(temporary, bytes, { mode: FILE_MODE })
      if (this.#isStopped) return
      await rename(temporary, file)
      this.#written = bytes
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {})
      throw error
    }
  }

  #prepare(): boolean {
    if (this.#isReady) return true
    try {
      prepareDirectory(this.directory)
      this.#isReady = true
      this.#written = undefined
    } catch (error) {
      this.#count('directory', messageOf(error))
    }
    return this.#isReady
  }

  async #read(): Promise<DirectoryView | undefined> {
    try {
      return await readDirectory(this.directory, this.#self.name, (loss) => this.#count(loss))
    } catch (error) {
      this.#count('read', messageOf(error))
      return undefined
    }
  }

  /**
   * The own snapshot is the one that others can read, or a number that was shown here could be smaller there; it is
   * newer only where there are no others, or the directory cannot be used.
   */
  #partsWith(view: DirectoryView | undefined): Part[] {
    const others = view?.parts ?? []
    const bytes = view === undefined || others.length === 0 ? this.#latest : this.#written
    const self = this.#self
    const parts: (Part & { readonly name: string })[] = others.map((part) => ({ ...part, name: part.participant.name }))
    if (bytes !== undefined) {
      parts.push({
        snapshot: new Snapshot(bytes),
        name: self.name,
        process: processOf(self),
        pid: pidLabelOf(self),
        started: self.started,
        isLive: true,
      })
    }
    parts.sort((a, b) => (a.name < b.name ? -1 : 1))
    return view?.archive === undefined ? parts : [...parts, view.archive]
  }

  #processes(view: DirectoryView | undefined): MetricFamily {
    const states = new Map([[processOf(this.#self), 'live']])
    for (const { process: name = '', state } of view?.parts ?? []) {
      // A process is what the liveliest of its threads is.
      const order = ['dead', 'stale', 'live']
      if (order.indexOf(state) > order.indexOf(states.get(name) ?? '')) states.set(name, state)
    }
    const family = new GaugeMetricFamily({
      name: 'narthex_processes',
      help: 'Processes whose metrics are on this page, by state: silent for long (stale), ended, or ended before.',
      labelNames: ['state'],
    })
    const count = (state: string): number => [...states.values()].filter((one) => one === state).length
    for (const state of ['live', 'stale', 'dead']) family.add([state], count(state))
    return family.add(['archived'], view?.archive?.snapshot.head.processes ?? 0)
  }

  async #tick(): Promise<void> {
    // A flush that is late is not joined by more of them.
    if (this.#waiting !== undefined) return
    await this.#flush(FLUSH_TIMEOUT)
    this.#untilAbsorption -= 1
    if (this.#untilAbsorption > 0 || !this.#isReady || this.#absorbing !== undefined || this.#isStopped) return
    // Not all at once: it is the same work for each of them, and one is enough.
    this.#untilAbsorption = Math.ceil(FLUSHES_PER_ABSORPTION * (0.5 + Math.random()))
    this.#absorbing = absorbEnded(this.directory, this.#self, (loss) => this.#count(loss))
      .catch((error: unknown) => this.#count('archive', messageOf(error)))
      .then(() => void (this.#absorbing = undefined))
    await this.#absorbing
  }

  readonly #onExit = (): void => {
    this.#end()
    this.#writeLast()
    const { directory } = this
    if (this.#isAutomatic && isRootOf(directory) && !hasLive(directory, this.#self.world, this.#self.name)) {
      removeDirectory(directory)
    }
  }

  /** A process that nobody else prepares for the signal ends by it, as it would have without us. */
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) > 1) return
    this.#onExit()
    process.kill(process.pid, signal)
  }

  #end(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
    process.off('exit', this.#onExit)
    if (isMainThread) for (const signal of SIGNALS) process.off(signal, this.#onSignal)
    inUse.delete(this.directory)
    if (process.env[DIRECTORY_VARIABLE] === this.directory) delete process.env[DIRECTORY_VARIABLE]
    if (this.#registry.view === this) this.#registry.showThrough(undefined)
  }

  #writeLast(): void {
    if (!this.#isReady) return
    const temporary = path.join(this.directory, temporaryName(this.#file))
    try {
      writeFileSync(temporary, this.#snapshots.takeLast(), { mode: FILE_MODE })
      renameSync(temporary, path.join(this.directory, this.#file))
    } catch (error) {
      this.#count('write', messageOf(error))
      rmSync(temporary, { force: true })
    }
  }

  #count(cause: Cause, message?: string): void {
    this.#registry.countLoss('multiprocess_errors', cause)
    if (this.#warned.has(cause)) return
    this.#warned.add(cause)
    const text = message === undefined ? WARNINGS[cause as keyof typeof WARNINGS] : message
    emitWarning(
      `Directory \`${this.directory}\` of metrics: ${text}. Further ones are counted in narthex_multiprocess_errors_total.`,
      'NARTHEX_MULTIPROCESS',
    )
  }
}

/** Milliseconds that the callbacks of metrics may take for a snapshot; the registry's limit is the shorter one. */
const FLUSH_TIMEOUT = 5_000

const WARNINGS = {
  read: 'a file cannot be read',
  damaged: 'a file is damaged, and its numbers are missing',
  version: 'a file is of another version of the package, and its numbers are missing',
  definition: 'a metric has another type in the newest process, and the others are missing',
}

import { isMainThread } from 'node:worker_threads'
import type { Gatherer, GatherOptions, PageView, ViewOptions } from '../collector.ts'
import type { ExpositionFormat } from '../exposition/format.ts'
import type { MetricFamily } from '../family.ts'
import { GaugeMetricFamily } from '../metric-families.ts'
import type { Registry } from '../registry.ts'
import { emitWarning } from '../warning.ts'
import { absorbEnded } from './archive.ts'
import {
  type ChosenDirectory,
  DIRECTORY_VARIABLE,
  endsWithThis,
  hasLive,
  messageOf,
  removeDirectory,
  sweepDirectories,
} from './directory.ts'
import { type MergeLoss, mergeParts, type Part } from './merge.ts'
import { OwnFile, type WriteLoss } from './own-file.ts'
import { OwnSnapshots } from './own-snapshot.ts'
import { currentParticipant, type Participant, processOf, SNAPSHOT_SUFFIX } from './participant.ts'
import { type DirectoryView, pidLabelOf, readDirectory, type ReadLoss } from './shared-directory.ts'
import { Snapshot } from './snapshot.ts'
import { Turn } from './turn.ts'

/** After this many snapshots a process looks whether others have ended. */
const FLUSHES_PER_ABSORPTION = 3
/** Signals that end a process without a word, unless somebody listens. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const

type Cause = ReadLoss | MergeLoss | WriteLoss | 'archive'

/** Marks the views of every copy of the package, where `instanceof` knows only those of its own. */
const MULTIPROCESS: unique symbol = Symbol.for('@narthex/core/multiprocess/v1')

/** Whether a view is that of this or another copy of the package. */
export function isMultiprocess(view: PageView | undefined): view is Multiprocess {
  return view !== undefined && MULTIPROCESS in view
}

/** Directories of this thread: two registries in one would be taken for two processes. */
const inUse = new Set<string>()

/** Registries that this thread has had in a directory one after the other: each has a file, and what it counted stays. */
const registries = new Map<string, { count: number; readonly numbers: WeakMap<Registry, number> }>()

function numberOf(registry: Registry, directory: string): number {
  let known = registries.get(directory)
  if (known === undefined) registries.set(directory, (known = { count: 0, numbers: new WeakMap() }))
  let number = known.numbers.get(registry)
  if (number === undefined) known.numbers.set(registry, (number = known.count++))
  return number
}

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
  readonly #snapshots: OwnSnapshots
  readonly #file: OwnFile
  readonly #isAutomatic: boolean
  readonly #timer: NodeJS.Timeout
  readonly #warned = new Set<Cause>()
  #isStopped = false
  /** What was read last. */
  #view: DirectoryView | undefined = undefined
  /** A page has shown what others cannot read: the next ones do, too, or a counter would go down. */
  #isAhead = false
  /** The last snapshot, whether or not others can read it. */
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
    this.#self = currentParticipant(numberOf(registry, directory))
    this.#file = new OwnFile(directory, `${this.#self.name}${SNAPSHOT_SUFFIX}`, (loss, why) => this.#count(loss, why))
    this.#snapshots = new OwnSnapshots(registry, interval)
    inUse.add(directory)
    process.env[DIRECTORY_VARIABLE] = directory
    if (this.#file.prepare() && isAutomatic) sweepDirectories(directory)
    registry.showThrough(this)
    process.on('exit', this.#onExit)
    if (isMainThread) for (const signal of SIGNALS) process.on(signal, this.#onSignal)
    this.#timer = setInterval(() => void this.#tick(), interval)
    this.#timer.unref()
  }

  /** Whether a registry of this thread has that directory. @internal */
  static isInUse(directory: string): boolean {
    return inUse.has(directory)
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
    this.#file.writeLast(() => this.#snapshots.takeLast())
    this.#forgetEnding()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** @internal */
  async *families({ timeout, wants }: ViewOptions): AsyncGenerator<MetricFamily, void, void> {
    await this.#flush(timeout)
    const view = this.#file.prepare() ? await this.#read() : undefined
    const parts = this.#partsWith(view)
    const merging = { turn: new Turn(), onLoss: (loss: MergeLoss) => this.#count(loss), wants }
    for await (const merged of mergeParts(parts, merging)) yield merged.toFamily()
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
    try {
      const bytes = await this.#snapshots.take(timeout)
      this.#latest = bytes
      if (!this.#isStopped) await this.#file.write(bytes)
    } catch (error) {
      this.#count('write', messageOf(error))
    }
  }

  /** Whatever cannot be read now is as it was read last: without it a counter would go down. */
  async #read(): Promise<DirectoryView | undefined> {
    const before = this.#view
    const lost = new Set<string>()
    const onLoss = (loss: ReadLoss, file: string): void => {
      lost.add(file)
      this.#count(loss)
    }
    try {
      const view = await readDirectory(this.directory, this.#self.name, onLoss)
      const kept = before?.parts.filter(({ participant }) => lost.has(participant.name + SNAPSHOT_SUFFIX)) ?? []
      const archive = view.archive ?? (view.generation === before?.generation ? before.archive : undefined)
      this.#view = { ...view, parts: [...view.parts, ...kept], archive }
    } catch (error) {
      this.#count('read', messageOf(error))
    }
    return this.#view
  }

  /**
   * The own snapshot is the one that others can read, or a number that was shown here could be smaller there; it is
   * newer only where there are no others, or the directory cannot be used.
   */
  #partsWith(view: DirectoryView | undefined): Part[] {
    const others = view?.parts ?? []
    const isAlone = view === undefined || others.length === 0
    this.#isAhead = this.#file.isBehind && (isAlone || this.#isAhead)
    const bytes = isAlone || this.#isAhead ? this.#latest : this.#file.written
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
      help: 'Processes on this page, by state: live, stale (silent for long), dead (ended), archived (ended before).',
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
    if (this.#untilAbsorption > 0 || !this.#file.prepare() || this.#absorbing !== undefined || this.#isStopped) return
    // Not all at once: it is the same work for each of them, and one is enough.
    this.#untilAbsorption = Math.ceil(FLUSHES_PER_ABSORPTION * (0.5 + Math.random()))
    this.#absorbing = absorbEnded(this.directory, this.#self, (loss) => this.#count(loss))
      .catch((error: unknown) => this.#count('archive', messageOf(error)))
      .then(() => void (this.#absorbing = undefined))
    await this.#absorbing
  }

  readonly #onExit = (): void => {
    this.#end()
    this.#file.writeLast(() => this.#snapshots.takeLast())
    const { directory } = this
    if (this.#isAutomatic && endsWithThis(directory) && !hasLive(directory, this.#self.world, this.#self)) {
      removeDirectory(directory)
    }
  }

  /** A process that nobody else prepares for the signal ends by it, as it would have without us. */
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) > 1) return
    this.#onExit()
    this.#forgetEnding()
    process.kill(process.pid, signal)
  }

  #end(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
    inUse.delete(this.directory)
    if (process.env[DIRECTORY_VARIABLE] === this.directory) delete process.env[DIRECTORY_VARIABLE]
    if (this.#registry.view === this) this.#registry.showThrough(undefined)
  }

  /** The last snapshot is written: until then the process may end at any time, while it is stopped as well. */
  #forgetEnding(): void {
    process.off('exit', this.#onExit)
    if (isMainThread) for (const signal of SIGNALS) process.off(signal, this.#onSignal)
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

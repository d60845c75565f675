import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../../test/until.ts'
import { absorbEnded } from '../../src/multiprocess/archive.ts'
import { currentParticipant } from '../../src/multiprocess/participant.ts'
import { bundled } from '../push/built-program.ts'
import { deadName, enabled, leaveDead, linesOf, sharedDirectory, temporaryFolder } from './shared-folder.ts'

const PROGRAMS = ['writer', 'absorber', 'reader'] as const
type ProgramName = (typeof PROGRAMS)[number]

const FILE_CALLS = fileURLToPath(new URL('programs/file-calls.mjs', import.meta.url))
/** When a process is killed: before a call, while it writes, after a call. */
const MOMENTS = ['before', 'empty', 'half', 'after']
const NOWHERE = '0:never:SIGKILL'
/** Children at a time: the machine may have two processors. */
const AT_A_TIME = 3

let programs: string
beforeAll(() => {
  programs = mkdtempSync(join(tmpdir(), 'narthex-programs-'))
  for (const name of PROGRAMS) {
    mkdirSync(join(programs, name))
    bundled(new URL(`programs/${name}.mjs`, import.meta.url), join(programs, name))
  }
})
afterAll(() => rmSync(programs, { recursive: true }))

const children = new Set<ChildProcess>()
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})

interface Child {
  readonly child: ChildProcess
  readonly ended: Promise<{ readonly signal: NodeJS.Signals | null; readonly output: string; readonly calls: string[] }>
}

/** Runs a program on a directory, with `call` saying where it ends (see file-calls.mjs). */
function start(program: ProgramName, directory: string, call: string, ...args: string[]): Child {
  const child = spawned(program, [directory, ...args], { FILE_CALL: call, FILE_CALL_FOLDER: directory })
  let output = ''
  child.stdout?.on('data', (text: string) => (output += text))
  const ended = once(child, 'close').then(([, signal]) => {
    return { signal: signal as NodeJS.Signals | null, output, calls: callsIn(output) }
  })
  return { child, ended }
}

function spawned(program: ProgramName, args: string[], more: NodeJS.ProcessEnv): ChildProcess {
  const { NODE_OPTIONS: _, NARTHEX_MULTIPROCESS_DIR: __, ...env } = process.env
  const file = join(programs, program, 'program.mjs')
  const child = spawn(process.execPath, ['--import', FILE_CALLS, file, ...args], {
    env: { ...env, ...more },
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 180_000,
    killSignal: 'SIGKILL',
  })
  child.stdout.setEncoding('utf8')
  children.add(child)
  return child
}

function callsIn(output: string): string[] {
  return JSON.parse(/^calls (.*)$/m.exec(output)?.[1] ?? '[]') as string[]
}

/** A process that does one job after another, each on its directory, and can be held up in each. */
class Jobs {
  readonly #child: ChildProcess
  #output = ''

  constructor(program: ProgramName, calls: 'changing' | 'reading') {
    this.#child = spawned(program, [], { FILE_CALL: NOWHERE, FILE_CALLS: calls })
    this.#child.stdout?.on('data', (text: string) => (this.#output += text))
  }

  /** Begins one. The one before is done. */
  begin(directory: string, point: string = '0:never'): void {
    this.#output = ''
    this.#child.stdin?.write(`${JSON.stringify({ directory, call: `${point}:SIGSTOP` })}\n`)
  }

  /** Resolves when it has stopped itself. */
  async heldUp(): Promise<void> {
    const hasStopped = (): boolean => {
      const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'latin1')
      return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')
    }
    await until('the child has stopped itself', hasStopped, { interval: 5 })
  }

  goOn(): void {
    this.#child.kill('SIGCONT')
  }

  /** What it printed, when it is done. */
  async done(): Promise<{ readonly output: string; readonly calls: string[] }> {
    const hasEnded = (): boolean => this.#child.exitCode !== null || this.#child.signalCode !== null
    await until('the job is done', () => hasEnded() || this.#output.endsWith('done\n'), { interval: 5 })
    if (hasEnded()) throw new Error(`The process has ended:\n${this.#output}`)
    return { output: this.#output, calls: callsIn(this.#output) }
  }
}

/** A process for each of those that run at a time. */
function jobsFor(program: ProgramName, calls: 'changing' | 'reading'): [Jobs, ...Jobs[]] {
  return Array.from({ length: AT_A_TIME }, () => new Jobs(program, calls)) as [Jobs, ...Jobs[]]
}

/** Every point at which a program with these calls can be killed, as FILE_CALL has it. */
function pointsOf(calls: readonly string[]): string[] {
  return calls.flatMap((kind, index) => {
    const moments = kind === 'writeFile' ? MOMENTS : ['before', 'after']
    return moments.map((moment) => `${index + 1}:${moment}`)
  })
}

/** Runs a check for each point, and says at which one it failed. */
async function forEach(
  points: readonly string[],
  run: (point: string, runner: number) => Promise<void>,
): Promise<void> {
  const queue = [...points]
  const runner = async (_: unknown, number: number): Promise<void> => {
    for (let point = queue.shift(); point !== undefined; point = queue.shift()) {
      try {
        await run(point, number)
      } catch (error) {
        throw new Error(`at ${point}: ${(error as Error).message}`, { cause: error })
      }
    }
  }
  // Whoever still runs writes into folders that go with the test.
  const settled = await Promise.allSettled(Array.from({ length: AT_A_TIME }, runner))
  for (const one of settled) if (one.status === 'rejected') throw one.reason
}

/** What a process that has just begun shows of a directory. */
async function readBy(directory: string): Promise<Record<string, number>> {
  const { registry, shared } = enabled(directory)
  const lines = linesOf(await registry.metrics())
  await shared.stop()
  // As if it had never been there: the next reader is this thread again.
  for (const file of readdirSync(directory))
    if (file.startsWith(currentParticipant().name.replace(/\d+$/, ''))) rmSync(join(directory, file))
  return lines
}

function errorsIn(lines: Record<string, number>): string[] {
  return Object.keys(lines).filter((name) => name.startsWith('narthex_multiprocess_errors_total'))
}

describe('a process that is killed while it writes', () => {
  it.each(['stop', 'exit'])(
    'leaves the snapshot before or the one after, up to its %s',
    async (ending) => {
      const whole = await start('writer', join(temporaryFolder(), 'shared'), NOWHERE, ending).ended
      expect(whole.signal).toBe(null)
      expect(whole.calls).toEqual(expect.arrayContaining(['mkdir', 'chmod', 'writeFile', 'rename', 'utimes']))
      expect(whole.calls.filter((call) => call === 'writeFile')).toHaveLength(3)
      const points = pointsOf(whole.calls)
      const folder = temporaryFolder()
      const totals = new Set<number>()
      await forEach(points, async (point) => {
        const directory = join(folder, point.replace(':', '-'))
        const { signal, output } = await start('writer', directory, `${point}:SIGKILL`, ending).ended
        expect(signal).toBe('SIGKILL')
        const lines = await readBy(directory)
        const words = output.trim().split('\n')
        const said = words.filter((word) => word.startsWith('writing')).map((word) => Number(word.split(' ')[1]))
        const [before, after] = [said.at(-2) ?? 0, said.at(-1)]
        const valid = words.at(-1) === 'written' ? [after] : [before, after]
        const total = lines['total_total'] ?? 0
        expect(valid).toContain(total)
        expect(lines['seconds_count'] ?? 0).toBe(total)
        expect(errorsIn(lines)).toEqual([])
        totals.add(total)
      })
      expect([...totals].sort((a, b) => a - b)).toEqual([0, 5, 8, 12])
    },
    180_000,
  )
})

/**
 * Makes directories that are all the same: an archive, files of processes that have ended, and what killed ones have left.
 */
async function directoriesToAbsorb(): Promise<(name: string) => string> {
  const directory = sharedDirectory()
  await leave(directory, 0)
  await leave(directory, 1)
  await absorbEnded(directory, currentParticipant(), (loss) => expect.unreachable(loss))
  await leave(directory, 2)
  await leave(directory, 3)
  writeFileSync(join(directory, `.${deadName(4)}.tmp`), 'half')
  const folder = temporaryFolder()
  return (name) => {
    const copy = join(folder, name)
    cpSync(directory, copy, { recursive: true })
    return copy
  }
}

/** A process that has ended has counted its number and a half. */
async function leave(directory: string, number: number): Promise<void> {
  await leaveDead(directory, number, (registry) => {
    registry.counter({ name: 'total', help: '' }).inc(10 ** number)
    registry.histogram({ name: 'seconds', help: '', buckets: [1] }).observe(0.1 * (number + 1))
    registry.counter({ name: 'each', help: '', labelNames: ['process'] }).inc({ process: number })
  })
}

const FOUR = {
  total_total: 1111,
  seconds_count: 4,
  seconds_sum: 1,
  'each_total{process="0"}': 1,
  'each_total{process="3"}': 1,
}
const FIVE = { ...FOUR, total_total: 11_111, seconds_count: 5, seconds_sum: 1.5, 'each_total{process="4"}': 1 }

/** Checks a directory as it is, and again when somebody has absorbed all there is. */
async function expectWhole(directory: string, whole: Record<string, number>): Promise<void> {
  const lines = await readBy(directory)
  expect(lines).toMatchObject(whole)
  expect(errorsIn(lines)).toEqual([])
  const gone = 'narthex_processes{state="dead"}'
  const archived = 'narthex_processes{state="archived"}'
  const processes = whole['seconds_count']
  expect((lines[gone] as number) + (lines[archived] as number)).toBe(processes)
  await absorbEnded(directory, currentParticipant(), (loss) => expect.unreachable(loss))
  // Once more: what the first has found left over goes now.
  await absorbEnded(directory, currentParticipant(), (loss) => expect.unreachable(loss))
  const after = await readBy(directory)
  expect(after).toMatchObject({ ...whole, [gone]: 0, [archived]: processes })
  expect(readdirSync(directory)).toEqual([expect.stringMatching(/^archive-\d+$/)])
}

describe('a process that takes in the files of those that have ended', () => {
  it('leaves every number as it was wherever it is killed', async () => {
    const copyFor = await directoriesToAbsorb()
    const whole = await start('absorber', copyFor('whole'), NOWHERE).ended
    expect(whole.output).toContain('absorbed 2\n')
    expect(whole.calls).toEqual(expect.arrayContaining(['writeFile', 'link', 'unlink', 'rm']))
    await forEach(pointsOf(whole.calls), async (point) => {
      const copy = copyFor(point.replace(':', '-'))
      const { signal } = await start('absorber', copy, `${point}:SIGKILL`).ended
      expect(signal).toBe('SIGKILL')
      await expectWhole(copy, FOUR)
    })
  }, 180_000)

  it('leaves every number as it was when others do the same while it is held up', async () => {
    const copyFor = await directoriesToAbsorb()
    const absorbers = jobsFor('absorber', 'reading')
    absorbers[0].begin(copyFor('whole'))
    const { calls } = await absorbers[0].done()
    expect(calls).toEqual(expect.arrayContaining(['readdir', 'open', 'link']))
    await forEach(pointsOf(calls), async (point, runner) => {
      const copy = copyFor(point.replace(':', '-'))
      const absorber = absorbers[runner] as Jobs
      absorber.begin(copy, point)
      await absorber.heldUp()
      await absorbEnded(copy, currentParticipant(), (loss) => expect.unreachable(loss))
      expect(await readBy(copy)).toMatchObject(FOUR)
      await leave(copy, 4)
      await absorbEnded(copy, currentParticipant(), (loss) => expect.unreachable(loss))
      expect(await readBy(copy)).toMatchObject(FIVE)
      absorber.goOn()
      const { output } = await absorber.done()
      expect(output).not.toContain('lost')
      await expectWhole(copy, FIVE)
    })
  }, 180_000)
})

describe('a scrape', () => {
  it('has every number while others take in files, wherever it is held up', async () => {
    const copyFor = await directoriesToAbsorb()
    const readers = jobsFor('reader', 'reading')
    readers[0].begin(copyFor('whole'))
    const { calls, output } = await readers[0].done()
    expect(linesOf(pageIn(output))).toMatchObject(FOUR)
    await forEach(pointsOf(calls), async (point, runner) => {
      const copy = copyFor(point.replace(':', '-'))
      const reader = readers[runner] as Jobs
      reader.begin(copy, point)
      await reader.heldUp()
      await absorbEnded(copy, currentParticipant(), (loss) => expect.unreachable(loss))
      reader.goOn()
      const { output } = await reader.done()
      if (!output.includes('page ')) expect.unreachable(`${point}: ${output}`)
      const lines = linesOf(pageIn(output))
      expect(lines).toMatchObject(FOUR)
      expect(errorsIn(lines)).toEqual([])
    })
  }, 180_000)

  it('has every number while another has taken in files by half', async () => {
    const copyFor = await directoriesToAbsorb()
    const readers = jobsFor('reader', 'reading')
    const absorbers = jobsFor('absorber', 'changing')
    readers[0].begin(copyFor('read'))
    const reading = await readers[0].done()
    // The archive is opened first: what is found now may be gone when it is read.
    const opened = `${reading.calls.indexOf('open') + 1}:after`
    absorbers[0].begin(copyFor('absorbed'))
    const { calls } = await absorbers[0].done()
    await forEach(pointsOf(calls), async (point, runner) => {
      const copy = copyFor(point.replace(':', '-'))
      const [reader, absorber] = [readers[runner] as Jobs, absorbers[runner] as Jobs]
      reader.begin(copy, opened)
      await reader.heldUp()
      absorber.begin(copy, point)
      await absorber.heldUp()
      reader.goOn()
      const lines = linesOf(pageIn((await reader.done()).output))
      expect(lines).toMatchObject(FOUR)
      expect(errorsIn(lines)).toEqual([])
      absorber.goOn()
      await absorber.done()
    })
  }, 180_000)
})

function pageIn(output: string): string {
  return JSON.parse(/^page (.*)$/m.exec(output)?.[1] ?? '""') as string
}

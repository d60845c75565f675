import { setTimeout as sleep } from 'node:timers/promises'
import { emptySnapshot, type Snapshot, takeSnapshot } from './snapshot.ts'
import { type Paint, paintFor } from './table.ts'
import type { Traffic } from './traffic.ts'
import { finalView, liveView } from './view.ts'

/** Milliseconds from one scrape to the next. */
const INTERVAL = 1_000

/** How many scrapes a live table looks back: rates over one alone would flicker. */
const LOOK_BACK = 5

const ERASE_TO_END = '\u001B[0J'
const HIDE_CURSOR = '\u001B[?25l'
const SHOW_CURSOR = '\u001B[?25h'
/** A line that is too long is cut by a terminal that does not wrap, so that a frame has as many rows as it has lines. */
const WRAP_OFF = '\u001B[?7l'
const WRAP_ON = '\u001B[?7h'

/**
 * Shows the page as numbers, every second in place on a terminal, every few seconds one below the other elsewhere. It
 * knows nothing but the page, which it scrapes as any Prometheus would.
 */
export class Dashboard {
  readonly #url: string
  readonly #output: NodeJS.WriteStream
  readonly #paint: Paint
  readonly #stop = new AbortController()
  readonly #opened: Snapshot = emptySnapshot()
  readonly #running: Promise<void>
  /** How many lines of the last frame are to be drawn over. */
  #drawn = 0

  constructor(url: string, output: NodeJS.WriteStream) {
    this.#url = url
    this.#output = output
    this.#paint = paintFor(output)
    this.#running = this.#run()
  }

  /** Ends the live view. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#draw([])
    process.off('exit', this.#restoreTerminal)
    this.#restoreTerminal()
  }

  /** Prints the table of the whole run. */
  async printFinal(traffic: Traffic): Promise<void> {
    const last = await takeSnapshot(this.#url)
    this.#output.write(`${finalView(this.#opened, last, traffic, this.#paint).join('\n')}\n`)
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    if (this.#output.isTTY) this.#output.write(HIDE_CURSOR + WRAP_OFF)
    process.once('exit', this.#restoreTerminal)
    const recent = [this.#opened]
    for (let round = 1; await sleep(INTERVAL, true, { signal }).catch(() => false); round++) {
      const lines = await this.#linesOf(recent)
      if (signal.aborted) return
      if (this.#output.isTTY) this.#draw(lines)
      else if (round % LOOK_BACK === 0) this.#output.write(`${lines.join('\n')}\n\n`)
    }
  }

  async #linesOf(recent: Snapshot[]): Promise<string[]> {
    try {
      const now = await takeSnapshot(this.#url)
      recent.push(now)
      if (recent.length > LOOK_BACK + 1) recent.shift()
      return liveView(recent[0] as Snapshot, now, this.#paint)
    } catch (error) {
      return [this.#paint('red', `The page cannot be read: ${error instanceof Error ? error.message : String(error)}`)]
    }
  }

  readonly #restoreTerminal = (): void => {
    if (this.#output.isTTY) this.#output.write(WRAP_ON + SHOW_CURSOR)
  }

  #draw(lines: readonly string[]): void {
    if (!this.#output.isTTY) return
    // The top of a frame that is taller than the terminal could not be reached again. Some terminals tell no size.
    const rows = this.#output.rows > 1 ? this.#output.rows - 1 : lines.length
    const shown = lines.slice(0, rows)
    const up = this.#drawn === 0 ? '' : `\u001B[${this.#drawn}A\r`
    this.#output.write(up + ERASE_TO_END + shown.map((line) => `${line}\n`).join(''))
    this.#drawn = shown.length
  }
}

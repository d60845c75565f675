import type { Connection } from './connection.ts'
import type { RemoteWriteFailure } from './remote-write-error.ts'
import type { SampleQueue } from './sample-queue.ts'
import { encodeWriteRequest } from './write-request.ts'

/** Milliseconds before the first retry; each further one waits twice as long, to the longest. */
const FIRST_WAIT = 100
const LONGEST_WAIT = 10_000
const LONGEST_TIMER = 0x7fffffff

/** What a {@link Sender} tells of. */
export interface SenderEvents {
  delivered(samples: number, bytes: number): void
  /** The server does not want them, and would not want them later either. */
  refused(samples: number, failure: RemoteWriteFailure): void
  /** It will be tried again. */
  retrying(failure: RemoteWriteFailure): void
}

interface SenderOptions {
  readonly queue: SampleQueue
  readonly connection: Connection
  readonly maxSamplesPerSend: number
  readonly events: SenderEvents
}

/**
 * Empties a queue, one request at a time and the oldest samples first, as the order within a series must be kept. A
 * request that finds no answer, or 429 or 5xx, is sent again, for ever: the queue drops what it cannot hold.
 */
export class Sender {
  readonly #options: SenderOptions
  readonly #abort = new AbortController()
  #metadata: readonly Uint8Array[] = []
  #running: Promise<void> | undefined
  /** Attempts in a row that have failed. */
  #failures = 0
  #hurry: (() => void) | undefined

  constructor(options: SenderOptions) {
    this.#options = options
  }

  /** Sends descriptions of families with the next request, in place of those that have not gone yet. */
  describe(metadata: readonly Uint8Array[]): void {
    this.#metadata = metadata
  }

  /** Resolves when the queue is empty, or after {@link abort}. Never rejects. */
  send(): Promise<void> {
    if (this.#running === undefined && this.#options.queue.length > 0 && !this.#abort.signal.aborted) {
      this.#running = this.#empty()
    }
    return this.#running ?? Promise.resolve()
  }

  /** Begins anew with short waits, and ends the one under way unless the server has asked for it. */
  hurry(): void {
    this.#failures = 0
    this.#hurry?.()
  }

  /** Gives up for good, and the request that is under way. */
  abort(): void {
    this.#abort.abort()
  }

  async #empty(): Promise<void> {
    const { queue, connection, maxSamplesPerSend, events } = this.#options
    const { signal } = this.#abort
    while (queue.length > 0 && !signal.aborted) {
      const samples = queue.hold(maxSamplesPerSend)
      const metadata = this.#metadata
      const message = encodeWriteRequest(samples, metadata)
      let failure: RemoteWriteFailure
      let asked = 0
      try {
        const answer = await connection.post(message, signal)
        const { status, text, header } = answer
        if (status >= 200 && status < 300) {
          if (this.#metadata === metadata) this.#metadata = []
          this.#failures = 0
          events.delivered(queue.remove(), message.length)
          continue
        }
        failure = { status, body: text, location: header('location') }
        if (status !== 429 && status < 500) {
          this.#failures = 0
          events.refused(queue.remove(), failure)
          continue
        }
        asked = retryAfter(header('retry-after'))
      } catch (cause) {
        failure = { cause }
      }
      queue.release()
      if (signal.aborted) break
      events.retrying(failure)
      await this.#wait(backOff(this.#failures++), asked)
    }
    // In the same breath as the last look at the queue: who adds to it from now on starts anew.
    this.#running = undefined
  }

  /** Waits without keeping the process alive. */
  #wait(backOff: number, asked: number): Promise<void> {
    const { signal } = this.#abort
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#hurry = undefined
        resolve()
      }
      const timer = setTimeout(done, Math.min(Math.max(backOff, asked), LONGEST_TIMER)).unref()
      signal.addEventListener('abort', done)
      if (asked === 0) this.#hurry = done
    })
  }
}

/** Apart by chance, so that writers which failed together do not come back together. */
function backOff(failures: number): number {
  return Math.min(FIRST_WAIT * 2 ** failures, LONGEST_WAIT) * (0.75 + Math.random() / 2)
}

/** RFC 9110, 10.2.3: seconds, or a date. */
function retryAfter(value = ''): number {
  const wait = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now()
  return wait > 0 ? wait : 0
}

import { setTimeout as sleep } from 'node:timers/promises'
import { linesOf } from './shared-folder.ts'
import type { Place, Service } from './service.ts'

/** Milliseconds between two requests to one process. */
const PAUSE = 8

interface Acknowledged {
  readonly at: number
  readonly isThread: boolean
}

/** Sends requests to every process of a service, one at a time to each, and knows which ones were answered. */
export class Load {
  readonly #service: Service
  readonly #answered = new Map<string, Acknowledged[]>()
  readonly #served = new Set<string>()
  readonly #ends: { readonly name: string; readonly at: number; readonly what: 'all' | 'thread' }[] = []
  #runs: Promise<void>[] = []
  #isOver = false
  /** Of those that a thread of the process answers, and of the others. */
  readonly acknowledgedBy = { thread: 0, main: 0 }
  /** Requests that may or may not have been counted. */
  unanswered = 0

  constructor(service: Service) {
    this.#service = service
  }

  get acknowledged(): number {
    return this.acknowledgedBy.main + this.acknowledgedBy.thread
  }

  start(): void {
    const look = async (): Promise<void> => {
      for (; !this.#isOver; await sleep(20)) {
        for (const place of this.#service.places()) {
          if (this.#served.has(place.name)) continue
          this.#served.add(place.name)
          this.#runs.push(this.#serve(place))
        }
      }
    }
    this.#runs.push(look())
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#runs)
    this.#runs = []
  }

  /** Says that a process ends without a word, or a thread of it: now, or after its last answer. */
  losesTraffic({ name }: Place, what: 'all' | 'thread', when: 'now' | 'later' = 'now'): void {
    this.#ends.push({ name, at: when === 'now' ? performance.now() : Infinity, what })
  }

  /** How much of what was answered can be lost: that of the last interval of whoever has ended without a word. */
  bound(interval: number): number {
    const lost = new Set<Acknowledged>()
    for (const { name, at: said, what } of this.#ends) {
      const answered = this.#answered.get(name) ?? []
      const at = Math.min(said, answered.at(-1)?.at ?? 0)
      for (const one of answered) {
        if (one.at > at - interval && one.at <= at + 50 && (what === 'all' || one.isThread)) lost.add(one)
      }
    }
    return lost.size
  }

  async #serve({ name, port }: Place): Promise<void> {
    const answered: Acknowledged[] = []
    this.#answered.set(name, answered)
    for (let number = 0; !this.#isOver; number++) {
      const isThread = number % 2 === 1
      try {
        const { status } = await this.#service.ask(port, `${isThread ? '/thread' : '/'}?number=${number % 9}`, 8_000)
        if (status === 200) {
          answered.push({ at: performance.now(), isThread })
          this.acknowledgedBy[isThread ? 'thread' : 'main'] += 1
        } else this.unanswered += 1
      } catch {
        this.unanswered += 1
        return
      }
      await sleep(PAUSE)
    }
  }
}

/** Reads the page of one process after the other, five times a second, and compares. */
export class Scraper {
  readonly #service: Service
  readonly #isFree: (place: Place) => boolean
  readonly #last = new Map<string, number>()
  #reading: string | undefined = undefined
  #times: number[] = []
  #run: Promise<void> = Promise.resolve()
  #isOver = false
  /** Answers that are no page. */
  readonly failures: string[] = []
  /** Pages that did not come, or not whole: whose, and why. */
  readonly unreachable: { readonly name: string; readonly reason: string }[] = []
  /** Lines that were less than before. */
  readonly decreases: string[] = []
  /** Lines of narthex_multiprocess_errors_total. */
  errors: string[] = []
  /** How often there was nobody to be asked. */
  missed = 0

  constructor(service: Service, isFree: (place: Place) => boolean = () => true) {
    this.#service = service
    this.#isFree = isFree
  }

  /** How many requests a page tells of. */
  static requestsOn(page: string): number {
    const lines = linesOf(page)
    return (lines['requests_total{kind="main"}'] ?? 0) + (lines['requests_total{kind="thread"}'] ?? 0)
  }

  start(): void {
    const scrapes = async (): Promise<void> => {
      for (let round = 0; !this.#isOver; round++) {
        const start = performance.now()
        await this.#scrape(round)
        await sleep(Math.max(0, 200 - (performance.now() - start)))
      }
    }
    this.#run = scrapes()
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#run
  }

  isReading({ name }: Place): boolean {
    return name === this.#reading
  }

  /** How many scrapes there were since their times were last asked for. */
  get scrapes(): number {
    return this.#times.length
  }

  /** Milliseconds of the scrapes since it was last asked. */
  takeTimes(): number[] {
    const times = this.#times
    this.#times = []
    return times
  }

  async #scrape(round: number): Promise<void> {
    const places = this.#service.places().filter(this.#isFree)
    const place = places[round % places.length]
    if (place === undefined) {
      this.missed += 1
      return
    }
    this.#reading = place.name
    try {
      const start = performance.now()
      const { status, body } = await this.#service.ask(place.port, '/metrics', 10_000)
      this.#times.push(performance.now() - start)
      if (status === 200) this.#compare(body, `scrape ${round} of ${place.name}`)
      else this.failures.push(`${status} ${body}`)
    } catch (error) {
      this.unreachable.push({ name: place.name, reason: String(error) })
    } finally {
      this.#reading = undefined
    }
  }

  #compare(page: string, where: string): void {
    const lines = linesOf(page)
    for (const [name, value] of Object.entries(lines)) {
      if (!/^(requests|seconds|sizes|waits)_(total|count|sum|bucket)\b/.test(name)) continue
      const before = this.#last.get(name) ?? 0
      if (value < before) this.decreases.push(`${name} from ${before} to ${value}, ${where}`)
      this.#last.set(name, value)
    }
    for (const name of this.#last.keys()) if (!(name in lines)) this.decreases.push(`${name} is gone, ${where}`)
    this.errors = Object.entries(lines)
      .filter(([name]) => name.startsWith('narthex_multiprocess_errors'))
      .map(String)
  }
}

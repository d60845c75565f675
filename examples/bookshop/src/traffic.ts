import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { CATALOGUE, GENRES } from './catalogue.ts'

export interface TrafficOptions {
  /** Where the shop is: `http://localhost:3000`. */
  readonly url: string
  /**
   * How many visit at the same time: never more requests than this are under way.
   * @default 24
   */
  readonly customers?: number
  /**
   * Milliseconds that a customer reads between two requests, on average.
   * @default 150
   */
  readonly pause?: number
}

/** A request that ended, as the customer saw it. */
export interface Visit {
  /** `GET /books/:isbn` */
  readonly route: string
  /** When it ended: milliseconds since the epoch. */
  readonly at: number
  /** From sending the request to the last byte of its answer. */
  readonly seconds: number
  /** 499 where the customer left before the end, 0 where no whole answer came. */
  readonly status: number
}

interface Wish {
  readonly route: string
  /** How many of a hundred requests. */
  readonly share: number
  readonly path: () => string
  readonly body?: () => unknown
  /** How often the customer leaves after the first bytes, 0 to 1. */
  readonly leaves?: number
}

const WISHES: readonly Wish[] = [
  { route: 'GET /books', share: 26, path: () => (Math.random() < 0.5 ? '/books' : `/books?genre=${oneOf(GENRES)}`) },
  { route: 'GET /books/:isbn', share: 32, path: () => `/books/${someIsbn()}` },
  { route: 'GET /books/:isbn/reviews', share: 12, path: () => `/books/${someIsbn()}/reviews` },
  { route: 'GET /books/:isbn/reviews/:id', share: 6, path: () => `/books/${someIsbn()}/reviews/${oneOf([1, 2])}` },
  {
    route: 'POST /orders',
    share: 8,
    path: () => '/orders',
    body: () => ({ isbn: someIsbn(), copies: oneOf([1, 1, 2, 3]) }),
  },
  { route: 'GET /search', share: 5, path: () => `/search?q=${oneOf(['of', 'the', 'pro', 'dead'])}` },
  { route: 'GET /offers', share: 5, path: () => '/offers' },
  { route: 'GET /catalogue.csv', share: 4, path: () => '/catalogue.csv', leaves: 0.2 },
  { route: 'GET <unmatched>', share: 2, path: () => `/${Math.random().toString(36).slice(2)}.php` },
]

/** The latest visits that are remembered one by one: enough for exact quantiles, and no more memory in a week. */
const REMEMBERED = 50_000

const TIMEOUT = 10_000

/**
 * Customers who visit the shop until they are told to stop: each sends a request, waits for the answer and reads it for
 * a while. What they saw is measured here, without any metric, so that it can be held against what the page says.
 */
export class Traffic {
  /** How many requests ended, by route. */
  readonly sent = new Map<string, number>(WISHES.map(({ route }) => [route, 0]))
  #visits: Visit[] = []
  readonly #options: Required<TrafficOptions>
  readonly #agent: Agent
  readonly #stop = new AbortController()
  readonly #customers: Promise<void>[]

  constructor(options: TrafficOptions) {
    const { url, customers = 24, pause = 150 } = options
    this.#options = { url, customers, pause }
    this.#agent = new Agent({ keepAlive: true, maxSockets: customers })
    // Every customer listens to the signal, which is no leak.
    setMaxListeners(customers, this.#stop.signal)
    this.#customers = Array.from({ length: customers }, () => this.#visit())
  }

  /** How many requests ended, of all routes. */
  get total(): number {
    return [...this.sent.values()].reduce((sum, count) => sum + count, 0)
  }

  /** The latest visits, oldest first. */
  get visits(): readonly Visit[] {
    return this.#visits.slice(-REMEMBERED)
  }

  /** Lets requests under way come to their end, sends no new ones, and closes all connections. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#customers)
    this.#agent.destroy()
  }

  async #visit(): Promise<void> {
    const { signal } = this.#stop
    const { pause } = this.#options
    while (await rested(2 * pause * Math.random(), signal)) {
      const wish = someWish()
      const start = performance.now()
      const status = await this.#send(wish)
      this.#remember({ route: wish.route, at: Date.now(), seconds: (performance.now() - start) / 1_000, status })
    }
  }

  #send(wish: Wish): Promise<number> {
    const body = wish.body === undefined ? undefined : JSON.stringify(wish.body())
    const [method] = wish.route.split(' ', 1)
    const headers: Record<string, string | number> = { traceparent: someTrace() }
    if (body !== undefined)
      Object.assign(headers, { 'Content-Type': 'application/json', 'Content-Length': body.length })
    const options = { agent: this.#agent, method, headers, timeout: TIMEOUT }
    return new Promise((resolve) => {
      const request = httpRequest(this.#options.url + wish.path(), options)
      request.on('timeout', () => request.destroy(new Error('The shop took too long.')))
      request.on('error', (error) => resolve(wasClosedBefore(request, error) ? this.#send(wish) : 0))
      request.on('response', (response) => {
        response.on('error', () => resolve(0))
        if (Math.random() < (wish.leaves ?? 0)) resolve(leave(request, response))
        else response.resume().on('end', () => resolve(response.statusCode ?? 0))
      })
      request.end(body)
    })
  }

  #remember(visit: Visit): void {
    this.sent.set(visit.route, (this.sent.get(visit.route) ?? 0) + 1)
    this.#visits.push(visit)
    if (this.#visits.length > 2 * REMEMBERED) this.#visits = this.#visits.slice(-REMEMBERED)
  }
}

/** The value that a share of `q` of the values is at most: exact, where a histogram can only estimate. NaN for none. */
export function exactQuantile(q: number, values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? NaN
}

/**
 * The shop closes connections that rest, and may do so just when a customer takes one up again: then it never saw the
 * request, which a client sends once more (RFC 9112, section 9.3.1).
 */
function wasClosedBefore(request: ClientRequest, error: NodeJS.ErrnoException): boolean {
  return request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
}

function leave(request: ClientRequest, response: IncomingMessage): Promise<number> {
  return new Promise((resolve) => {
    response.once('data', () => request.destroy())
    response.once('close', () => resolve(499))
  })
}

/** False where the rest was ended by the signal. */
async function rested(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return sleep(milliseconds, true, { signal }).catch(() => false)
}

/** A sampled trace, as a service in front of the shop would have begun it (W3C Trace Context). */
function someTrace(): string {
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`
}

function someWish(): Wish {
  let ticket = Math.random() * WISHES.reduce((sum, { share }) => sum + share, 0)
  return WISHES.find(({ share }) => (ticket -= share) < 0) ?? (WISHES[0] as Wish)
}

function someIsbn(): string {
  // Now and then a book that nobody sells: that is a 404 of a route, which is not the same as no route.
  return Math.random() < 0.02 ? '9799999999999' : oneOf(CATALOGUE).isbn
}

function oneOf<T>(values: readonly T[]): T {
  return values[Math.floor(Math.random() * values.length)] as T
}

import type { Gatherer } from '../collector.ts'
import { MetricError, refuseUnknownOptions } from '../errors.ts'
import { encodeStream } from '../exposition/encode.ts'
import { negotiate } from '../exposition/negotiate.ts'
import { negotiateEncoding } from '../exposition/negotiate-encoding.ts'
import type { MetricFamily } from '../family.ts'
import { defaultRegistry } from '../registry.ts'

export interface ScrapeOptions<Request = unknown> {
  /**
   * What the page shows: a registry, or anything that gathers.
   * @default defaultRegistry
   */
  readonly registry?: Gatherer
  /**
   * Whether to compress for clients that accept it.
   * @default true
   */
  readonly compression?: boolean
  /**
   * How many scrapes may run at once; more are refused with 503. `Infinity` lifts the limit.
   * @default 40
   */
  readonly maxRequestsInFlight?: number
  /**
   * Milliseconds that an answer may take. Collectors that are late by then miss the page; a reader that has not taken
   * it is cut off. A shorter time-out that Prometheus announces wins.
   * @default 60_000
   */
  readonly timeout?: number
  /** Whether a request may read the page; others get 401. May return a Promise. */
  readonly authorize?: (request: Request) => boolean | Promise<boolean>
}

export const SCRAPE_OPTIONS = ['registry', 'compression', 'maxRequestsInFlight', 'timeout', 'authorize'] as const

/** The parts of a request that decide the answer. */
export interface ScrapeRequest<Request = unknown> {
  readonly method: string
  /** Path and query as the client sent them. */
  readonly url: string
  header(name: string): string | undefined
  /** What `authorize` is given. */
  readonly original: Request
}

/** An answer before any transport has seen it. */
export interface ScrapeAnswer {
  readonly status: number
  readonly headers: Record<string, string>
  /** A short text, or the page in chunks; nothing for HEAD. */
  readonly body?: string | AsyncGenerator<Uint8Array, void, void>
  /** How the transport is to compress the chunks. */
  readonly encoding?: 'gzip' | 'br' | 'zstd'
  /** Milliseconds that the transport may take to deliver it. */
  readonly timeout: number
  /** To be called once when the answer is delivered or given up. */
  done(): void
}

/** Decides answers to scrapes: what a Node listener and a Fetch handler have in common. */
export class Scrapes<Request> {
  readonly #options: Required<Omit<ScrapeOptions<Request>, 'authorize'>> & Pick<ScrapeOptions<Request>, 'authorize'>
  readonly #encodings: readonly ('gzip' | 'br' | 'zstd')[]
  #inFlight = 0

  /** `encodings` are those that the transport can do, best first. */
  constructor(subject: string, options: ScrapeOptions<Request>, encodings: readonly ('gzip' | 'br' | 'zstd')[]) {
    refuseUnknownOptions(subject, undefined, options, SCRAPE_OPTIONS)
    const {
      registry = defaultRegistry,
      compression = true,
      maxRequestsInFlight = 40,
      timeout = 60_000,
      authorize,
    } = options
    const refuse = (argument: string, rule: string, value: unknown): never => {
      throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument, rule, value })
    }
    if (typeof registry?.gather !== 'function') refuse('registry', 'to be a Registry', registry)
    if (typeof compression !== 'boolean') refuse('compression', 'to be a boolean', compression)
    if (!(maxRequestsInFlight >= 1)) refuse('maxRequestsInFlight', 'to be a number >= 1', maxRequestsInFlight)
    if (typeof timeout !== 'number' || !(timeout > 0)) refuse('timeout', 'to be a number of milliseconds > 0', timeout)
    if (authorize !== undefined && typeof authorize !== 'function') refuse('authorize', 'to be a function', authorize)
    this.#options = { registry, compression, maxRequestsInFlight, timeout, authorize }
    this.#encodings = encodings
  }

  /** Never rejects. `allocate` gives the page's buffers where the transport wants to use them again. */
  async answer(request: ScrapeRequest<Request>, allocate?: (size: number) => Uint8Array): Promise<ScrapeAnswer> {
    const { registry, compression, maxRequestsInFlight, authorize } = this.#options
    const { method } = request
    if (method !== 'GET' && method !== 'HEAD') return refusal(405, 'Method not allowed', { Allow: 'GET, HEAD' })
    try {
      if (authorize !== undefined && (await authorize(request.original)) !== true) {
        return refusal(401, 'Unauthorized', { 'WWW-Authenticate': 'Bearer realm="metrics"' })
      }
    } catch {
      return refusal(500, 'The authorize option of the metrics endpoint has thrown')
    }
    if (this.#inFlight >= maxRequestsInFlight) {
      return refusal(503, `More than ${maxRequestsInFlight} scrapes at once`, { 'Retry-After': '1' })
    }
    const format = negotiate(request.header('accept'))
    const encoding = compression ? negotiateEncoding(request.header('accept-encoding'), this.#encodings) : 'identity'
    const headers: Record<string, string> = { 'Content-Type': format.contentType, Vary: 'Accept, Accept-Encoding' }
    if (encoding !== 'identity') headers['Content-Encoding'] = encoding
    const timeout = this.#timeoutOf(request)
    if (method === 'HEAD') return { status: 200, headers, timeout, done: () => {} }
    this.#inFlight += 1
    let finished = false
    const done = (): void => {
      if (!finished) this.#inFlight -= 1
      finished = true
    }
    const names = namesOf(request.url)
    const families = registry.gather({ timeout, escaping: format.escaping, ...(names.length > 0 && { names }) })
    const body = encodeStream(families, format, { allocate, onError: seriesFailed(registry) })
    return { status: 200, headers, body, timeout, done, ...(encoding !== 'identity' && { encoding }) }
  }

  /** What Prometheus announces, less a tenth for the way back, where that is shorter than the option. */
  #timeoutOf(request: ScrapeRequest): number {
    const announced = Number(request.header('x-prometheus-scrape-timeout-seconds') ?? Number.NaN) * 900
    return announced > 0 ? Math.min(this.#options.timeout, announced) : this.#options.timeout
  }
}

function refusal(status: number, text: string, headers: Record<string, string> = {}): ScrapeAnswer {
  const contentType = { 'Content-Type': 'text/plain; charset=utf-8' }
  return { status, headers: { ...contentType, ...headers }, body: `${text}\n`, timeout: 10_000, done: () => {} }
}

function namesOf(url: string): string[] {
  const query = url.indexOf('?')
  return query < 0 ? [] : new URLSearchParams(url.slice(query)).getAll('name[]')
}

/** A registry counts what fails while it is written; another gatherer may know nothing of it. */
function seriesFailed(gatherer: Gatherer): (error: unknown, family: MetricFamily) => void {
  const registry = gatherer as Partial<typeof defaultRegistry>
  return (error, family) => registry.seriesFailed?.(error, family)
}

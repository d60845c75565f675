import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import { type ScrapeAnswer, type ScrapeOptions, Scrapes } from './scrape.ts'

export type MetricsHandlerOptions = ScrapeOptions<IncomingMessage>

/** A listener for `node:http`, and for every framework that can call one. */
export type MetricsHandler = (request: IncomingMessage, response: ServerResponse) => void

const canZstd = typeof (zlib as { createZstdCompress?: unknown }).createZstdCompress === 'function'

/**
 * Serves the page of a registry: GET and HEAD, in the format and the compression that the client accepts, filtered by
 * `?name[]=`. Mount it on whatever path you like; it looks at the query only. The page streams with the client's speed
 * and pauses for the event loop, so neither its size nor a slow reader costs memory.
 *
 * Throws `MetricError` for unknown or invalid options; the listener itself never throws.
 */
export function metricsHandler(options: MetricsHandlerOptions = {}): MetricsHandler {
  const scrapes = new Scrapes('metricsHandler', options, canZstd ? ['zstd', 'gzip', 'br'] : ['gzip', 'br'])

  return function serveMetrics(request, response) {
    const scrape = {
      method: request.method ?? 'GET',
      url: request.url ?? '/',
      header: (name: string) => joined(request.headers[name]),
      original: request,
    }
    const buffers = new Buffers()
    let closed = false
    response.once('close', () => (closed = true))
    scrapes.answer(scrape, buffers.allocate).then(
      (answer) => send(response, answer, buffers, () => closed || response.destroyed),
      (error: unknown) => response.destroy(error as Error),
    )
  }
}

function joined(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header
}

async function send(
  response: ServerResponse,
  answer: ScrapeAnswer,
  buffers: Buffers,
  isClosed: () => boolean,
): Promise<void> {
  const { status, headers, body, encoding, timeout } = answer
  const cut = setTimeout(() => response.destroy(), Math.min(timeout + GRACE_MILLISECONDS, 0x7fffffff))
  cut.unref()
  try {
    if (body === undefined || typeof body === 'string') {
      response.writeHead(status, headers).end(body)
      return
    }
    const first = await body.next()
    response.writeHead(status, headers)
    const chunks = startingWith(first, body)
    if (encoding === undefined) {
      await write(chunks, response, buffers, isClosed)
      return
    }
    const compress = compressor(encoding)
    await Promise.all([
      pipeline(compress, response),
      write(chunks, compress, buffers, () => compress.destroyed || isClosed()),
    ])
  } catch {
    // The reader went away, or the gatherer failed: before the first byte that can still be said.
    if (response.headersSent) response.destroy()
    else
      response.writeHead(500, { 'Content-Type': 'text/plain; charset=utf-8' }).end('The metrics cannot be gathered\n')
  } finally {
    clearTimeout(cut)
    answer.done()
  }
}

/**
 * The buffers of one page, used again once a chunk is on its way: a new one for each chunk makes the engine collect all
 * garbage, and stall, every few hundred chunks (`stall` in benchmarks).
 */
class Buffers {
  readonly #free: Uint8Array[] = []

  readonly allocate = (size: number): Uint8Array => {
    const free = this.#free.pop()
    return free?.length === size ? free : Buffer.allocUnsafeSlow(size)
  }

  giveBack(chunk: Uint8Array): void {
    this.#free.push(new Uint8Array(chunk.buffer))
  }
}

/**
 * Writes chunks as fast as they are taken, and waits until the last one is. Ends early where the reader goes away:
 * `isClosed` knows of a close that nobody will be told of again.
 */
async function write(
  chunks: AsyncIterable<Uint8Array>,
  to: Writable,
  buffers: Buffers,
  isClosed: () => boolean,
): Promise<void> {
  let wake: (() => void) | undefined
  const onEvent = (): void => wake?.()
  for (const event of ['drain', 'finish', 'close'] as const) to.on(event, onEvent)
  const woken = (): Promise<void> => new Promise((resolve) => (wake = resolve))
  try {
    for await (const chunk of chunks) {
      if (isClosed()) return
      if (!to.write(chunk, () => buffers.giveBack(chunk)) && !isClosed()) await woken()
    }
    if (isClosed()) return
    to.end()
    while (!to.writableFinished && !isClosed()) await woken()
  } finally {
    for (const event of ['drain', 'finish', 'close'] as const) to.off(event, onEvent)
  }
}

/** Collectors may use all of the time-out: what they brought still needs to be delivered. */
const GRACE_MILLISECONDS = 5_000

async function* startingWith(
  first: IteratorResult<Uint8Array, void>,
  rest: AsyncGenerator<Uint8Array, void, void>,
): AsyncGenerator<Uint8Array, void, void> {
  if (first.done === true) return
  yield first.value
  yield* rest
}

/** Fast settings: the page is read once, by a neighbour; the work is done off the main thread. */
function compressor(encoding: 'gzip' | 'br' | 'zstd'): zlib.Gzip | zlib.BrotliCompress {
  if (encoding === 'gzip') return zlib.createGzip({ level: 3, chunkSize: 64 * 1024 })
  if (encoding === 'br') {
    return zlib.createBrotliCompress({ params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 }, chunkSize: 64 * 1024 })
  }
  return (zlib as unknown as { createZstdCompress(): zlib.Gzip }).createZstdCompress()
}

import { type ScrapeOptions, Scrapes } from './scrape.ts'

export type MetricsResponseOptions = ScrapeOptions<Request>

/**
 * The answer to a scrape for servers that speak Fetch: `export default { fetch: (request) => metricsResponse(request) }`.
 * As {@link metricsHandler}, with gzip as the only compression. Call it with one options object that you keep: the limit
 * on scrapes at once holds for each object.
 */
export async function metricsResponse(request: Request, options: MetricsResponseOptions = DEFAULTS): Promise<Response> {
  let scrapes = scrapesOf.get(options)
  if (scrapes === undefined) {
    scrapes = new Scrapes('metricsResponse', options, ['gzip'])
    scrapesOf.set(options, scrapes)
  }
  const { method, url, headers } = request
  const answer = await scrapes.answer({
    method,
    url,
    header: (name) => headers.get(name) ?? undefined,
    original: request,
  })
  const { status, body, encoding, done } = answer
  if (body === undefined || typeof body === 'string')
    return new Response(body ?? null, { status, headers: answer.headers })
  const page = streamOf(body, answer.timeout, done)
  const compressed =
    encoding === undefined
      ? page
      : page.pipeThrough(new CompressionStream('gzip') as ReadableWritablePair<Uint8Array, Uint8Array>)
  return new Response(compressed as BodyInit, { status, headers: answer.headers })
}

const DEFAULTS: MetricsResponseOptions = {}
const scrapesOf = new WeakMap<MetricsResponseOptions, Scrapes<Request>>()

function streamOf(
  chunks: AsyncGenerator<Uint8Array, void, void>,
  timeout: number,
  done: () => void,
): ReadableStream<Uint8Array> {
  let cut: ReturnType<typeof setTimeout> | undefined
  const end = (): void => {
    clearTimeout(cut)
    done()
  }
  return new ReadableStream<Uint8Array>({
    start(controller) {
      cut = setTimeout(() => {
        end()
        void chunks.return()
        controller.error(new Error('The page was not read in time'))
      }, timeout + 5_000)
      ;(cut as { unref?(): void }).unref?.()
    },
    async pull(controller) {
      try {
        const chunk = await chunks.next()
        if (chunk.done !== true) return controller.enqueue(chunk.value)
        end()
        controller.close()
      } catch (error) {
        end()
        controller.error(error)
      }
    },
    async cancel() {
      end()
      await chunks.return()
    },
  })
}

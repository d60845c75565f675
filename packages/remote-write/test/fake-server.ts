import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'
import { type ReadMetadata, type ReadSample, readWriteRequest } from './write-request-reader.ts'

/** A request as the server saw it. */
export interface Received {
  readonly headers: IncomingHttpHeaders
  readonly samples: readonly ReadSample[]
  readonly metadata: readonly ReadMetadata[]
  /** Milliseconds, of the clock that never jumps. */
  readonly at: number
}

export interface FakeServer {
  readonly url: string
  readonly received: readonly Received[]
}

/** A server that answers the n-th request, from 0, as the test says, or takes them all; it ends with the test. */
export async function fakeServer(
  answer: (response: ServerResponse, attempt: number) => void = (response) => response.writeHead(204).end(),
): Promise<FakeServer> {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    received.push({ headers: request.headers, ...readWriteRequest(Buffer.concat(chunks)), at: performance.now() })
    answer(response, received.length - 1)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}/api/v1/write`, received }
}

import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSocketServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A request as the server saw it. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface FakeGateway {
  readonly url: string
  readonly received: readonly Received[]
}

/** A server that answers the n-th request, from 0, as the test says; it ends with the test. */
export async function fakeGateway(answer: (response: ServerResponse, attempt: number) => void): Promise<FakeGateway> {
  const received: Received[] = []
  const server = createServer(async (request: IncomingMessage, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method = '', url = '', headers } = request
    received.push({ method, path: url, headers, body: Buffer.concat(chunks) })
    answer(response, received.length - 1)
  })
  return { url: await listening(server, () => server.closeAllConnections()), received }
}

/** A server that does with each connection, from 0, what the test says; it ends with the test. */
export async function fakeListener(
  connected: (socket: Socket, attempt: number) => void,
): Promise<{ readonly url: string; readonly connections: () => number }> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createSocketServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    connected(socket, connections++)
  })
  const url = await listening(server, () => sockets.forEach((socket) => socket.destroy()))
  return { url, connections: () => connections }
}

async function listening(server: Server, cut: () => void): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    cut()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

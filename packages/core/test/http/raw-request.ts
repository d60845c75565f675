import { connect, type Socket } from 'node:net'

/** Sends text as it is to a port or a Unix socket, and gives all that comes back until the other side closes. */
export function rawRequest(to: number | string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = open(to)
    let received = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => (received += chunk))
    // A server that has said its piece may reset what the client still sends.
    socket.once('error', (error) => (received === '' ? reject(error) : resolve(received)))
    socket.once('close', () => resolve(received))
    socket.write(text)
  })
}

/** The status of an answer to a request line and headers of one's own making. */
export async function statusOf(to: number | string, requestLine: string, ...headers: string[]): Promise<number> {
  const lines = [requestLine, 'Host: localhost', 'Connection: close', ...headers]
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(await rawRequest(to, `${lines.join('\r\n')}\r\n\r\n`))?.[1])
}

function open(to: number | string): Socket {
  return typeof to === 'number' ? connect(to, '127.0.0.1') : connect(to)
}

import { createServer, type IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http'
import { connect as connect2, createSecureServer, createServer as createServer2 } from 'node:http2'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { Registry } from '@narthex/core'
import { type FrameworkView, HttpMetrics, instrumentServer, type InstrumentableServer } from '@narthex/core/http'
import { afterEach, expect, it } from 'vitest'
import { addedSince, inFlight } from '../../../../test/http-requests/run.ts'
import { caught } from '../caught.ts'
import { certificate } from './certificate.ts'
import { rawRequest, statusOf } from './raw-request.ts'

const UPGRADE = 'GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const ok: RequestListener = (_request, response) => void response.end('ok')

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

it('counts a request once, with the route of an adapter or without one', async () => {
  const { registry, port } = await started((server) => {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (request.url === '/known') adapter.follow(view, request, request, response)
      response.end('ok')
    })
  })
  const adapter = new HttpMetrics({ registry })
  const view: FrameworkView<IncomingMessage> = { route: () => '/known' }
  expect(await statusOf(port, 'GET /known HTTP/1.1')).toBe(200)
  expect(await statusOf(port, 'POST /unknown HTTP/1.1', 'Content-Length: 0')).toBe(200)
  expect(await counted(registry, 2)).toEqual([requests('GET', '/known', 200), requests('POST', '<unmatched>', 200)])
})

it('counts a request once where a framework gives its response another prototype', async () => {
  const prototype = Object.create(ServerResponse.prototype) as object
  const { registry, port } = await started((server) => {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      Object.setPrototypeOf(response, prototype)
      if (request.url === '/known') adapter.follow(view, request, request, response)
      response.end('ok')
    })
  })
  const adapter = new HttpMetrics({ registry })
  const view: FrameworkView<IncomingMessage> = { route: () => '/known' }
  const both = 'GET /known HTTP/1.1\r\nHost: a\r\n\r\nGET /unknown HTTP/1.1\r\nHost: a\r\n\r\n'
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  closing.push(() => void socket.destroy())
  socket.write(both)
  // While the connection is open: it is the responses that have ended.
  expect(await counted(registry, 2)).toEqual([requests('GET', '/known', 200), requests('GET', '<unmatched>', 200)])
})

it.each([
  ['a malformed request', 'GET / HTTP/9.9\r\n\r\n', '_OTHER', 400],
  ['headers that are too long', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, '_OTHER', 431],
  ['a request without a host', 'GET / HTTP/1.1\r\n\r\n', 'GET', 400],
  [
    'an expectation that nobody meets',
    'GET / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nConnection: close\r\n\r\n',
    'GET',
    417,
  ],
] as const)('counts %s, and leaves the answer as it is', async (_, text, method, code) => {
  const bare = await listening(createServer(ok))
  const { registry, port } = await started((server) => server.on('request', ok))
  const answer = await rawRequest(port, text)
  expect(withoutDate(answer)).toBe(withoutDate(await rawRequest(bare, text)))
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${code} `))
  expect(await counted(registry, 1)).toEqual([requests(method, '<unmatched>', code)])
})

it('counts a request that does not come to its end', async () => {
  const { registry, port } = await started((server) => server.on('request', ok), {
    server: createServer({ headersTimeout: 1, requestTimeout: 1, connectionsCheckingInterval: 10 }),
  })
  expect(await rawRequest(port, 'GET / HTTP/1.1\r\nHo')).toMatch(/^HTTP\/1.1 408 /)
  expect(await counted(registry, 1)).toEqual([requests('_OTHER', '<unmatched>', 408)])
})

it('counts a request beyond what a connection may have', async () => {
  const server = createServer()
  server.maxRequestsPerSocket = 1
  const { registry, port } = await started((each) => each.on('request', ok), { server })
  const twice = 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  const answer = await rawRequest(port, twice)
  expect(answer.match(/HTTP\/1.1 (\d+)/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 503'])
  expect(await counted(registry, 2)).toEqual([requests('GET', '<unmatched>', 200), requests('GET', '<unmatched>', 503)])
})

it("counts what the application's own listener answers to a malformed request", async () => {
  const { registry, port } = await started((server) => {
    server.on('clientError', (_error: Error, socket: Duplex) => void socket.end('HTTP/1.1 422 Odd\r\n\r\n'))
  })
  expect(await rawRequest(port, 'GET / HTTP/9.9\r\n\r\n')).toBe('HTTP/1.1 422 Odd\r\n\r\n')
  expect(await counted(registry, 1)).toEqual([requests('_OTHER', '<unmatched>', 422)])
})

it('counts a malformed request that is answered with silence as what it is', async () => {
  const { registry, port } = await started((server) => {
    server.on('request', ok)
    server.on('clientError', (_error: Error, socket: Duplex) => void socket.destroy())
  })
  await rawRequest(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\nbogus\r\n\r\n').catch(() => '')
  expect(await counted(registry, 2)).toEqual([
    requests('GET', '<unmatched>', 200),
    requests('_OTHER', '<unmatched>', 400),
  ])
})

it('counts a request with a malformed body once', async () => {
  const { registry, port } = await started((server) =>
    server.on('request', (request: IncomingMessage) => request.resume()),
  )
  const text = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'
  expect(await rawRequest(port, text)).toMatch(/^HTTP\/1.1 400 /)
  expect(await counted(registry, 1)).toEqual([requests('POST', '<unmatched>', 499)])
})

it('counts nothing where a client connects and leaves', async () => {
  const { registry, port } = await started((server) => server.on('request', ok))
  await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.resetAndDestroy()).on('close', resolve)
  })
  await statusOf(port, 'GET / HTTP/1.1')
  expect(await counted(registry, 1)).toEqual([requests('GET', '<unmatched>', 200)])
})

it('counts an upgrade as a stream that ends with its connection', async () => {
  const { registry, port } = await started((server) => {
    server.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
      socket.resume().on('end', () => socket.end())
      socket.write(SWITCHING)
    })
  })
  const socket = connect(port, '127.0.0.1')
  socket.write(UPGRADE)
  expect(String(await new Promise((resolve) => socket.once('data', resolve)))).toBe(SWITCHING)
  expect(registry.getSampleValue('http_streams_in_flight', { method: 'GET' })).toBe(1)
  expect(await inFlight(registry)).toBe(1)
  expect(await counted(registry, 0)).toEqual([])
  socket.destroy()
  expect(await counted(registry, 1)).toEqual([requests('GET', '<unmatched>', 101)])
  expect(registry.getSampleValue('http_streams_in_flight', { method: 'GET' })).toBe(0)
  const labels = { method: 'GET', route: '<unmatched>', code: '101' }
  expect(registry.getSampleValue('http_stream_duration_seconds_count', labels)).toBe(1)
})

it.each([
  ['refused', (socket: Duplex): void => void socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n'), 401],
  [
    'refused in bytes',
    (socket: Duplex): void => void socket.end(Buffer.from('HTTP/1.1 426 Upgrade Required\r\n\r\n')),
    426,
  ],
  ['dropped', (socket: Duplex): void => void socket.destroy(), 499],
  ['answered when its client has left', (socket: Duplex): void => void socket.destroy().write(SWITCHING), 499],
] as const)('counts an upgrade that is %s, which is no stream', async (_, answer, code) => {
  const { registry, port } = await started((server) => {
    server.on('upgrade', (_request: IncomingMessage, socket: Duplex) => answer(socket.on('error', () => {})))
  })
  await rawRequest(port, UPGRADE).catch(() => '')
  expect(await counted(registry, 1)).toEqual([requests('GET', '<unmatched>', code)])
  expect(registry.get('http_streams_in_flight')).toBeUndefined()
})

it('leaves an upgrade that nobody listens for to the framework', async () => {
  const { registry, port } = await started((server) => server.on('request', ok))
  expect(await statusOf(port, 'GET /socket HTTP/1.1', 'Upgrade: websocket')).toBe(200)
  expect(await counted(registry, 1)).toEqual([requests('GET', '<unmatched>', 200)])
})

it('gives the socket of an upgrade back as it was', async () => {
  let keys: string[] = []
  const { port } = await started((server) => {
    server.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
      socket.write('HTTP/1.1 103 Early Hints\r\n\r\n')
      socket.write(SWITCHING)
      keys = ['write', 'end'].filter((method) => Object.hasOwn(socket, method))
      socket.end('bytes')
    })
  })
  expect(await rawRequest(port, UPGRADE)).toBe(`HTTP/1.1 103 Early Hints\r\n\r\n${SWITCHING}bytes`)
  expect(keys).toEqual([])
})

it('counts a tunnel as a stream', async () => {
  const { registry, port } = await started((server) => {
    server.on(
      'connect',
      (_request: IncomingMessage, socket: Duplex) => void socket.end('HTTP/1.1 200 Connected\r\n\r\n'),
    )
  })
  await rawRequest(port, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n')
  expect(await counted(registry, 1)).toEqual([requests('CONNECT', '<unmatched>', 200)])
  const labels = { method: 'CONNECT', route: '<unmatched>', code: '200' }
  expect(registry.getSampleValue('http_stream_duration_seconds_count', labels)).toBe(1)
})

it('counts a request that asks whether to go on', async () => {
  const { registry, port } = await started((server) => {
    server.on(
      'checkContinue',
      (_request: IncomingMessage, response: ServerResponse) => void response.writeHead(413).end(),
    )
  })
  expect(await statusOf(port, 'POST / HTTP/1.1', 'Content-Length: 3', 'Expect: 100-continue')).toBe(413)
  expect(await counted(registry, 1)).toEqual([requests('POST', '<unmatched>', 413)])
})

it('counts requests that come while the server closes', async () => {
  let isClosing = false
  const { registry, port, server } = await started((each) => {
    each.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (isClosing) return void response.writeHead(503, { Connection: 'close' }).end()
      isClosing = true
      server.close()
      response.end('ok')
      expect(request.url).toBe('/first')
    })
  })
  await rawRequest(port, 'GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n')
  expect(await counted(registry, 2)).toEqual([requests('GET', '<unmatched>', 200), requests('GET', '<unmatched>', 503)])
})

it('counts on a server with TLS, and no handshake that fails', async () => {
  const { cert, key } = certificate('localhost')
  const { registry, port } = await started((each) => each.on('request', ok), { server: createTlsServer({ cert, key }) })
  await rawRequest(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n').catch(() => '')
  for (const text of ['GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 'bogus\r\n\r\n']) {
    await new Promise((resolve) => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => void socket.write(text))
      socket
        .on('error', () => {})
        .on('close', resolve)
        .resume()
    })
  }
  expect(await counted(registry, 2)).toEqual([
    requests('GET', '<unmatched>', 200),
    requests('_OTHER', '<unmatched>', 400),
  ])
})

it.each([
  ['HTTP/2', () => createServer2(), 'http'],
  ['HTTP/2 with TLS', () => createSecureServer(certificate('localhost')), 'https'],
] as const)('counts on a server of %s, requests and refused tunnels', async (_, make, scheme) => {
  const { registry, port } = await started((each) => each.on('request', ok), { server: make() })
  const session = connect2(`${scheme}://localhost:${port}`, { rejectUnauthorized: false })
  closing.push(() => session.destroy())
  for (const headers of [{ ':path': '/' }, { ':method': 'CONNECT', ':authority': 'a:1' }]) {
    await new Promise((resolve) =>
      session
        .request(headers, { endStream: true })
        .on('error', () => {})
        .on('close', resolve)
        .resume(),
    )
  }
  expect(await counted(registry, 2)).toEqual([
    requests('CONNECT', '<unmatched>', 405),
    requests('GET', '<unmatched>', 200),
  ])
})

it('leaves out what it is told to ignore', async () => {
  const { registry, port } = await started(
    (server) => {
      server.on('request', ok)
      server.on('upgrade', (_request: IncomingMessage, socket: Duplex) => void socket.end(SWITCHING))
    },
    { ignore: ['/health', '/socket'] },
  )
  await statusOf(port, 'GET /health?deep HTTP/1.1')
  await rawRequest(port, UPGRADE)
  await statusOf(port, 'GET /healthy HTTP/1.1')
  expect(await counted(registry, 1)).toEqual([requests('GET', '<unmatched>', 200)])
})

it('counts once where a server is instrumented twice', async () => {
  const { registry, port, server } = await started((each) => {
    each.on('request', ok)
    each.on('upgrade', (_request: IncomingMessage, socket: Duplex) => void socket.end(SWITCHING))
  })
  instrumentServer(server, { registry })
  await statusOf(port, 'GET / HTTP/1.1')
  await rawRequest(port, 'bogus\r\n\r\n')
  await rawRequest(port, UPGRADE)
  const expected = [
    requests('GET', '<unmatched>', 101),
    requests('GET', '<unmatched>', 200),
    requests('_OTHER', '<unmatched>', 400),
  ]
  expect(await counted(registry, 3)).toEqual(expected)
})

it('adds no listener to the server, and leaves it as it was', async () => {
  const server = createServer(ok)
  const events = () => [
    server.eventNames(),
    server.eventNames().map((name) => server.listenerCount(name)),
    Object.keys(server),
  ]
  const before = events()
  const registry = new Registry()
  {
    using instrumented = instrumentServer(server, { registry })
    expect(events().slice(0, 2)).toEqual(before.slice(0, 2))
    expect(Object.hasOwn(server, 'emit')).toBe(true)
    instrumented.stop()
  }
  expect(Object.hasOwn(server, 'emit')).toBe(false)
  expect(events()).toEqual(before)
  const port = await listening(server)
  expect(await statusOf(port, 'GET / HTTP/1.1')).toBe(200)
  expect(await rawRequest(port, 'bogus\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
  expect(await counted(registry, 0)).toEqual([])
})

it('stops where somebody has wrapped `emit` since', async () => {
  const { registry, port, server, handle } = await started((each) => each.on('request', ok))
  const wrapped = server.emit
  const emit = function (this: unknown, ...args: unknown[]) {
    return Reflect.apply(wrapped, this, args) as boolean
  }
  server.emit = emit as typeof server.emit
  handle.stop()
  expect(server.emit).toBe(emit)
  expect(await statusOf(port, 'GET / HTTP/1.1')).toBe(200)
  expect(await counted(registry, 0)).toEqual([])
})

it('tells what was wrong with its arguments', () => {
  expect(caught(() => instrumentServer({} as Server))).toMatchObject({
    code: 'ERR_NARTHEX_INVALID_ARGUMENT',
    message:
      'instrumentServer: expected `server` to be a server of node:http, node:https or node:http2, got `object` (string)',
  })
  expect(caught(() => instrumentServer(createServer(), { rout: () => '' } as never))).toMatchObject({
    code: 'ERR_NARTHEX_UNKNOWN_OPTION',
  })
})

interface StartOptions {
  readonly server?: InstrumentableServer
  readonly ignore?: readonly string[]
}

async function started(prepare: (server: Server) => void, { server = createServer(), ignore }: StartOptions = {}) {
  const registry = new Registry()
  const handle = instrumentServer(server, { registry, ...(ignore !== undefined && { ignore }) })
  prepare(server as Server)
  return { registry, server: server as Server, handle, port: await listening(server as Server) }
}

async function listening(server: Server): Promise<number> {
  const sockets = new Set<Duplex>()
  server.on('connection', (socket: Duplex) => void sockets.add(socket.on('error', () => {})))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

/** What is counted, when it is at least so much and nothing is in flight that ends by itself. */
async function counted(registry: Registry, atLeast: number): Promise<string[]> {
  await expect
    .poll(async () => (await addedSince(new Map(), registry)).length, { interval: 5 })
    .toBeGreaterThanOrEqual(atLeast)
  if (atLeast > 0) await expect.poll(() => inFlight(registry), { interval: 5 }).toBe(0)
  return addedSince(new Map(), registry)
}

function requests(method: string, route: string, code: number): string {
  return `${method} ${route} ${code}`
}

function withoutDate(answer: string): string {
  return answer.replace(/^Date: .*$/m, '')
}

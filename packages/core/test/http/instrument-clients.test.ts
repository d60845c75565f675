import {
  Agent,
  createServer,
  get,
  type IncomingMessage,
  request,
  type RequestOptions,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, createServer as createNetServer, type Server, type Socket } from 'node:net'
import { Registry } from '@narthex/core'
import {
  type ClientMetricsOptions,
  type InstrumentedClients,
  instrumentClients,
  instrumentFetch,
} from '@narthex/core/http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { caught } from '../caught.ts'
import { recordWarnings } from '../warnings.ts'

const sockets = new Set<Socket>()
let server: Server
let port: number
let host: string
let registry: Registry
let handle: InstrumentedClients | undefined

beforeAll(async () => {
  const web = createServer(answer)
  web.on(
    'upgrade',
    (_request, socket) =>
      void socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
  )
  server = web.on('connection', (socket) => void sockets.add(socket))
  port = await listening(server)
  host = `127.0.0.1:${port}`
})
afterAll(() => {
  for (const socket of sockets) socket.destroy()
  server.close()
})
afterEach(() => handle?.stop())

describe.each([
  ['fetch', instrumentClients, viaFetch],
  ['fetch alone', instrumentFetch, viaFetch],
  ['node:http', instrumentClients, viaNode],
] as const)('with %s', (_, instrument, send) => {
  it('counts requests by method, host and code', async () => {
    start(instrument)
    await send('GET', '/ok')
    await send('POST', '/ok')
    await send('GET', '/missing')
    await send('GET', '/missing')
    expect(await counted()).toEqual([`GET ${host} 200`, `GET ${host} 404`, `GET ${host} 404`, `POST ${host} 200`])
  })

  it('counts a request that nobody answers as an error', async () => {
    start(instrument)
    const closed = await closedPort()
    await expect(send('GET', '/', closed)).rejects.toThrow(/fetch failed|ECONNREFUSED/)
    await expect(send('GET', '/hang-up')).rejects.toThrow(/fetch failed|socket hang up/)
    expect(await counted()).toEqual([`GET 127.0.0.1:${closed} error`, `GET ${host} error`].sort())
  })

  it('counts an answer that breaks off as an error', async () => {
    start(instrument)
    await expect(send('GET', '/break-off')).rejects.toThrow(/terminated|aborted/)
    expect(await counted()).toEqual([`GET ${host} error`])
  })

  it('knows hosts that are listed, and no others', async () => {
    start(instrument, { hosts: ['Api.example:443', host] })
    const closed = await closedPort()
    await send('GET', '/ok')
    await expect(send('GET', '/', closed)).rejects.toThrow(/fetch failed|ECONNREFUSED/)
    expect(await counted()).toEqual([`GET ${host} 200`, 'GET other error'])
  })

  it('keeps to `maxSeries`', async () => {
    const warnings = recordWarnings()
    start(instrument, { maxSeries: 1 })
    await send('GET', '/ok')
    await send('GET', '/missing')
    expect(registry.getSampleValue('narthex_series_overflow_total', { metric: 'http_client_requests' })).toBe(1)
    expect(warnings.map(({ code }) => code)).toEqual(['NARTHEX_SERIES_OVERFLOW', 'NARTHEX_SERIES_OVERFLOW'])
  })

  it('counts a request once where two count for one registry', async () => {
    start(instrument)
    using other = instrumentClients({ registry })
    await send('GET', '/ok')
    other.stop()
    await send('GET', '/ok')
    expect(await counted()).toEqual([`GET ${host} 200`, `GET ${host} 200`])
  })

  it('counts for every registry', async () => {
    start(instrument)
    const second = new Registry()
    using _other = instrument({ registry: second })
    await send('GET', '/ok')
    expect(await counted()).toEqual([`GET ${host} 200`])
    expect(second.getSampleValue('http_client_requests_total', { method: 'GET', host, code: '200' })).toBe(1)
  })

  it('counts nothing any more when it is stopped', async () => {
    start(instrument).stop()
    await send('GET', '/ok')
    expect(await counted()).toEqual([])
  })

  it('tells what was wrong with its options', () => {
    const wrong = (options: unknown) => caught(() => instrument(options as ClientMetricsOptions))
    expect(wrong({ host: 'a' })).toMatchObject({ code: 'ERR_NARTHEX_UNKNOWN_OPTION', argument: 'host' })
    expect(wrong({ hosts: 'a' })).toMatchObject({
      code: 'ERR_NARTHEX_INVALID_OPTION',
      message: `${instrument.name}: expected \`hosts\` to be an array of strings, got \`a\` (string)`,
    })
    expect(wrong({ registry: {} })).toMatchObject({ code: 'ERR_NARTHEX_INVALID_OPTION', argument: 'registry' })
    expect(wrong(null)).toMatchObject({ code: 'ERR_NARTHEX_INVALID_OPTION', argument: 'options' })
  })
})

it('leaves node:http to others where only fetch is asked for', async () => {
  start(instrumentFetch)
  await viaNode('GET', '/ok')
  expect(await counted()).toEqual([])
})

it('counts every hop of a redirect', async () => {
  start(instrumentFetch)
  await viaFetch('GET', '/redirect')
  expect(await counted()).toEqual([`GET ${host} 200`, `GET ${host} 302`])
})

it('counts a fetch that is given up', async () => {
  start(instrumentFetch)
  const controller = new AbortController()
  const hanging = fetch(`http://${host}/hang`, { signal: controller.signal })
  await expect.poll(() => hangs).toBe(1)
  controller.abort()
  await expect(hanging).rejects.toThrow(/abort/)
  expect(await counted(1)).toEqual([`GET ${host} error`])
})

it('counts an answer of which only the headers were wanted by its code', async () => {
  start(instrumentClients)
  const answer = await fetch(`http://${host}/endless`)
  await answer.body?.cancel()
  await new Promise((resolve, reject) => {
    get(`http://${host}/endless`, (response) => response.destroy().on('close', resolve)).on('error', reject)
  })
  expect(await counted(2)).toEqual([`GET ${host} 200`, `GET ${host} 200`])
})

it('counts an answer of node:http that nobody listens for, and leaves it to Node', async () => {
  start(instrumentClients)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  await new Promise((resolve) => get(`http://${host}/ok`, { agent }).on('close', resolve))
  await viaNode('GET', '/ok', port, { agent })
  agent.destroy()
  expect(await counted(2)).toEqual([`GET ${host} 200`, `GET ${host} 200`])
})

it('counts an upgrade by its code', async () => {
  start(instrumentClients)
  await new Promise((resolve) => {
    request({ port, host: '127.0.0.1', headers: { connection: 'upgrade', upgrade: 'x' } })
      .on('upgrade', (_response, socket) => socket.on('close', resolve).end())
      .end()
  })
  expect(await counted(1)).toEqual([`GET ${host} 101`])
})

it('names a host as the request does, and no method of its own', async () => {
  start(instrumentClients)
  await viaNode('PROPFIND', '/ok', port, { headers: { host: 'Shop.Example' } })
  expect(await counted()).toEqual(['_OTHER shop.example 200'])
})

it('observes how long a request took, as often as it counts', async () => {
  start(instrumentClients, { buckets: [60] })
  await viaFetch('GET', '/ok')
  await viaNode('GET', '/ok')
  const labels = { method: 'GET', host, code: '200' }
  expect(registry.getSampleValue('http_client_request_duration_seconds_bucket', { ...labels, le: '60' })).toBe(2)
  expect(registry.getSampleValue('http_client_request_duration_seconds_sum', labels)).toBeGreaterThan(0)
})

let hangs = 0

function answer({ url }: IncomingMessage, response: ServerResponse): void {
  if (url === '/ok') response.end('ok')
  else if (url === '/redirect') response.writeHead(302, { Location: '/ok' }).end()
  else if (url === '/hang-up') response.socket?.destroy()
  else if (url === '/hang') hangs += 1
  else if (url === '/endless') response.write('some')
  else if (url === '/break-off') {
    response.writeHead(200, { 'Content-Length': 100 })
    response.write('some', () => response.socket?.destroy())
  } else response.writeHead(404).end('nothing')
}

function start(instrument: typeof instrumentClients, options: ClientMetricsOptions = {}): InstrumentedClients {
  registry = new Registry()
  handle = instrument({ registry, ...options })
  return handle
}

async function viaFetch(method: string, path: string, to = port): Promise<void> {
  await (await fetch(`http://127.0.0.1:${to}${path}`, { method })).text()
}

function viaNode(method: string, path: string, to = port, options: RequestOptions = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port: to, method, path, ...options })
    let failure: Error | undefined
    const failed = (error: Error): void => void (failure = error)
    outgoing.on('response', (response) => response.on('error', failed).resume())
    // An answer that fails says so right after the request has closed.
    const settle = (): void => (failure === undefined ? resolve() : reject(failure))
    outgoing.on('error', failed).on('close', () => setImmediate(settle))
    outgoing.end()
  })
}

/** What is counted, when it is at least so much. */
async function counted(atLeast = 0): Promise<string[]> {
  const read = async () => {
    const page = await registry.metrics()
    const lines = page.matchAll(/^http_client_requests_total\{method="(.*)",host="(.*)",code="(.*)"\} (\d+)$/gm)
    return [...lines].flatMap(([, ...labels]) =>
      Array.from({ length: Number(labels[3]) }, () => labels.slice(0, 3).join(' ')),
    )
  }
  await expect.poll(async () => (await read()).length, { interval: 5 }).toBeGreaterThanOrEqual(atLeast)
  return (await read()).sort()
}

async function listening(each: Server): Promise<number> {
  await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve))
  return (each.address() as AddressInfo).port
}

async function closedPort(): Promise<number> {
  const unused = createNetServer()
  const found = await listening(unused)
  await new Promise((resolve) => unused.close(resolve))
  return found
}

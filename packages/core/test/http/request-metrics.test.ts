import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import {
  type ClientHttp2Stream,
  connect as connect2,
  createSecureServer as createSecureServer2,
  createServer as createServer2,
  Http2ServerResponse,
} from 'node:http2'
import { type AddressInfo, connect, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { MetricError, Registry } from '@narthex/core'
import { type FrameworkView, HttpMetrics } from '@narthex/core/http'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { countsOf, inFlight, runRequestTable, type TableApp } from '../../../../test/http-requests/run.ts'
import { requestTable } from '../../../../test/http-requests/table.ts'
import { until } from '../../../../test/until.ts'
import { certificate } from './certificate.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** The routes of the table that tell something without a framework. */
const answers: { readonly [route: string]: Answer } = {
  '/plain': (_request, response) => response.end('ok'),
  '/users/:id': (_request, response) => response.end('ok'),
  '/hang': () => {},
  '/upload': (request) => request.resume(),
  '/drip': (_request, response) => response.write('drip'),
  '/large': (_request, response) => response.end(Buffer.alloc(2 ** 25)),
  '/timeout': (_request, response) => setTimeout(() => response.writeHead(503).end(), 10),
  '/events': (_request, response) =>
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end('data: 1\n\n'),
  '/endless-events': (_request, response) =>
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n'),
}

const view: FrameworkView<IncomingMessage> = { route: (request) => routeOf(request) }

function routeOf({ url = '' }: IncomingMessage): string | undefined {
  const route = url.startsWith('/users/') ? '/users/:id' : url
  return route in answers ? route : undefined
}

function listenerOf(metrics: HttpMetrics): RequestListener {
  return (request, response) => {
    metrics.follow(view, request, request, response)
    const route = routeOf(request)
    if (route === undefined) response.writeHead(404).end()
    else answers[route]?.(request, response)
  }
}

async function start(registry: Registry, server: Server & { closeAllConnections?(): void }): Promise<TableApp> {
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', (socket) => void sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    registry,
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

const rows = new Set([
  'a plain route',
  'a parameter',
  'nothing',
  'a method that OpenTelemetry does not list',
  'a request that HTTP refuses',
  'a client that leaves before the answer',
  'a client that leaves after its upload',
  'a client that leaves in the middle of the answer',
  'a client that leaves after the answer was handed over',
  'an answer by a timer',
  'events',
  'events that the client leaves',
  'three requests on one connection',
  'pipelined requests whose turn never comes',
])

runRequestTable({
  name: 'node:http',
  rows: requestTable.filter(({ name }) => rows.has(name)),
  start: () => {
    const registry = new Registry()
    return start(registry, createServer(listenerOf(new HttpMetrics({ registry }))))
  },
})

runRequestTable({
  name: 'node:http2',
  rows: requestTable.filter(({ needs }) => needs === 'http2'),
  start: () => {
    const registry = new Registry()
    const listener = listenerOf(new HttpMetrics({ registry })) as unknown as Parameters<typeof createServer2>[1]
    return start(registry, createServer2({}, listener as never))
  },
})

describe('HttpMetrics', () => {
  it('counts a response once for each registry, whoever asks how often', async () => {
    const [one, two] = [new Registry(), new Registry()]
    const metrics = [
      new HttpMetrics({ registry: one }),
      new HttpMetrics({ registry: one }),
      new HttpMetrics({ registry: two }),
    ]
    const app = await start(
      one,
      createServer((request, response) => {
        for (const each of metrics) each.follow(view, request, request, response)
        response.end()
      }),
    )
    await fetch(`http://127.0.0.1:${app.port}/plain`)
    await settled(one)
    expect([...(await countsOf(one))]).toEqual([['GET /plain 200', 1]])
    expect([...(await countsOf(two))]).toEqual([['GET /plain 200', 1]])
    await app.close()
  })

  it('takes the view of an adapter for a request that a server was following already', async () => {
    const registry = new Registry()
    const metrics = new HttpMetrics({ registry })
    const app = await start(
      registry,
      createServer((request, response) => {
        metrics.follow(undefined, request, request, response)
        metrics.follow(view, request, request, response)
        response.end()
      }),
    )
    await fetch(`http://127.0.0.1:${app.port}/users/7`)
    await settled(registry)
    expect([...(await countsOf(registry)).keys()]).toEqual(['GET /users/:id 200'])
    await app.close()
  })

  it('takes the first view of a request, from whichever recorder of a registry, and whatever came in between', async () => {
    const registry = new Registry()
    const [server, adapter] = [new HttpMetrics({ registry }), new HttpMetrics({ registry })]
    const other: FrameworkView<IncomingMessage> = { route: () => '/other' }
    const held: (() => void)[] = []
    const app = await start(
      registry,
      createServer((request, response) => {
        server.follow(undefined, request, request, response)
        server.follow(undefined, request, request, response)
        const { url } = request
        if (url === '/adapter') {
          adapter.follow(view, request, request, response)
          server.follow(other, request, request, response)
        }
        if (url === '/twice') {
          server.follow(view, request, request, response)
          server.follow(other, request, request, response)
        }
        if (url !== '/late') return void response.end()
        held.push(() => {
          server.follow(other, request, request, response)
          response.end()
        })
      }),
    )
    const late = [fetch(`http://127.0.0.1:${app.port}/late`), fetch(`http://127.0.0.1:${app.port}/late`)]
    await until('both are held', () => held.length === 2)
    expect(await inFlight(registry)).toBe(2)
    for (const path of ['/adapter', '/twice', '/nobody']) await fetch(`http://127.0.0.1:${app.port}${path}`)
    for (const answer of held) answer()
    await Promise.all(late)
    await settled(registry)
    expect(await countsOf(registry)).toEqual(
      new Map([
        ['GET <unmatched> 200', 3],
        ['GET /other 200', 2],
      ]),
    )
    await app.close()
  })

  it('is told by a response that no server of Node stands behind, by finish alone or by both', async () => {
    for (const events of [['finish'], ['close'], ['finish', 'close'], ['close', 'finish']]) {
      const registry = new Registry()
      const response = Object.assign(new EventEmitter(), {
        writableEnded: true,
        statusCode: 201,
        writeHead() {},
        getHeader() {},
      })
      const request = { method: 'GET', url: '/plain', headers: {}, socket: null } as unknown as IncomingMessage
      new HttpMetrics({ registry }).follow(view, request, request, response as unknown as ServerResponse)
      expect(await inFlight(registry)).toBe(1)
      for (const event of events) response.emit(event)
      expect([events, ...(await countsOf(registry))]).toEqual([events, ['GET /plain 201', 1]])
      expect(await inFlight(registry)).toBe(0)
    }
  })

  it('is not taken below zero by a reset in between', async () => {
    const registry = new Registry()
    const metrics = new HttpMetrics({ registry })
    let end = (): unknown => expect.unreachable('it is in flight')
    const listener: RequestListener = (request, response) => {
      metrics.follow(undefined, request, request, response)
      end = () => response.end()
    }
    const app = await start(registry, createServer(listener))
    const answer = fetch(`http://127.0.0.1:${app.port}/`)
    await until('it is in flight', async () => (await inFlight(registry)) > 0, { interval: 1 })
    registry.get('http_requests_in_flight')?.removeMatching({})
    end()
    await answer
    await sleep(10)
    expect(await inFlight(registry)).toBe(0)
    await app.close()
  })

  it('begins a new series with the next request where one was removed', async () => {
    const registry = new Registry()
    const app = await start(registry, createServer(listenerOf(new HttpMetrics({ registry }))))
    const get = async (path: string): Promise<void> => {
      await fetch(`http://127.0.0.1:${app.port}${path}`)
      await settled(registry)
    }
    for (const path of ['/plain', '/plain', '/users/1', '/users/2']) await get(path)
    registry.get('http_requests_total')?.remove('GET', '/plain', '200')
    registry.get('http_request_duration_seconds')?.removeMatching({ route: '/plain' })
    registry.get('http_requests_in_flight')?.removeMatching({ method: 'GET' })
    for (const path of ['/plain', '/users/3']) await get(path)
    expect([...(await countsOf(registry))].sort()).toEqual([
      ['GET /plain 200', 1],
      ['GET /users/:id 200', 3],
    ])
    expect(await registry.metrics()).toContain('http_requests_in_flight{method="GET"} 0')
    registry.get('http_requests_total')?.reset()
    await get('/plain')
    expect(await registry.metrics()).toContain('http_requests_total{method="GET",route="/plain",code="200"} 1')
    await app.close()
  })

  it('goes on counting requests beyond `maxSeries` as lost, and those that have a series in it', async () => {
    const registry = new Registry()
    const metrics = new HttpMetrics({ registry, maxSeries: 1, route: ({ url }) => url })
    const app = await start(registry, createServer(listenerOf(metrics)))
    for (const path of ['/plain', '/a', '/a', '/b', '/plain']) {
      await fetch(`http://127.0.0.1:${app.port}${path}`)
      await settled(registry)
    }
    const page = await registry.metrics()
    expect(page).toContain('http_requests_total{method="GET",route="/plain",code="200"} 2')
    expect(page).toContain('http_requests_total{method="__overflow__",route="__overflow__",code="__overflow__"} 3')
    expect(page).toContain('narthex_series_overflow_total{metric="http_requests"} 3')
    await app.close()
  })

  it('records a request whose hooks all throw, and counts them', async () => {
    const registry = new Registry()
    const fails = (): never => {
      throw new Error('hook')
    }
    const metrics = new HttpMetrics({ registry, route: fails, labels: { a: fails }, exemplars: fails, ignore: fails })
    const app = await start(
      registry,
      createServer((request, response) => {
        expect(metrics.ignores(request.url ?? '', request)).toBe(false)
        metrics.follow(view, request, request, response)
        response.end()
      }),
    )
    expect((await fetch(`http://127.0.0.1:${app.port}/plain`)).status).toBe(200)
    await settled(registry)
    expect([...(await countsOf(registry)).keys()]).toEqual(['GET /plain 200'])
    for (const hook of ['route', 'labels', 'exemplars', 'ignore']) {
      expect([hook, registry.getSampleValue('narthex_hook_errors_total', { hook })]).toEqual([hook, 1])
    }
    await app.close()
  })

  it('knows the scheme of HTTP/2 at the end of a request, however that ends', async () => {
    const registry = new Registry()
    const metrics = new HttpMetrics({ registry, naming: 'otel' })
    const listener = listenerOf(metrics) as unknown as Parameters<typeof createSecureServer2>[1]
    const app = await start(registry, createSecureServer2(certificate('localhost'), listener))
    const session = connect2(`https://127.0.0.1:${app.port}`, { rejectUnauthorized: false })
    session.on('error', () => {})
    const send = (path: string): ClientHttp2Stream => session.request({ ':path': path }).on('error', () => {})
    await once(send('/plain').resume(), 'close')
    const cancelled = send('/hang')
    send('/hang')
    const ended = async (): Promise<Map<string, number>> => {
      const page = await registry.metrics()
      const lines = [...page.matchAll(/^http_server_request_duration_seconds_count\{.*_code="(\d+)",(.*)\} (\d+)$/gm)]
      return new Map(lines.map(([, code, rest, count]) => [`${code} ${rest}`, Number(count)]))
    }
    const active = { http_request_method: 'GET', url_scheme: 'https' }
    await expect.poll(() => registry.getSampleValue('http_server_active_requests', active)).toBe(2)
    cancelled.close(8)
    await expect.poll(() => registry.getSampleValue('http_server_active_requests', active)).toBe(1)
    session.destroy()
    await expect.poll(() => registry.getSampleValue('http_server_active_requests', active)).toBe(0)
    expect([...(await ended())]).toEqual([
      ['200 url_scheme="https"', 1],
      ['499 url_scheme="https",error_type="client_disconnected"', 2],
    ])
    await app.close()
  })

  it('counts of a large body what has come, whatever was announced', async () => {
    const registry = new Registry()
    const metrics = new HttpMetrics({ registry, sizes: true })
    const upload: RequestListener = (request, response) => {
      metrics.follow(undefined, request, request, response)
      request.on('end', () => response.end()).resume()
    }
    const app = await start(registry, createServer(upload))
    const sumOf = (code: string): number | undefined =>
      registry.getSampleValue('http_request_size_bytes_sum', { method: 'POST', route: '<unmatched>', code })
    for (const size of [10, 1_000_000]) {
      await fetch(`http://127.0.0.1:${app.port}/`, { method: 'POST', body: Buffer.alloc(size) })
    }
    await expect.poll(() => sumOf('200')).toBe(1_000_010)
    const socket = connect(app.port, '127.0.0.1')
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${10n ** 18n}\r\n\r\n${'x'.repeat(100)}`)
    await until('it is in flight', async () => (await inFlight(registry)) > 0, { interval: 2 })
    socket.destroy()
    await settled(registry)
    expect(sumOf('499')).toBe(100)
    await app.close()
  })

  it('records a stream where its own metrics clash with the application, and counts what that costs', async () => {
    const registry = new Registry()
    const metrics = new HttpMetrics({ registry })
    registry.gauge({ name: 'http_streams_in_flight', help: 'Of the application.' })
    const app = await start(registry, createServer(listenerOf(metrics)))
    const response = await fetch(`http://127.0.0.1:${app.port}/events`)
    expect([response.status, await response.text()]).toEqual([200, 'data: 1\n\n'])
    await settled(registry)
    expect([...(await countsOf(registry, 'http_request_duration_seconds_count'))]).toEqual([['GET /events 200', 1]])
    // At its beginning, at its end, and its length.
    expect(registry.getSampleValue('narthex_hook_errors_total', { hook: 'record' })).toBe(3)
    await app.close()
  })

  it('counts what a hook returns that is no answer as it counts what throws, and lets no rejection pass', async () => {
    const registry = new Registry()
    const rejections: unknown[] = []
    const onRejection = (reason: unknown): void => void rejections.push(reason)
    process.on('unhandledRejection', onRejection)
    const rejects = (): never => Promise.reject(new Error('hook')) as never
    const metrics = new HttpMetrics({
      registry,
      route: rejects,
      labels: { a: rejects },
      exemplars: rejects,
      ignore: rejects,
    })
    const app = await start(
      registry,
      createServer((request, response) => {
        expect(metrics.ignores(request.url ?? '', request)).toBe(false)
        metrics.follow(view, request, request, response)
        response.end()
      }),
    )
    expect((await fetch(`http://127.0.0.1:${app.port}/plain`)).status).toBe(200)
    await settled(registry)
    await sleep(5)
    process.off('unhandledRejection', onRejection)
    expect(rejections).toEqual([])
    expect([...(await countsOf(registry)).keys()]).toEqual(['GET /plain 200'])
    for (const hook of ['route', 'labels', 'exemplars', 'ignore']) {
      expect([hook, registry.getSampleValue('narthex_hook_errors_total', { hook })]).toEqual([hook, 1])
    }
    expect(await registry.metrics()).toContain(
      '# HELP narthex_hook_errors_total Hooks that threw or gave what is no answer, such as a Promise, and recordings that failed, by hook.\n',
    )
    await app.close()
  })

  it('promotes only parameters that are there, and whatever an application has made of them', async () => {
    const registry = new Registry()
    const promoteParams = { id: ['7', '__proto__'], constructor: ['x'] }
    const given: unknown[] = ['7', 7, '8', '__proto__', undefined, Symbol('7'), Object.create(null), ['7']]
    let params: { id: unknown }
    const metrics = new HttpMetrics({ registry, promoteParams })
    const app = await start(
      registry,
      createServer((request, response) => {
        metrics.follow({ ...view, params: () => params }, request, request, response)
        response.end()
      }),
    )
    for (const id of given) {
      params = { id }
      await fetch(`http://127.0.0.1:${app.port}/plain`)
      await settled(registry)
    }
    const countOf = (labels: Record<string, string>): number | undefined =>
      registry.getSampleValue('http_requests_total', {
        method: 'GET',
        route: '/plain',
        code: '200',
        constructor: '',
        ...labels,
      } as never)
    expect(['7', 'other', '__proto__', ''].map((id) => countOf({ id }))).toEqual([3, 3, 1, 1])
    expect(registry.getSampleValue('narthex_hook_errors_total', { hook: 'record' })).toBeUndefined()
    await app.close()
  })

  it('sees the content type of a stream however it is set', async () => {
    const type = 'text/event-stream; charset=utf-8'
    const ways: Answer[] = [
      (_request, response) => response.setHeader('content-type', type),
      (_request, response) => response.writeHead(200, { 'Content-Type': type }),
      (_request, response) => response.writeHead(200, 'Fine', { 'CONTENT-TYPE': type }),
      (_request, response) => response.writeHead(200, ['X-Other', '1', 'Content-Type', type] as never),
      (_request, response) => {
        // As on-headers and its users do.
        const own = response.writeHead
        response.writeHead = function (this: ServerResponse, ...args: never[]) {
          response.setHeader('Content-Type', type)
          return own.apply(this, args as unknown as Parameters<typeof own>)
        } as typeof own
      },
    ]
    const registry = new Registry()
    const metrics = new HttpMetrics({ registry })
    const app = await start(
      registry,
      createServer((request, response) => {
        metrics.follow(view, request, request, response)
        ways[Number(request.url?.slice(1))]?.(request, response)
        response.end('data: 1\n\n')
      }),
    )
    for (const index of ways.keys())
      await fetch(`http://127.0.0.1:${app.port}/${index}`).then((answer) => answer.text())
    await settled(registry)
    const labels = { method: 'GET', route: '<unmatched>', code: '200' }
    expect(registry.getSampleValue('http_stream_duration_seconds_count', labels)).toBe(ways.length)
    expect(registry.getSampleValue('http_request_duration_seconds_count', labels)).toBe(ways.length)
    await app.close()
  })

  it('counts the status that was sent, whatever is in its place or beside it afterwards', async () => {
    const ways: Answer[] = [
      (_request, response) => response.writeHead(201).end(),
      (_request, response) => response.writeHead(202, 'A word of its own').end(),
      (_request, response) => response.writeHead(299).end(),
      (_request, response) => {
        response.statusCode = 203
        response.flushHeaders()
        response.statusCode = 500
        response.end()
      },
      (_request, response) => {
        response.statusMessage = 'Not OK'
        response.end()
      },
    ]
    const registry = new Registry()
    const metrics = new HttpMetrics({ registry })
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      metrics.follow(view, request, request, response)
      ways[Number(request.url?.slice(1))]?.(request, response)
    }
    const app = await start(registry, createServer(answer))
    const codes: number[] = []
    for (const index of ways.keys()) codes.push((await fetch(`http://127.0.0.1:${app.port}/${index}`)).status)
    await settled(registry)
    expect(codes).toEqual([201, 202, 299, 203, 200])
    expect([...(await countsOf(registry)).keys()]).toEqual(codes.map((code) => `GET <unmatched> ${code}`))
    await app.close()
    const app2 = await start(registry, createServer2({}, answer as never))
    const client = connect2(`http://127.0.0.1:${app2.port}`)
    const stream = client.request({ ':path': '/3' })
    const [headers] = (await once(stream, 'response')) as [{ ':status': number }]
    await once(stream.resume(), 'close')
    await settled(registry)
    expect(headers[':status']).toBe(203)
    expect(registry.getSampleValue('http_requests_total', { method: 'GET', route: '<unmatched>', code: '203' })).toBe(2)
    client.close()
    await app2.close()
  })

  it('has no stream in flight that begins when its client has left', async () => {
    const registry = new Registry()
    const metrics = new HttpMetrics({ registry })
    const begun: boolean[] = []
    const app = await start(
      registry,
      createServer((request, response) => {
        metrics.follow(view, request, request, response)
        response.setHeader('Content-Type', 'text/event-stream')
        if (request.url === '/late') response.on('close', () => setImmediate(() => begun.push(response.write('late'))))
        else response.end('data: 1\n\n')
      }),
    )
    const socket = connect(app.port, '127.0.0.1')
    socket.write('GET /late HTTP/1.1\r\nHost: a\r\n\r\n')
    await until('the request', () => registry.getSampleValue('http_requests_in_flight', { method: 'GET' }) === 1)
    socket.destroy()
    await until('the late stream', () => begun.length === 1)
    await fetch(`http://127.0.0.1:${app.port}/events`).then((response) => response.text())
    await settled(registry)
    expect(registry.getSampleValue('http_streams_in_flight', { method: 'GET' })).toBe(0)
    await app.close()
  })

  it('refuses what is not an option, and does not define anything then', () => {
    const registry = new Registry()
    for (const options of [
      { nam: 1 },
      { naming: 'x' },
      { labels: { a: 1 } },
      { labels: 1 },
      { ignore: 1 },
      { route: '/' },
      { sizes: 1 },
      { exemplars: 1 },
      { promoteParams: { a: 'b' } },
      { registry: {} },
    ]) {
      expect(() => new HttpMetrics({ registry, ...options } as never)).toThrow(MetricError)
    }
    expect(registry.get('http_requests_total')).toBeUndefined()
  })
})

it('asks no answer of HTTP/2 for a status message, of which Node warns', async () => {
  const statusMessage = vi.spyOn(Http2ServerResponse.prototype, 'statusMessage', 'get')
  onTestFinished(() => statusMessage.mockRestore())
  const registry = new Registry()
  const metrics = new HttpMetrics({ registry })
  const server = createServer2((request, response) => {
    metrics.follow(undefined, request as never, request as never, response as never)
    response.writeHead(404).end('ok')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = connect2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(() => {
    client.close()
    server.close()
  })
  const stream = client.request({ ':path': '/' })
  await once(stream.resume(), 'close')
  await settled(registry)
  expect(registry.getSampleValue('http_requests_total', { method: 'GET', route: '<unmatched>', code: '404' })).toBe(1)
  expect(statusMessage).not.toHaveBeenCalled()
})

async function settled(registry: Registry): Promise<void> {
  do await sleep(5)
  while ((await inFlight(registry)) > 0)
}

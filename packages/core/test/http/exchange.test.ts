import { createServer, request as httpRequest, Agent, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Exchange, type ExchangeListener } from '@narthex/core/http'
import { expect, it } from 'vitest'
import { connectionOf, firstOn } from '../../src/http/line.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** As `HttpMetrics.follow` has it. */
function begin(
  owner: object,
  listener: ExchangeListener<IncomingMessage>,
  request: IncomingMessage,
  response: ServerResponse,
  method: string,
): Exchange<IncomingMessage> {
  const exchange = new Exchange(owner, listener, undefined, request, request, response, method, true, 0)
  const connection = connectionOf(request)
  exchange.begin(connection, firstOn(connection, response))
  return exchange
}

it('adds nothing to a connection for each request', async () => {
  const ended: boolean[] = []
  const listener: ExchangeListener<IncomingMessage> = {
    headersSent: () => {},
    partSent: () => {},
    settled: (_exchange, _response, isComplete) => void ended.push(isComplete),
  }
  const closeListeners: number[] = []
  const finishListeners: number[] = []
  const server = createServer((request, response) => {
    const owner = {}
    const before = response.listenerCount('finish')
    const exchange = begin(owner, listener, request, response, 'GET')
    expect(Exchange.of(response, owner)).toBe(exchange)
    expect(Exchange.of(response, {})).toBeUndefined()
    closeListeners.push(request.socket.listenerCount('close'))
    finishListeners.push(response.listenerCount('finish') - before)
    response.end('ok')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let round = 0; round < 20; round += 1) await get((server.address() as AddressInfo).port, agent)
  agent.destroy()
  await new Promise((resolve) => server.close(resolve))
  expect(ended).toEqual(Array.from({ length: 20 }, () => true))
  expect(new Set(closeListeners.slice(1)).size).toBe(1)
  // Until Node has been heard once to tell of an end, the response is asked too.
  expect(finishListeners.slice(1)).toEqual(Array.from({ length: 19 }, () => 0))
})

it('passes on what a handler gives to writeHead, and its answer', async () => {
  const server = createServer((request, response) => {
    begin({}, { headersSent: () => {}, partSent: () => {}, settled: () => {} }, request, response, 'GET')
    const result = response.writeHead(202, 'Took it', { 'X-A': '1' })
    expect(result).toBe(response)
    expect(() => response.writeHead(200)).toThrow(/ERR_HTTP_HEADERS_SENT|after they are sent|Cannot write headers/)
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  expect([answer.status, answer.statusText, answer.headers.get('x-a')]).toEqual([202, 'Took it', '1'])
  server.close()
})

it('tells of headers and of a part once, and the first of two owners before or after the other alike', async () => {
  const told: string[] = []
  const listenerOf = (name: string): ExchangeListener<IncomingMessage> => ({
    headersSent: () => void told.push(`${name} headers`),
    partSent: () => void told.push(`${name} part`),
    settled: () => void told.push(`${name} settled`),
  })
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    for (const name of ['a', 'b']) begin({}, listenerOf(name), request, response, 'GET')
    response.writeProcessing()
    response.flushHeaders()
    response.write('body')
    response.end('body')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  await get((server.address() as AddressInfo).port)
  server.close()
  const events = ['headers', 'part', 'settled']
  expect(told.sort()).toEqual(['a', 'b'].flatMap((name) => events.map((event) => `${name} ${event}`)))
})

it('tells an owner who comes when the client has left of that at once, be it the first or not', async () => {
  const told: [name: string, isComplete: boolean][] = []
  const listenerOf = (name: string): ExchangeListener<IncomingMessage> => ({
    headersSent: () => {},
    partSent: () => {},
    settled: (_exchange, _response, isComplete) => void told.push([name, isComplete]),
  })
  for (const early of [['early'], []]) {
    told.length = 0
    const server = createServer((request, response) => {
      const follow = (name: string): unknown => begin({}, listenerOf(name), request, response, 'GET')
      for (const name of early) follow(name)
      response.on('close', () => setImmediate(() => ['late', 'later'].forEach(follow)))
      leave()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const request = httpRequest({ port: (server.address() as AddressInfo).port }).on('error', () => {})
    const leave = (): unknown => request.destroy()
    request.end()
    await expect.poll(() => told).toEqual([...early, 'late', 'later'].map((name) => [name, false]))
    await new Promise((resolve) => server.close(resolve))
  }
})

function get(port: number, agent?: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    httpRequest({ port, agent }, (response) => response.resume().on('close', resolve))
      .on('error', reject)
      .end()
  })
}

it('takes an upload that was cut off for one that the client left, whatever a framework answers to it', async () => {
  const ends: boolean[] = []
  const listener: ExchangeListener<IncomingMessage> = {
    headersSent: () => {},
    partSent: () => {},
    settled: (_exchange, _response, isComplete) => void ends.push(isComplete),
  }
  const server = createServer((request, response) => {
    begin({}, listener, request, response, 'POST')
    // As body parsers have it: their error is answered with a 400, to nobody.
    request.on('error', () => {}).on('aborted', () => response.writeHead(400).end('request aborted'))
    request.on('data', () => upload.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const upload = httpRequest({ port, method: 'POST', headers: { 'Content-Length': '4096' } })
  upload.on('error', () => {})
  upload.write('some')
  await expect.poll(() => ends).toEqual([false])
  await new Promise((resolve) => server.close(resolve))
})

it('tells of the end of pipelined requests whose turn never came, and of a connection that an application took', async () => {
  const told: string[] = []
  const listener: ExchangeListener<IncomingMessage> = {
    headersSent: () => {},
    partSent: () => {},
    settled: ({ request }, _response, isComplete) => void told.push(`${request.url} ${isComplete}`),
  }
  const server = createServer((request, response) => {
    const owner = {}
    const exchange = begin(owner, listener, request, response, 'GET')
    const { socket } = request
    if (request.url === '/taken') response.detachSocket(socket)
    expect(Exchange.of(response, owner)).toBe(exchange)
    if (request.url?.startsWith('/last') === true) setImmediate(() => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  for (const paths of [
    ['/slow', '/waits', '/last'],
    ['/taken', '/last-with-it'],
  ]) {
    const client = connect(port, '127.0.0.1')
    for (const path of paths) client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await new Promise((resolve) => client.resume().once('close', resolve))
  }
  await new Promise((resolve) => server.close(resolve))
  const expected = ['/last false', '/last-with-it false', '/slow false', '/taken false', '/waits false']
  expect(told.toSorted()).toEqual(expected)
})

it('counts an end once, whoever follows the response after it and whatever came on the connection since', async () => {
  const ends: string[] = []
  const owner = {}
  const listener: ExchangeListener<IncomingMessage> = {
    headersSent: undefined,
    partSent: () => {},
    settled: ({ request }, _response, isComplete) => void ends.push(`${request.url} ${isComplete}`),
  }
  const follow = (request: IncomingMessage, response: ServerResponse): void => {
    // As adapters do: one that is followed is left alone.
    if (Exchange.of(response, owner) !== undefined) return
    begin(owner, listener, request, response, 'GET')
  }
  const past: (() => void)[] = []
  const server = createServer((request, response) => {
    follow(request, response)
    past.forEach((again) => again())
    const again = (): void => follow(request, response)
    response
      .on('finish', again)
      .on('close', again)
      .on('close', () => setImmediate(again))
    past.push(again)
    response.end('ok')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let round = 0; round < 3; round += 1) await get(port, agent)
  agent.destroy()
  // All three at once: two wait for their turn.
  const client = connect(port, '127.0.0.1')
  for (const path of ['/a', '/b', '/c']) client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
  await expect.poll(() => ends.length).toBeGreaterThanOrEqual(6)
  client.destroy()
  await new Promise((resolve) => server.close(resolve))
  past.forEach((again) => again())
  expect(ends).toEqual(['/ true', '/ true', '/ true', '/a true', '/b true', '/c true'])
})

it('holds nothing of a request that has ended while its connection stays open', async () => {
  const gone: WeakRef<object>[] = []
  const server = createServer((request, response) => {
    const listener = { headersSent: undefined, partSent: () => {}, settled: () => {} }
    begin({}, listener, request, response, 'GET')
    gone.push(new WeakRef(response))
    response.end('ok')
  })
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let round = 0; round < 3; round += 1) await get((server.address() as AddressInfo).port, agent)
  await expect
    .poll(() => {
      collectGarbage()
      return gone.filter((each) => each.deref() !== undefined).length
    })
    .toBe(0)
  agent.destroy()
  await new Promise((resolve) => server.close(resolve))
})

it('counts a request once that is first seen when its client has left, and again later', async () => {
  const ends: boolean[] = []
  const owner = {}
  const listener: ExchangeListener<IncomingMessage> = {
    headersSent: undefined,
    partSent: () => {},
    settled: (_exchange, _response, isComplete) => void ends.push(isComplete),
  }
  let isOver = false
  const server = createServer((request, response) => {
    // The connection has served before: it is known.
    if (request.url === '/first') {
      begin(owner, listener, request, response, 'GET')
      return void response.end()
    }
    const follow = (): void => {
      if (Exchange.of(response, owner) === undefined) {
        begin(owner, listener, request, response, 'GET')
      }
    }
    response.on('close', () => {
      follow()
      setImmediate(() => {
        follow()
        response.end()
        setImmediate(() => {
          follow()
          isOver = true
        })
      })
    })
    client.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\n')
  await expect.poll(() => ends).toEqual([true])
  client.write('GET /left HTTP/1.1\r\nHost: a\r\n\r\n')
  await expect.poll(() => isOver).toBe(true)
  await new Promise((resolve) => server.close(resolve))
  expect(ends).toEqual([true, false])
})

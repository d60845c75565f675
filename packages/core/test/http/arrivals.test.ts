import { createServer, IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { Arrivals } from '@narthex/core/http'
import { expect, it } from 'vitest'

/** A server, what it has told of in order, and a request for it. */
function followed(listener: (arrivals: Arrivals, server: Server) => RequestListener): {
  readonly server: Server
  readonly told: unknown[]
  readonly stop: () => void
  ask(name: string): ServerResponse
} {
  const told: unknown[] = []
  const arrivals = new Arrivals((request, _response, start) => told.push(request.url, start))
  const server = createServer()
  server.on('request', listener(arrivals, server))
  const stop = arrivals.listenTo(server)
  const ask = (name: string): ServerResponse => askFor(server, name)
  return { server, told, stop, ask }
}

function askFor(server: Server, name: string): ServerResponse {
  const request = new IncomingMessage(new Socket())
  request.url = name
  const response = new ServerResponse(request)
  server.emit('request', request, response)
  return response
}

it('a request that nobody has taken is told of behind the one who is given it, with the time of its coming', () => {
  let given = 0
  const { told, ask } = followed(() => () => {
    const until = performance.now() + 20
    while (performance.now() < until);
    given = performance.now() / 1000
  })
  ask('/a')
  expect(told).toEqual(['/a', expect.any(Number)])
  // Both clocks count seconds, from other zeros.
  const [seconds, nanoseconds] = process.hrtime()
  const offset = seconds + nanoseconds / 1e9 - performance.now() / 1000
  expect(told[1]).toBeLessThan(given + offset - 0.015)
})

it('a request that somebody has taken is not told of, and is taken once', () => {
  const taken: unknown[] = []
  const { told, ask } = followed((arrivals) => (_request, response) => {
    taken.push(arrivals.take(response), arrivals.take(response))
  })
  const response = ask('/a')
  expect(taken).toEqual([expect.any(Number), undefined])
  expect(told).toEqual([])
  expect(response.writableEnded).toBe(false)
})

it('a request within another is one of its own', () => {
  const taken: unknown[] = []
  const { told, ask } = followed((arrivals, server) => (request, response) => {
    if (request.url === '/within') return
    const before = performance.now() + 5
    while (performance.now() < before);
    askFor(server, '/within')
    if (request.url === '/takes') taken.push(arrivals.take(response))
  })
  ask('/outer')
  expect(told.filter((one) => typeof one === 'string')).toEqual(['/within', '/outer'])
  expect(told[3]).toBeLessThan((told[1] as number) - 0.004)
  ask('/takes')
  expect(told.filter((one) => typeof one === 'string')).toEqual(['/within', '/outer', '/within'])
  expect(taken[0]).toBeLessThan((told[5] as number) - 0.004)
})

it('a listener that throws costs nothing but what it costs without', () => {
  const { told, ask } = followed(() => () => {
    throw new Error('mine')
  })
  expect(() => ask('/a')).toThrow('mine')
  expect(told[0]).toBe('/a')
})

it('a Promise of its listener is still for the server', async () => {
  const server = createServer(async () => {
    throw new Error('late')
  })
  new Arrivals(() => {}).listenTo(server)
  const [both] = server.rawListeners('request')
  await expect(both?.call(server)).rejects.toThrow('late')
})

it('of several listeners it is the first, as it is with one that is already put around another', () => {
  const told: string[] = []
  const server = createServer(() => void told.push('own'))
  const first = new Arrivals(() => void told.push('first'))
  const second = new Arrivals(() => void told.push('second'))
  const before = server.rawListeners('request')
  const stopFirst = first.listenTo(server)
  const stopSecond = second.listenTo(server)
  askFor(server, '/')
  expect(told).toEqual(['second', 'own', 'first'])
  expect(server.listeners('request')).toContain(before[0])
  stopSecond()
  stopFirst()
  expect(server.rawListeners('request')).toEqual(before)
})

it('nothing is told of once that has ended, where others have come too', () => {
  const { server, told, stop, ask } = followed(() => () => {})
  server.on('request', () => {})
  stop()
  ask('/a')
  expect(told).toEqual([])
})

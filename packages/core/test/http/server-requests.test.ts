import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { rawRequest, statusOf } from './raw-request.ts'
import { smallRegistry, startedServer } from './started-server.ts'

describe('a request target', () => {
  it.each([
    ['/metrics', 200],
    ['/metrics?name[]=answer', 200],
    ['/metrics?', 200],
    ['/metrics#answer', 200],
    ['http://localhost/metrics', 200],
    ['http://another.example:81/metrics?x=1', 200],
    ['HTTPS://LOCALHOST/metrics', 200],
    ['http://user:password@localhost/metrics', 200],
    ['http://localhost', 200],
    ['http://localhost?x=1', 200],
    ['/', 200],
    ['/-/healthy', 200],
    ['//metrics', 404],
    ['///metrics', 404],
    ['/metrics/', 404],
    ['/metrics/../metrics', 404],
    ['/./metrics', 404],
    ['/x/../metrics', 404],
    ['/%6Detrics', 404],
    ['/%2e/metrics', 404],
    ['/metrics%00', 404],
    ['/metrics;x=1', 404],
    ['/METRICS', 404],
    ['/metrics\\', 404],
    ['*', 404],
    ['http://localhost//metrics', 404],
    ['ftp://localhost/metrics', 404],
    ['http://localhost/http://localhost/metrics', 404],
    ['/%', 404],
    ['/__proto__', 404],
    ['/constructor', 404],
  ])('%s is answered with %i, and with 401 to who may not come in', async (target, status) => {
    const open = await startedServer({ registry: smallRegistry() })
    expect(await statusOf(open.port, `GET ${target} HTTP/1.1`)).toBe(status)
    const closed = await startedServer({ registry: smallRegistry(), auth: { bearer: 'token' } })
    const expected = target === '/-/healthy' ? 200 : 401
    expect(await statusOf(closed.port, `GET ${target} HTTP/1.1`)).toBe(expected)
    expect(await statusOf(closed.port, `GET ${target} HTTP/1.1`, 'Authorization: Bearer token')).toBe(status)
  })

  it('of another host than the connection is for is answered all the same', async () => {
    const { port } = await startedServer({ registry: smallRegistry() })
    expect(await rawRequest(port, 'GET /metrics HTTP/1.0\r\n\r\n')).toContain('answer 42\n')
  })
})

describe('a request that is no request', () => {
  it.each([
    ['has no host', 'GET /metrics HTTP/1.1\r\n\r\n', 400],
    ['is the start of a TLS handshake', '\u0016\u0003\u0001', 400],
    ['has a target without a slash', 'GET metrics HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['has a target with a backslash', 'GET \\metrics HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['has a target with half a scheme', 'GET http:/metrics HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['has a blank in the name of a header', 'GET /metrics HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n', 400],
    ['has two lengths', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
    ['has one long header', `GET /metrics HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(17 * 1024)}\r\n\r\n`, 431],
    ['has a long target', `GET /metrics?${'x'.repeat(17 * 1024)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431],
    ['has many headers', `GET /metrics HTTP/1.1\r\nHost: a\r\n${'X-Header: value\r\n'.repeat(2_000)}\r\n`, 431],
  ])('because it %s is refused', async (_, text, status) => {
    const { port, url } = await startedServer({ registry: smallRegistry() })
    expect(await rawRequest(port, text)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect((await fetch(url)).status).toBe(200)
  })

  it('with a method that only proxies know is refused or cut off', async () => {
    const { port, url } = await startedServer({ registry: smallRegistry() })
    const answer = rawRequest(port, 'CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(await answer.catch(() => '')).not.toContain(' 200 ')
    expect((await fetch(url)).status).toBe(200)
  })

  it('that asks for an upgrade gets the page', async () => {
    const { port } = await startedServer({ registry: smallRegistry() })
    const answer = await rawRequest(
      port,
      'GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n',
    )
    expect(answer).toContain('answer 42\n')
  })
})

describe('a slow client', () => {
  it.each([
    ['says nothing', ''],
    ['stops in the request line', 'GET /met'],
    ['stops in its headers', 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow:'],
    [
      'announces a body that does not come',
      'POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n',
    ],
  ])('that %s is parted with', async (_, text) => {
    const { port, url } = await startedServer({ registry: smallRegistry(), requestTimeout: 200 })
    expect(await rawRequest(port, text)).toMatch(/^HTTP\/1\.1 (408|405) /)
    expect((await fetch(url)).status).toBe(200)
  })

  it('that sends a header bit by bit is parted with', async () => {
    const { port, url } = await startedServer({ registry: smallRegistry(), requestTimeout: 200 })
    const socket = connect(port, '127.0.0.1')
    socket.write('GET /metrics HTTP/1.1\r\n')
    const drip = setInterval(() => socket.write('X-Drip: drop\r\n'), 20)
    socket.on('error', () => {})
    let answer = ''
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text))
    await new Promise((resolve) => socket.once('close', resolve))
    clearInterval(drip)
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    expect((await fetch(url)).status).toBe(200)
  })

  it('that takes its time between two requests keeps its connection', async () => {
    // Both ends are in this process: where it is held up, a request takes its time as well.
    const { port } = await startedServer({ registry: smallRegistry(), requestTimeout: 400 })
    const socket = connect(port, '127.0.0.1').setEncoding('utf8')
    let answers = ''
    socket.on('data', (text: string) => (answers += text))
    for (let round = 1; round <= 2; round++) {
      socket.write('GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n')
      while (answers.split('Healthy\n').length <= round) await new Promise((resolve) => socket.once('data', resolve))
      await new Promise((resolve) => setTimeout(resolve, 900))
    }
    expect(socket.closed).toBe(false)
    socket.destroy()
  })
})

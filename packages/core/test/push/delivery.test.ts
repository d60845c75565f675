import { Gauge, MetricError, Registry } from '@narthex/core'
import { deleteFromGateway, pushAddToGateway, PushError, type PushOptions, pushToGateway } from '@narthex/core/push'
import { describe, expect, it } from 'vitest'
import { runBuilt } from './built-program.ts'
import { fakeGateway, fakeListener } from './fake-gateway.ts'
import { freePort } from '../../../../test/free-port.ts'

const registry = new Registry()
new Gauge({ name: 'x', help: 'X', registry }).set(1)

/** The error of a push, which must not succeed. */
async function failure(url: string, options: Partial<PushOptions> = {}): Promise<PushError> {
  const error = await pushToGateway(url, { job: 'a', registry, ...options }).then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(PushError)
  return error as PushError
}

describe('a request', () => {
  it('has a method, a type, a length and the whole page', async () => {
    const { url, received } = await fakeGateway((response) => response.end())
    await pushToGateway(url, { job: 'a', registry })
    await pushAddToGateway(`${url}/behind/a/proxy/?token=t`, { job: 'a', registry, format: 'protobuf' })
    await deleteFromGateway(url, { job: 'a' })
    const page = '# HELP x X\n# TYPE x gauge\nx 1\n'
    const text = 'text/plain; version=0.0.4; charset=utf-8'
    const protobuf = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'
    expect(received).toMatchObject([
      { method: 'PUT', path: '/metrics/job/a', headers: { 'content-type': text, 'content-length': `${page.length}` } },
      { method: 'POST', path: '/behind/a/proxy/metrics/job/a?token=t', headers: { 'content-type': protobuf } },
      { method: 'DELETE', path: '/metrics/job/a', headers: { 'content-length': '0' } },
    ])
    expect(String(received[0]?.body)).toBe(page)
    expect(received[2]?.headers['content-type']).toBeUndefined()
  })

  it.each<[string, (address: string) => string, Partial<PushOptions>, string]>([
    ['a user with a password', String, { auth: { username: 'ü', password: 'a:b' } }, `Basic ${btoa('Ã¼:a:b')}`],
    ['a bearer token', String, { auth: { bearer: 'abc.def' } }, 'Bearer abc.def'],
    ['the user of the address', (url) => url.replace('//', '//me%40home:p%2Fw@'), {}, `Basic ${btoa('me@home:p/w')}`],
    ['options before the address', (url) => url.replace('//', '//a:b@'), { auth: { bearer: 'c' } }, 'Bearer c'],
    ['a header of its own', String, { headers: { authorization: 'Custom x', 'X-Scope-OrgID': 'a' } }, 'Custom x'],
  ])('says who asks: %s', async (_, addressOf, options, authorization) => {
    const { url, received } = await fakeGateway((response) => response.end())
    await pushToGateway(addressOf(url), { job: 'a', registry, ...options })
    expect(received[0]?.headers.authorization).toBe(authorization)
  })
})

describe('a gateway that fails', () => {
  it.each([429, 500, 502, 503, 504])('with %i once is asked again', async (status) => {
    const { url, received } = await fakeGateway((response, attempt) => {
      response.statusCode = attempt === 0 ? status : 202
      response.end('busy')
    })
    await pushToGateway(url, { job: 'a', registry })
    expect(received).toHaveLength(2)
    expect(received[1]?.body).toEqual(received[0]?.body)
  })

  it.each([400, 401, 403, 404, 405, 413, 415])('with %i is asked once', async (status) => {
    const { url, received } = await fakeGateway((response) => {
      response.statusCode = status
      response.end('because\n  of that\n')
    })
    const error = await failure(url)
    expect(error.message).toBe(`PUT ${url}/metrics/job/a failed: it answered ${status}: because of that`)
    expect(error).toMatchObject({ status, body: 'because\n  of that\n' })
    expect(received).toHaveLength(1)
  })

  it('for good is given up after the retries, with its last answer', async () => {
    const { url, received } = await fakeGateway((response, attempt) => {
      response.statusCode = 500
      response.end(`no ${attempt} ${'x'.repeat(5000)}`)
    })
    const error = await failure(url, { retries: 1 })
    expect(error.message).toMatch(/failed: it answered 500: no 1 x+…$/)
    expect(error.body).toHaveLength(1024)
    expect(received).toHaveLength(2)
  })

  it('and asks for more patience than there is, is given up at once', async () => {
    const { url, received } = await fakeGateway((response) => {
      response.writeHead(503, { 'Retry-After': '3600' })
      response.end()
    })
    expect((await failure(url)).message).toMatch(/failed: it answered 503$/)
    expect(received).toHaveLength(1)
  })

  it.each<[string, () => string]>([
    ['in seconds', () => '1'],
    // A date has no milliseconds: up to one second of the two is lost.
    ['as a date', () => new Date(Date.now() + 2_000).toUTCString()],
  ])('and says when to come back, %s, is asked then', async (_, retryAfter) => {
    const times: number[] = []
    const { url } = await fakeGateway((response, attempt) => {
      times.push(performance.now())
      response.writeHead(attempt === 0 ? 429 : 200, { 'Retry-After': retryAfter() })
      response.end()
    })
    await pushToGateway(url, { job: 'a', registry })
    expect((times[1] as number) - (times[0] as number)).toBeGreaterThan(950)
  })

  it.each([301, 302, 307, 308])('by a redirect with %i is told of, not followed', async (status) => {
    const { url, received } = await fakeGateway((response) => {
      response.writeHead(status, { Location: 'https://elsewhere/metrics' })
      response.end()
    })
    const { message } = await failure(url)
    expect(message).toContain(
      `it answered ${status}, a redirect to https://elsewhere/metrics, which a push does not follow`,
    )
    expect(received).toHaveLength(1)
  })

  it('that never answers costs the time-out and no more', async () => {
    const { url, received } = await fakeGateway(() => {})
    const error = await failure(url, { timeout: 1_000 })
    expect(error.message).toBe(`PUT ${url}/metrics/job/a failed: no answer within 1000 ms`)
    expect(error.status).toBeUndefined()
    expect(received).toHaveLength(1)
  })

  it('that answers byte by byte costs the time-out and no more', async () => {
    const { url } = await fakeGateway((response) => {
      const drip = setInterval(() => response.write('x'), 20)
      response.on('close', () => clearInterval(drip))
    })
    expect((await failure(url, { timeout: 300 })).message).toContain('no answer within 300 ms')
  })

  it('that breaks off in the middle of an answer is asked again', async () => {
    const { url, connections } = await fakeListener((socket, attempt) => {
      socket.once('data', () => {
        if (attempt === 0) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
        else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      })
    })
    await pushToGateway(url, { job: 'a', registry })
    expect(connections()).toBe(2)
  })

  it('that stops in the middle of an answer costs the time-out and no more', async () => {
    const { url } = await fakeListener((socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'))
    })
    expect((await failure(url, { timeout: 200 })).message).toContain('no answer within 200 ms')
  })

  it.each<[string, string | undefined]>([
    ['resets', undefined],
    ['closes without a word', ''],
    ['speaks no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['switches protocols', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'],
  ])('that %s is asked again, then given up', async (_, answer) => {
    const { url, connections } = await fakeListener((socket) => {
      socket.once('data', () => (answer === undefined ? socket.resetAndDestroy() : socket.end(answer)))
    })
    const error = await failure(url, { retries: 1 })
    expect(error.status).toBeUndefined()
    expect(error.cause).toBeInstanceOf(Error)
    expect(connections()).toBe(2)
  })

  it('that is not there', async () => {
    const error = await failure(`127.0.0.1:${await freePort()}`, { retries: 1 })
    expect(error.message).toContain('ECONNREFUSED')
  })

  it('keeps secrets out of the error', async () => {
    const { url } = await fakeGateway((response) => {
      response.statusCode = 401
      response.end()
    })
    const error = await failure(url.replace('//', '//user:hunter2@').concat('/?token=hunter2'))
    expect(`${error.message} ${error.url} ${String(error.stack)}`).not.toContain('hunter2')
    expect(error.url).toBe(`${url}/metrics/job/a`)
  })
})

describe('wrong options', () => {
  it.each<[string, unknown, object, string]>([
    ['no address', '', {}, 'url'],
    ['an address that is none', 'http://', {}, 'url'],
    ['another protocol', 'ftp://gateway', {}, 'url'],
    ['an unknown option', 'gateway', { jobs: 'a' }, 'jobs'],
    ['no registry', 'gateway', { registry: {} }, 'registry'],
    ['no time', 'gateway', { timeout: 0 }, 'timeout'],
    ['half a retry', 'gateway', { retries: 0.5 }, 'retries'],
    ['another format', 'gateway', { format: 'json' }, 'format'],
    ['compression by name', 'gateway', { compression: 'gzip' }, 'compression'],
    ['half of the credentials', 'gateway', { auth: { username: 'hunter2' } }, 'auth'],
    ['both credentials', 'gateway', { auth: { username: 'hunter2', password: 'b', bearer: 'c' } }, 'auth'],
    ['a token with a line end', 'gateway', { auth: { bearer: 'hunter2\r\nX: y' } }, 'auth'],
    ['a user with a colon', 'gateway', { auth: { username: 'hunter2:', password: 'b' } }, 'auth'],
    ['a header with a line end', 'gateway', { headers: { 'X-A': 'hunter2\r\nX: y' } }, 'headers'],
    ['a length', 'gateway', { headers: { 'content-length': '1' } }, 'headers'],
    ['a key that is none', 'https://gateway', { tls: { key: 'hunter2' } }, 'tls'],
  ])('are told before anything is sent: %s', async (_, url, options, argument) => {
    for (const push of [pushToGateway, pushAddToGateway, deleteFromGateway]) {
      const error = await push(url as string, { job: 'a', ...options }).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(MetricError)
      expect((error as MetricError).argument).toBe(argument)
      expect((error as MetricError).message).not.toContain('hunter2')
    }
  })

  it('are told where there are none', async () => {
    const error = await pushToGateway('gateway', undefined as never).catch((reason: unknown) => reason)
    expect((error as Error).message).toBe('Pushgateway: expected `options` to be an object with `job`, got `undefined`')
  })
})

describe('a job', () => {
  it.each<[string, (url: string) => string]>([
    ['does not answer', (url) => url],
    ['is not there', () => 'http://127.0.0.1:1'],
    ['is a name that nobody knows', () => 'http://gateway.invalid:9091'],
  ])('ends by itself, with an error it can tell, where the gateway %s', async (_, addressOf) => {
    const { url } = await fakeListener(() => {})
    const { code, output, errors } = await runBuilt(new URL('programs/job.mjs', import.meta.url), [addressOf(url)])
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    expect(output).toMatch(/^PushError: PUT http:\/\/\S+\/metrics\/job\/job failed: /)
  })
})

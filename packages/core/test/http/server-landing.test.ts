import { MetricError, Registry } from '@narthex/core'
import { startMetricsServer } from '@narthex/core/http'
import { describe, expect, it } from 'vitest'
import { statusOf } from './raw-request.ts'
import { smallRegistry, startedServer } from './started-server.ts'

const at = (url: string, path: string, init?: RequestInit): Promise<Response> => fetch(new URL(path, url), init)

describe('the landing page', () => {
  it('links to every page and to the health check', async () => {
    const { url } = await startedServer({
      registry: smallRegistry(),
      paths: { '/metrics/slow': smallRegistry('slow'), '/probe': (_, response) => void response.end() },
    })
    const response = await at(url, '/')
    const html = await response.text()
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('content-length')).toBe(String(new TextEncoder().encode(html).length))
    const links = [...html.matchAll(/<a href="([^"]*)">([^<]*)<\/a>/g)].map(([, href, text]) => [href, text])
    expect(links).toEqual(['/metrics', '/metrics/slow', '/probe', '/-/healthy'].map((path) => [path, path]))
    expect(html).toContain('<title>Metrics</title>')
  })

  it('escapes its title and its links', async () => {
    const { url } = await startedServer({ title: `<script>"&'</script>`, path: `/a&b'c`, registry: smallRegistry() })
    const html = await (await at(url, '/')).text()
    expect(html).toContain('<h1>&lt;script&gt;&quot;&amp;&#39;&lt;/script&gt;</h1>')
    expect(html).toContain('<a href="/a&amp;b&#39;c">/a&amp;b&#39;c</a>')
    expect(html).not.toContain('<script>')
    expect((await at(url, `/a&b'c`)).status).toBe(200)
  })

  it('gives way to a page of the application at that path', async () => {
    const { url } = await startedServer({ path: '/', registry: smallRegistry() })
    expect(await (await at(url, '/')).text()).toContain('answer 42\n')
    expect(url).toMatch(/:\d+\/$/)
  })
})

describe('/-/healthy', () => {
  it('answers without credentials, with nothing but that', async () => {
    const { url } = await startedServer({ auth: { bearer: 'token' }, registry: smallRegistry() })
    const response = await at(url, '/-/healthy?x=1')
    expect([response.status, await response.text()]).toEqual([200, 'Healthy\n'])
  })

  it('gives way to a page of the application, which asks for credentials as every page does', async () => {
    const { url } = await startedServer({
      auth: { bearer: 'token' },
      paths: { '/-/healthy': (_, response) => void response.end('mine') },
    })
    expect((await at(url, '/-/healthy')).status).toBe(401)
    const response = await at(url, '/-/healthy', { headers: { Authorization: 'Bearer token' } })
    expect(await response.text()).toBe('mine')
  })
})

describe('both', () => {
  it.each(['/', '/-/healthy'])('%s answers HEAD without a body and refuses other methods', async (path) => {
    const { url, port } = await startedServer({ registry: smallRegistry() })
    const get = await at(url, path)
    const head = await at(url, path, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([
      200,
      get.headers.get('content-length'),
      '',
    ])
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const response = await at(url, path, { method })
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    }
    expect(await statusOf(port, `TRACE ${path} HTTP/1.1`)).toBe(405)
  })
})

describe('paths', () => {
  it('serve several registries, and handlers that may be asynchronous', async () => {
    const { url } = await startedServer({
      paths: {
        '/metrics': smallRegistry('one'),
        '/internal/metrics': smallRegistry('two'),
        '/later': (async (_: unknown, response: { end(text: string): void }) => {
          await Promise.resolve()
          response.end('later')
        }) as never,
      },
    })
    expect(url).toMatch(/\/metrics$/)
    expect(await (await at(url, '/metrics')).text()).toContain('one 42\n')
    expect(await (await at(url, '/internal/metrics')).text()).toContain('two 42\n')
    expect(await (await at(url, '/later')).text()).toBe('later')
  })

  it('leave the default page out unless registry or path asks for it', async () => {
    const paths = { '/probe': smallRegistry('probe') }
    const only = await startedServer({ paths })
    expect(only.url).toMatch(/\/probe$/)
    expect((await at(only.url, '/metrics')).status).toBe(404)
    const both = await startedServer({ paths, registry: smallRegistry() })
    expect(await (await at(both.url, '/metrics')).text()).toContain('answer 42\n')
    const named = await startedServer({ paths, path: '/here' })
    expect((await at(named.url, '/here')).status).toBe(200)
  })

  it('survive a handler that throws, now or later', async () => {
    const thrown = new Error('broken')
    const { url } = await startedServer({
      paths: {
        '/now': () => {
          throw thrown
        },
        '/later': (() => Promise.reject(thrown)) as never,
        '/midway': (_, response) => {
          response.write('half')
          throw thrown
        },
      },
    })
    for (const path of ['/now', '/later']) {
      const response = await at(url, path)
      expect([response.status, await response.text()]).toEqual([500, 'The handler of this path has thrown\n'])
    }
    await expect(at(url, '/midway').then((response) => response.text())).rejects.toThrow(/terminated|fetch failed/)
    expect((await at(url, '/-/healthy')).status).toBe(200)
  })

  it('are named to who asks for another', async () => {
    const { url } = await startedServer({ registry: smallRegistry(), paths: { '/probe': smallRegistry('probe') } })
    const response = await at(url, '/nothing')
    expect([response.status, await response.text()]).toEqual([404, 'Not found: the metrics are at /metrics, /probe\n'])
  })

  it.each([
    ['paths', { paths: { metrics: new Registry() } }],
    ['paths', { paths: { '/metrics?x': new Registry() } }],
    ['paths', { paths: { '/a b': new Registry() } }],
    ['paths', { paths: { '/a/../b': new Registry() } }],
    ['paths', { paths: { '//metrics': new Registry() } }],
    ['paths', { paths: { '/métrics': new Registry() } }],
    ['paths', { paths: { '/metrics': {} } }],
    ['paths', { paths: { '/metrics': null } }],
    ['paths', { paths: 'metrics' }],
    ['paths', { paths: null }],
    ['paths', { paths: { '/metrics': new Registry() }, registry: new Registry() }],
    ['path', { path: 'metrics' }],
    ['path', { path: '/<b>' }],
    ['path', { path: '' }],
    ['title', { title: 7 }],
    ['host', { host: '' }],
    ['host', { host: 7 }],
    ['requestTimeout', { requestTimeout: 0 }],
    ['requestTimeout', { requestTimeout: Infinity }],
    ['closeTimeout', { closeTimeout: -1 }],
    ['maxConnections', { maxConnections: Number.NaN }],
    ['maxConnections', { maxConnections: '9' }],
    ['authorize', { authorize: 'yes' }],
    ['port', { port: undefined }],
    ['port', { port: 65_536 }],
    ['port', { port: '8000' }],
    ['socket', { socket: '/tmp/x.sock' }],
    ['socket', { port: undefined, socket: '' }],
    ['socket', { port: undefined, host: 'localhost', socket: '/tmp/x.sock' }],
  ])('and other options are refused where they cannot be right: %s, %o', async (argument, options) => {
    const error = await startMetricsServer({ port: 0, ...options } as never).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(MetricError)
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_OPTION', argument })
  })
})

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { MetricError, Registry, samplesOf } from '@narthex/core'
import { expressPromBundleNaming, HttpMetrics, promsterNaming } from '@narthex/core/http'
import { parseText } from '@narthex/core/parse'
import { prometheus } from '@narthex/express'
import express, { type RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { bundles, type PeerRegister, promBundle, promClient, promsters } from './peers.ts'

const requests = [
  ['GET', '/'],
  ['GET', '/users/1'],
  ['GET', '/users/2?full=1'],
  ['POST', '/users/1'],
  ['GET', '/api/acme/orders'],
  ['GET', '/api/acme/orders'],
  ['GET', '/fails'],
  ['GET', '/shops/12/items/0123456789abcdef'],
  ['GET', '/users/ada'],
  ['GET', '/nowhere'],
] as const

/** What a path is called there, and here: the first has guessed what a parameter is, the second knows. */
const renamed = new Map([
  ['/users/ada', '/users/#val'],
  ['/nowhere', '<unmatched>'],
])

describe('the page with `expressPromBundleNaming`', () => {
  it.each(bundles)(
    'is that of express-prom-bundle %i, but for paths of which it does not know the route',
    async (...peer) => {
      const [, promBundle, promClient] = peer
      const register = new promClient.Registry()
      const options = { includeMethod: true, includePath: true, autoregister: false, promRegistry: register }
      await visit(promBundle(options))
      const expected = await pageOf(register)

      const registry = new Registry()
      registry.gauge({ name: 'up', help: 'Whether the application runs.' }).set(1)
      await visit(prometheus({ registry, naming: expressPromBundleNaming }))
      const actual = await pageOf(registry)

      expect(actual).toEqual(renamePaths(expected))
      expect(expected.map(({ name, type }) => `${name} ${type}`)).toEqual([
        'http_request_duration_seconds histogram',
        'up gauge',
      ])
      expect(expected[0]?.series).toContain('_bucket le=0.003 method=GET path=/users/#val status_code=200')
      expect(actual[0]?.series).toContain('_count method=GET path=/users/#val status_code=200: 3')
    },
  )

  it('is that of express-prom-bundle to the last path, where that is told to name routes', async () => {
    const register = new promClient.Registry()
    const normalizePath = (request: express.Request): string =>
      request.route === undefined ? '<unmatched>' : request.baseUrl + String((request.route as { path: string }).path)
    await visit(
      promBundle({ includeMethod: true, includePath: true, includeUp: false, promRegistry: register, normalizePath }),
    )

    const registry = new Registry()
    const naming = { ...expressPromBundleNaming, parameters: undefined }
    await visit(prometheus({ registry, naming }))
    expect(await pageOf(registry)).toEqual(await pageOf(register))
  })

  it('names what the route tells where express-prom-bundle has what was sent', async () => {
    const list = [
      ['GET', '/re12'],
      ['GET', '/files/x.txt'],
      ['GET', '/USERS/7'],
      ['OPTIONS', '/users/7'],
      ['DELETE', '/users/7'],
    ] as const
    const paths = (families: readonly Family[]): string[] =>
      (families[0]?.series ?? [])
        .filter((line) => line.startsWith('_count'))
        .map((line) => / method=(\S+) path=(.*) status_code=/.exec(line)?.slice(1).join(' ') ?? line)
        .sort()
    const register = new promClient.Registry()
    await visit(promBundle({ includeMethod: true, includePath: true, includeUp: false, promRegistry: register }), list)
    const registry = new Registry()
    await visit(prometheus({ registry, naming: expressPromBundleNaming }), list)
    expect(paths(await pageOf(register))).toEqual([
      'DELETE /users/#val',
      'GET /USERS/#val',
      'GET /files/x.txt',
      'GET /re12',
      'OPTIONS /users/#val',
    ])
    expect(paths(await pageOf(registry))).toEqual([
      'DELETE <unmatched>',
      'GET /^\\/re\\d+$/',
      'GET /files/*path',
      'GET /users/#val',
      'OPTIONS <unmatched>',
    ])
  })

  it('has the status classes and the buckets that both were given', async () => {
    const register = new promClient.Registry()
    const formatStatusCode = ({ statusCode }: express.Response): string => `${Math.floor(statusCode / 100)}xx`
    const buckets = [0.5, 1]
    const options = { includeMethod: true, includePath: true, includeUp: false, promRegistry: register }
    await visit(promBundle({ ...options, formatStatusCode, buckets }))

    const registry = new Registry()
    await visit(prometheus({ registry, naming: expressPromBundleNaming, groupStatusCodes: true, buckets }))
    expect(await pageOf(registry)).toEqual(renamePaths(await pageOf(register)))
  })
})

describe('the page with `promsterNaming`', () => {
  it.each(promsters)(
    'is that of promster %i, but for paths of which it does not know the route',
    async (_, promster) => {
      promster.defaultRegister.clear()
      const middleware = promster.createMiddleware()
      promster.signalIsUp()
      await visit(middleware)
      const ofHttp = ({ name }: Family): boolean => name.startsWith('http_') || name === 'nodejs_up'
      const expected = (await pageOf(promster.defaultRegister)).filter(ofHttp)

      const registry = new Registry()
      registry.gauge({ name: 'nodejs_up', help: 'Whether the application runs.' }).set(1)
      await visit(prometheus({ registry, naming: promsterNaming }))
      const actual = await pageOf(registry)

      expect(actual).toEqual(renamePaths(expected))
      expect(expected.map(({ name, type }) => `${name} ${type}`)).toEqual([
        'http_request_duration_seconds histogram',
        'http_requests counter',
        'nodejs_up gauge',
      ])
      expect(actual[1]?.series).toContain('_total method=get path=/users/#val status_code=200: 3')
    },
  )
})

describe('a naming of your own', () => {
  it('names every metric, its help and its labels', async () => {
    const registry = new Registry()
    const naming = {
      requests: 'requests_total',
      duration: 'latency_seconds',
      inFlight: 'open_requests',
      requestSize: 'in_bytes',
      responseSize: 'out_bytes',
      timeToHeaders: 'first_seconds',
      streamsInFlight: 'open_streams',
      streamDuration: 'stream_seconds',
      help: { requests: 'All of them.', streamDuration: 'How long.' },
      labels: { method: 'verb', route: 'handler', code: 'status' },
      buckets: [1],
      unmatched: 'none',
      parameters: '{}',
      lowerCaseMethods: true,
    }
    await visit(prometheus({ registry, naming, sizes: true, timeToHeaders: true }), [
      ['GET', '/users/1'],
      ['PROPFIND', '/nowhere'],
      ['GET', '/events'],
    ])
    const page = await registry.metrics()
    expect([...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)).toEqual([
      'requests_total',
      'latency_seconds',
      'open_requests',
      'in_bytes',
      'out_bytes',
      'first_seconds',
      'open_streams',
      'stream_seconds',
    ])
    expect(page).toContain('# HELP requests_total All of them.\n')
    expect(page).toContain('# HELP stream_seconds How long.\n')
    expect(page).toContain('requests_total{verb="get",handler="/users/{}",status="200"} 1\n')
    expect(page).toContain('requests_total{verb="_OTHER",handler="none",status="404"} 1\n')
    expect(page).toContain('stream_seconds_count{verb="get",handler="/events",status="200"} 1\n')
    expect(page).toContain('open_requests{verb="get"} 0\n')
    expect(page).toContain('open_streams{verb="get"} 0\n')
    expect(page.match(/^latency_seconds_bucket\{.*handler="none".*/gm)).toHaveLength(2)
  })

  it('has only the duration where it names no more, and spells the rest as ever', async () => {
    const registry = new Registry()
    await visit(prometheus({ registry, naming: { duration: 'latency_seconds' } }), [
      ['GET', '/users/1'],
      ['GET', '/nowhere'],
    ])
    const page = await registry.metrics()
    expect(page.match(/^# TYPE .*/gm)).toEqual(['# TYPE latency_seconds histogram'])
    expect(page).toContain('latency_seconds_count{method="GET",route="/users/:id",code="200"} 1\n')
    expect(page).toContain('latency_seconds_count{method="GET",route="<unmatched>",code="404"} 1\n')
    expect(page).toContain('le="0.005"')
  })

  it.each([
    [null, "expected `naming` to be 'prometheus' or 'otel', or an object of names, got `null`"],
    [{}, 'expected `naming.duration` to be a string, got `undefined`'],
    [{ duration: 'd', reqests: 'r' }, 'HttpNaming: expected `reqests` to be one of the options requests, duration'],
    [{ duration: 'd', inFlight: 1 }, 'expected `naming.inFlight` to be a string, got `1` (number)'],
    [{ duration: 'd', help: 'h' }, 'expected `naming.help` to be an object of strings'],
    [{ duration: 'd', help: { up: 'h' } }, 'HttpNaming.help: expected `up` to be one of the options'],
    [{ duration: 'd', help: { duration: 1 } }, 'expected `naming.help.duration` to be a string'],
    [{ duration: 'd', labels: ['a'] }, 'expected `naming.labels` to be an object of strings'],
    [
      { duration: 'd', labels: { path: 'p' } },
      'HttpNaming.labels: expected `path` to be one of the options method, route, code',
    ],
    [{ duration: 'd', labels: { code: 1 } }, 'expected `naming.labels.code` to be a string'],
    [{ duration: 'd', buckets: 1 }, 'expected `naming.buckets` to be an array of numbers'],
    [{ duration: 'd', lowerCaseMethods: 'yes' }, 'expected `naming.lowerCaseMethods` to be a boolean'],
    [{ duration: 'd', labels: { route: 'code' } }, 'labelNames'],
  ])('is refused where it is wrong: %j', (naming, message) => {
    const registry = new Registry()
    const create = (): unknown => new HttpMetrics({ registry, naming: naming as never })
    expect(create).toThrow(MetricError)
    expect(create).toThrow(message)
    expect(registry.get('d')).toBeUndefined()
  })
})

/** Serves one application behind the middleware, and has ended all requests when it returns. */
async function visit(
  middleware: RequestHandler,
  list: readonly (readonly [method: string, path: string])[] = requests,
): Promise<void> {
  const says: RequestHandler = (_request, response) => void response.send('ok')
  const app = express()
  app.use(middleware)
  app.get('/', says)
  app.get('/users/:id', says)
  app.post('/users/:id', (_request, response) => void response.sendStatus(201))
  app.use('/api', express.Router().get('/acme/orders', says))
  app.get('/shops/:shop/items/:item', says)
  app.get(/^\/re\d+$/, says)
  app.get('/files/*path', says)
  app.get('/events', (_request, response) => void response.type('text/event-stream').send('data: 1\n\n'))
  app.get('/fails', (_request, response) => void response.sendStatus(503))
  const server = createServer(app)
  let ended = 0
  server.on('request', (_request, response) => void response.on('close', () => (ended += 1)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  for (const [method, path] of list)
    await fetch(`http://127.0.0.1:${port}${path}`, { method }).then((answer) => answer.text())
  while (ended < list.length) await sleep(1)
  await new Promise<void>((resolve) => server.close(() => resolve()))
}

interface Family {
  readonly name: string
  readonly type: string
  /** Suffix, sorted labels and value of each sample: of durations and of what fell into which bucket no value. */
  readonly series: readonly string[]
}

async function pageOf(source: PeerRegister): Promise<Family[]> {
  const families = parseText(await source.metrics()).map((family) => {
    const { name, type } = family
    const series = [...samplesOf(family)].map((sample) => {
      const suffix = sample.name.slice(name.length)
      const labels = Object.entries(sample.labels).map(([label, value]) => `${label}=${value}`)
      const isTime = suffix === '_sum' || (suffix === '_bucket' && sample.labels['le'] !== '+Inf')
      return `${suffix} ${labels.sort().join(' ')}${isTime ? '' : `: ${sample.value}`}`
    })
    return { name, type, series: series.sort() }
  })
  return families.sort((one, other) => (one.name < other.name ? -1 : 1))
}

/** The peer's page with paths as the preset has them: series that become one are added up. */
function renamePaths(families: readonly Family[]): Family[] {
  return families.map((family) => {
    const sums = new Map<string, number | undefined>()
    for (const line of family.series) {
      const [, series, value] = /^(.*?)(?:: (\d+))?$/.exec(line) as unknown as [string, string, string | undefined]
      const path = / path=(\S+)/.exec(series)?.[1] ?? ''
      const own = series.replace(`path=${path}`, `path=${renamed.get(path) ?? path}`)
      sums.set(own, value === undefined ? undefined : (sums.get(own) ?? 0) + Number(value))
    }
    const series = [...sums].map(([own, sum]) => (sum === undefined ? own : `${own}: ${sum}`)).sort()
    return { ...family, series }
  })
}

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from '@narthex/core'
import { expressPromBundleNaming, metricsHandler, promsterNaming } from '@narthex/core/http'
import { prometheus } from '@narthex/express'
import express, { type Express, type Request, type RequestHandler, type Response } from 'express'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { bundles, type PeerRegister, promBundle, promClient, promsters } from './peers.ts'

/** Rows of the tables in docs/migrating that are no option of the same name: told to the peer and to us, then compared. */
const PeerRegistry = promClient.Registry
const both = { includeMethod: true, includePath: true, includeUp: false }
const classOf = (response: { statusCode: number }): string => (response.statusCode < 400 ? 'fine' : 'bad')
const templateOf = (request: Request): string => (request.route as { path: string }).path

/** With an own label `status_code`, for which the exact code makes room. */
const labelsOfCode = { method: 'method', route: 'path', code: 'code' }
const labels = { status_code: (_request: unknown, response: { statusCode: number }) => classOf(response) }

describe.each(bundles)('in place of an option of express-prom-bundle %i', (_, promBundle) => {
  const ofBundle = async (options: object): Promise<string[]> => {
    const promRegistry = new PeerRegistry()
    await visit(promBundle({ ...both, promRegistry, ...options }))
    return countsOf(await promRegistry.metrics())
  }

  it.each([
    ['`formatStatusCode`', { formatStatusCode: classOf }],
    [
      '`transformLabels` that changes `status_code`',
      {
        transformLabels: (peerLabels: Record<string, string>, _request: Request, response: Response) => {
          peerLabels['status_code'] = classOf(response)
        },
      },
    ],
  ])('a label of its own is what %s makes', async (_, options) => {
    const registry = new Registry()
    await visit(prometheus({ registry, naming: { ...expressPromBundleNaming, labels: labelsOfCode }, labels }))
    const peer = await ofBundle(options)
    expect(peer).toContain('_count method=GET path=/users/#val status_code=fine 2')
    expect(countsOf(withoutCode(await registry.metrics()))).toEqual(peer)
  })

  it.each([
    ['a function', (request: Request) => (request.path.startsWith('/users') ? '/u/:id' : request.path)],
    ['patterns', [['^/users/.*', '/u/:id']]],
  ])('`route` names what `normalizePath` names with %s, parameters included', async (_, normalizePath) => {
    const registry = new Registry()
    const route = ({ path }: Request): string => path.replace(/^\/users\/.*/, '/u/:id')
    await visit(prometheus({ registry, naming: { ...expressPromBundleNaming, parameters: undefined }, route }))
    const own = countsOf(await registry.metrics())
    expect(own).toContain('_count method=GET path=/u/:id status_code=200 2')
    expect(own).toEqual(await ofBundle({ normalizePath }))
  })

  it.each([
    ['`bypass`', { bypass: ({ path }: Request) => path === '/gone' }, ({ path }: Request) => path === '/gone'],
    ['`excludeRoutes`', { excludeRoutes: ['/gone', /^\/users\/8/] }, ['/gone', /^\/users\/8/]],
  ])('`ignore` leaves out what %s does', async (_, options, ignore) => {
    const registry = new Registry()
    await visit(prometheus({ registry, naming: expressPromBundleNaming, ignore }))
    const own = countsOf(await registry.metrics())
    expect(own.join()).not.toContain('/gone')
    expect(own).toEqual(await ofBundle(options))
  })

  it('the histogram has the count lines of `metricType: summary`', async () => {
    const registry = new Registry()
    await visit(prometheus({ registry, naming: expressPromBundleNaming }))
    const own = countsOf(await registry.metrics())
    expect(own).toEqual(await ofBundle({ metricType: 'summary', percentiles: [0.5] }))
  })

  it('sums have the lines of a page without some of the three labels', async () => {
    const registry = new Registry()
    await visit(prometheus({ registry, naming: expressPromBundleNaming }))
    const own = countsOf(await registry.metrics())
    for (const name of ['Method', 'Path', 'StatusCode']) {
      const label = { Method: 'method', Path: 'path', StatusCode: 'status_code' }[name] as string
      const sums = new Map<string, number>()
      for (const line of own) {
        const [, series, value] = /^(.*) (\d+)$/.exec(line) as unknown as [string, string, string]
        const rest = series.replace(new RegExp(` ${label}=\\S+`), '')
        sums.set(rest, (sums.get(rest) ?? 0) + Number(value))
      }
      const summed = [...sums].map(([series, sum]) => `${series} ${sum}`).sort()
      expect(summed).toEqual(await ofBundle({ [`include${name}`]: false }))
    }
  })
})

describe('the page beside that of express-prom-bundle', () => {
  const asked = ['GET /metrics', 'GET /metrics/', 'GET /metrics?x=1', 'POST /metrics']
  const registry = new Registry()

  it.each<[string, (app: Express) => unknown, number[]]>([
    ...bundles.map(([major, promBundle]): [string, (app: Express) => unknown, number[]] => [
      `there, ${major}`,
      (app) => app.use(promBundle({ promRegistry: new PeerRegistry() })),
      [200, 200, 404, 200],
    ]),
    ['here', (app) => app.use(prometheus({ registry })), [200, 404, 200, 405]],
    ['at `/metrics/`', (app) => app.use(prometheus({ registry, path: '/metrics/' })), [404, 200, 404, 404]],
    [
      'on a route in front',
      (app) => app.get('/metrics', metricsHandler({ registry })).use(prometheus({ registry, path: false })),
      [200, 200, 200, 404],
    ],
  ])('has the addresses that the table tells: %s', async (_, add, codes) => {
    expect(await statusesOf(asked, add)).toEqual(codes)
  })

  it('is seen from the mount here, and from the root there', async () => {
    const peer = promBundle({ promRegistry: new PeerRegistry(), metricsPath: '/api/metrics' })
    expect(await statusesOf(['GET /api/metrics'], (app) => app.use('/api', peer))).toEqual([200])
    const own = prometheus({ registry, path: '/metrics' })
    expect(await statusesOf(['GET /api/metrics'], (app) => app.use('/api', own))).toEqual([200])
  })
})

describe.each(promsters)('in place of an option of promster %i', (_, promster) => {
  const ofPromster = async (options: object): Promise<string[]> => {
    promster.defaultRegister.clear()
    await visit(promster.createMiddleware({ options }))
    return countsOf(await promster.defaultRegister.metrics())
  }

  it.each([
    ['`skip`', { skip: ({ path }: Request) => path === '/gone' }, { ignore: ({ path }: Request) => path === '/gone' }],
    [
      '`metricTypes`',
      { metricTypes: ['httpRequestsHistogram'] },
      { naming: { ...promsterNaming, requests: undefined } },
    ],
    [
      '`normalizePath`',
      { normalizePath: (_path: string, { req }: { req: Request }) => templateOf(req) },
      { naming: { ...promsterNaming, parameters: undefined }, route: templateOf },
    ],
  ])('there are the lines that %s makes', async (_, peerOptions, options) => {
    const peer = await ofPromster(peerOptions)
    const registry = new Registry()
    await visit(prometheus({ registry, naming: promsterNaming, ...options }))
    expect(countsOf(await registry.metrics())).toEqual(peer)
    expect(peer).not.toEqual(await ofPromster({}))
  })

  it.each([
    ['`normalizeStatusCode`', { normalizeStatusCode: (_: number, { res }: { res: Response }) => classOf(res) }],
    [
      '`getLabelValues` that sets `status_code`',
      { getLabelValues: (_: Request, response: Response) => ({ status_code: classOf(response) }) },
    ],
  ])('a label of its own is what %s makes', async (_, options) => {
    const registry = new Registry()
    await visit(prometheus({ registry, naming: { ...promsterNaming, labels: labelsOfCode }, labels }))
    const peer = await ofPromster(options)
    expect(peer).toContain('_total method=get path=/users/#val status_code=fine 2')
    expect(countsOf(withoutCode(await registry.metrics()))).toEqual(peer)
  })

  it.each([
    ['nothing outside', undefined, 0],
    ['everything within', '10.0.0.1', 6],
  ])('`ignore` records %s Kubernetes, as `detectKubernetes` does', async (_, host, count) => {
    vi.stubEnv('KUBERNETES_SERVICE_HOST', host)
    onTestFinished(() => void vi.unstubAllEnvs())
    const registry = new Registry()
    const ignore = (): boolean => process.env['KUBERNETES_SERVICE_HOST'] === undefined
    await visit(prometheus({ registry, naming: promsterNaming, ignore }))
    const own = countsOf(await registry.metrics())
    expect(own).toHaveLength(count)
    expect(own).toEqual(await ofPromster({ detectKubernetes: true }))
    expect(
      await statusesOf(['GET /metrics'], (app) => app.use(prometheus({ registry, naming: promsterNaming, ignore }))),
    ).toEqual([200])
  })
})

it('a slow answer falls into the bucket of the peers, and its time is in the sum', async () => {
  const slow: RequestHandler = (_request, response) => void setTimeout(() => response.send('ok'), 80)
  const buckets = [0.05, 30]
  const recorded = async (middleware: RequestHandler, source: PeerRegister | Registry): Promise<unknown> => {
    await statusesOf(['GET /slow', 'GET /slow'], (app) => app.use(middleware).get('/slow', slow))
    const values = new Map<string, number>()
    for (const [, name, value] of (await source.metrics()).matchAll(/^http_request_duration_seconds_(\S+) (.*)$/gm))
      values.set(/le="[^"]+"|^sum|^count/.exec(name as string)?.[0] ?? '', Number(value))
    const { sum, ...counts } = Object.fromEntries(values)
    expect(sum).toBeGreaterThan(0.15)
    expect(sum).toBeLessThan(10)
    return counts
  }
  const expected = { 'le="0.05"': 0, 'le="30"': 2, 'le="+Inf"': 2, count: 2 }
  for (const [, promBundle] of bundles) {
    const promRegistry = new PeerRegistry()
    expect(await recorded(promBundle({ ...both, promRegistry, buckets }), promRegistry)).toEqual(expected)
  }
  for (const [, promster] of promsters) {
    promster.defaultRegister.clear()
    const metricBuckets = { httpRequestDurationInSeconds: buckets }
    const ofTheirs = promster.createMiddleware({ options: { metricBuckets } })
    expect(await recorded(ofTheirs, promster.defaultRegister)).toEqual(expected)
  }
  for (const naming of [expressPromBundleNaming, promsterNaming]) {
    const registry = new Registry()
    expect(await recorded(prometheus({ registry, naming, buckets }), registry)).toEqual(expected)
  }
})

/** Serves the same requests behind the middleware, and has ended all of them when it returns. */
async function visit(middleware: RequestHandler): Promise<void> {
  const says: RequestHandler = (_request, response) => void response.send('ok')
  await statusesOf(['GET /', 'GET /users/7', 'GET /users/8', 'GET /gone'], (app) =>
    app
      .use(middleware)
      .get('/', says)
      .get('/users/:id', says)
      .get('/gone', (_request, response) => void response.sendStatus(410)),
  )
}

async function statusesOf(asked: readonly string[], add: (app: Express) => unknown): Promise<number[]> {
  const app = express()
  add(app)
  const server = createServer(app)
  let ended = 0
  server.on('request', (_request, response) => void response.on('close', () => (ended += 1)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const statuses: number[] = []
  for (const [method, path] of asked.map((line) => line.split(' ') as [string, string])) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method })
    await answer.text()
    statuses.push(answer.status)
  }
  while (ended < asked.length) await sleep(1)
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return statuses
}

function withoutCode(page: string): string {
  return page.replaceAll(/(?<=[{,])code="\d+",/g, '')
}

/** Suffix, sorted labels and value of the lines that count requests. */
function countsOf(page: string): string[] {
  return [...page.matchAll(/^http_request(?:s|_duration_seconds)(_count|_total)\{(.*)\} (\d+)$/gm)]
    .map(([, suffix, own, value]) => {
      const pairs = (own as string).split(',').map((pair) => pair.replaceAll('"', ''))
      return [suffix, ...pairs.sort(), value].join(' ')
    })
    .sort()
}

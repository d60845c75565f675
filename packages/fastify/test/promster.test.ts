import { createRequire } from 'node:module'
import { Registry } from '@narthex/core'
import { promsterNaming } from '@narthex/core/http'
import { prometheus } from '@narthex/fastify'
import fastify, { type FastifyInstance, type FastifyPluginAsync, type FastifyRequest } from 'fastify'
import { expect, it } from 'vitest'

const requirePeer = createRequire(new URL('../../../benchmarks/package.json', import.meta.url))
const promster = requirePeer('@promster/fastify') as {
  readonly plugin: FastifyPluginAsync<object>
  readonly defaultRegister: { metrics(): Promise<string>; clear(): void }
}

const matched = ['GET /', 'GET /users/7', 'GET /users/8?full=1', 'HEAD /users/7', 'POST /users/7', 'GET /fails']
const team = ({ method }: FastifyRequest): string => (method === 'POST' ? 'writers' : 'readers')
const isFailing = ({ url }: FastifyRequest): boolean => url === '/fails'

it.each([
  ['as it comes', {}, {}],
  ['with `skip`', { skip: isFailing }, { ignore: isFailing }],
  [
    'with `labels`',
    { labels: ['team'], getLabelValues: (request: FastifyRequest) => ({ team: team(request) }) },
    { labels: { team } },
  ],
  [
    'with one of `metricTypes`',
    { metricTypes: ['httpRequestsHistogram'] },
    { naming: { ...promsterNaming, requests: undefined } },
  ],
  [
    'with buckets and normalizers',
    {
      metricBuckets: { httpRequestDurationInSeconds: [1, 2] },
      normalizeMethod: (method: string) => method,
      normalizeStatusCode: (code: number) => `${Math.floor(code / 100)}xx`,
      normalizePath: (_path: string, { req }: { req: FastifyRequest }) => req.routeOptions.url,
    },
    {
      buckets: [1, 2],
      groupStatusCodes: true,
      naming: { ...promsterNaming, lowerCaseMethods: false, parameters: undefined },
      route: (request: FastifyRequest) => request.routeOptions.url,
    },
  ],
])('the page with `promsterNaming` is that of @promster/fastify, %s', async (_, peerOptions, options) => {
  const peer = await ofPromster(peerOptions, matched)
  expect(peer.filter((line) => line.startsWith('http_request_duration_seconds_bucket')).length).toBeGreaterThan(10)
  expect(await ofNarthex(options, matched)).toEqual(peer)
})

it('what matched nothing and what Fastify answers itself are `<unmatched>`, where promster has the path or nothing', async () => {
  const list = ['GET /nowhere', 'OPTIONS /users/7', 'GET /files/a.txt', 'GET /%E0%A4%A']
  const totals = (lines: readonly string[]): string[] => lines.filter((line) => line.startsWith('http_requests_total'))
  expect(totals(await ofPromster({}, list))).toEqual([
    'http_requests_total method="get" path="/files/a.txt" status_code="200" 1',
    'http_requests_total method="get" path="/nowhere" status_code="404" 1',
    'http_requests_total method="options" path="/users/#val" status_code="404" 1',
  ])
  expect(totals(await ofNarthex({}, list))).toEqual([
    'http_requests_total method="get" path="/files/*" status_code="200" 1',
    'http_requests_total method="get" path="<unmatched>" status_code="400" 1',
    'http_requests_total method="get" path="<unmatched>" status_code="404" 1',
    'http_requests_total method="options" path="<unmatched>" status_code="404" 1',
  ])
})

async function ofPromster(options: object, list: readonly string[]): Promise<string[]> {
  promster.defaultRegister.clear()
  const app = fastify()
  await app.register(promster.plugin, options)
  await visit(app, list)
  return linesOf(await promster.defaultRegister.metrics())
}

async function ofNarthex(options: object, list: readonly string[]): Promise<string[]> {
  const registry = new Registry()
  const app = fastify()
  await app.register(prometheus, { registry, naming: promsterNaming, ...options })
  await visit(app, list)
  return linesOf(await registry.metrics())
}

async function visit(app: FastifyInstance, list: readonly string[]): Promise<void> {
  app.get('/', async () => 'ok')
  app.get('/users/:id', async () => 'ok')
  app.post('/users/:id', async (_request, reply) => reply.code(201).send())
  app.get('/files/*', async () => 'ok')
  app.get('/fails', async () => {
    throw new Error('failed')
  })
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  for (const line of list) {
    const [method, url] = line.split(' ')
    await fetch(`${address}${url}`, { method }).then((answer) => answer.text())
  }
  await app.close()
}

/** Types, and series of HTTP metrics with sorted labels; of times only the bounds. */
function linesOf(page: string): string[] {
  return page
    .split('\n')
    .filter((line) => /^(?:# TYPE )?http_/.test(line) && !/^\w+_sum/.test(line))
    .map((line) => {
      const [, name, labels, value] = /^(\w+)\{(.*)\} (\d+)$/.exec(line) ?? []
      if (labels === undefined) return line
      const sorted = labels.split(',').sort().join(' ')
      return `${name} ${sorted} ${name?.endsWith('_bucket') ? '' : value}`
    })
    .sort()
}

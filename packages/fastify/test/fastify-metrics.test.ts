import { setTimeout as sleep } from 'node:timers/promises'
import { Registry, samplesOf } from '@narthex/core'
import { collectDefaultMetrics } from '@narthex/core/collectors'
import { fastifyMetricsNaming } from '@narthex/core/http'
import { parseText } from '@narthex/core/parse'
import { prometheus, type PrometheusOptions } from '@narthex/fastify'
import fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import fastify4 from 'fastify-4'
import fastifyMetrics from 'fastify-metrics'
import fastifyMetrics10 from 'fastify-metrics-10'
import fastifyMetrics11 from 'fastify-metrics-11'
import fastifyMetrics12 from 'fastify-metrics-12'
import fastifyMetrics13 from 'fastify-metrics-13'
import { describe, expect, it } from 'vitest'

const requests = [
  ['GET', '/users/1'],
  ['GET', '/users/2'],
  ['POST', '/users/1'],
  ['GET', '/fails'],
  ['GET', '/api/items/3'],
  ['GET', '/hidden'],
  ['HEAD', '/users/1'],
  ['GET', '/nowhere'],
  ['DELETE', '/users/1'],
] as const

const isHead = ({ method }: { readonly method: string }): boolean => method === 'HEAD'

const createFastify4 = fastify4 as never as typeof fastify
const majors = [
  [10, fastifyMetrics10, createFastify4],
  [11, fastifyMetrics11, createFastify4],
  [12, fastifyMetrics12, fastify],
  [13, fastifyMetrics13, fastify],
  [14, fastifyMetrics, fastify],
] as const

describe.each(majors)('the page with `fastifyMetricsNaming`, beside that of fastify-metrics %i,', (_, ...former) => {
  it('is that without its summary, where that has a name for what matched nothing', async () => {
    const { peer, own } = await bothPages({ registeredRoutesOnly: false }, {}, former)
    expect(peer.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'http_request_duration_seconds histogram',
      'http_request_summary_seconds summary',
    ])
    expect(own).toEqual(peer.slice(0, 1))
    expect(own[0]?.series).toContain('_count method=GET route=__unknown__ status_code=404: 1')
    expect(own[0]?.series).toContain('_bucket le=0.005 method=GET route=/users/:id status_code=200')
  })

  it('has beyond it as it comes only what matched nothing', async () => {
    const { peer, own } = await bothPages({}, {}, former)
    const matched = own.map((family) => ({
      ...family,
      series: family.series.filter((line) => !line.includes('route=__unknown__')),
    }))
    expect(matched).toEqual(peer.slice(0, 1))
    expect(matched).not.toEqual(own)
  })

  it('has the same status classes, buckets and name for what matched nothing, where both are told', async () => {
    const histogram = { buckets: [0.5, 1], name: 'latency_seconds' }
    const { peer, own } = await bothPages(
      { registeredRoutesOnly: false, groupStatusCodes: true, invalidRouteGroup: 'none', overrides: { histogram } },
      {
        groupStatusCodes: true,
        buckets: [0.5, 1],
        naming: { ...fastifyMetricsNaming, duration: 'latency_seconds', unmatched: 'none' },
      },
      former,
    )
    expect(own).toEqual(peer.filter(({ type }) => type === 'histogram'))
    expect(own[0]?.series).toContain('_count method=GET route=none status_code=4xx: 1')
  })
})

it('has scrapes under the route of the page as fastify-metrics does, where it is told to record them', async () => {
  const scrapes = async (app: FastifyInstance): Promise<string[]> => {
    await app.inject('/metrics')
    const { body } = await app.inject('/metrics')
    await app.close()
    return body.split('\n').filter((line) => line.startsWith('http_request_duration_seconds_count'))
  }
  const peer = fastify()
  await peer.register(fastifyMetrics.default, { clearRegisterOnInit: true, defaultMetrics: { enabled: false } })
  const line = 'http_request_duration_seconds_count{method="GET",route="/metrics",status_code="200"} 1'
  expect(await scrapes(peer)).toEqual([line])
  for (const recordScrapes of [true, false]) {
    const app = fastify()
    await app.register(prometheus, { registry: new Registry(), naming: fastifyMetricsNaming, recordScrapes })
    expect(await scrapes(app)).toEqual(recordScrapes ? [line] : [])
  }
})

it('shows the durations that fastify-metrics shows, with `code` for `status_code`', async () => {
  const peer = fastify()
  await peer.register(fastifyMetrics.default, { clearRegisterOnInit: true, defaultMetrics: { enabled: false } })
  const expected = await pageAfter(peer, { disableMetrics: true })

  const app = fastify()
  await app.register(prometheus, { registry: new Registry(), ignore: isHead })
  const actual = await pageAfter(app, { metrics: { skip: true } })

  const shown = linesOf(actual).filter((line) => !line.includes('<unmatched>'))
  expect(shown.sort()).toEqual(linesOf(expected).sort())
  expect(shown.filter((line) => line.startsWith('http_request_duration_seconds_count'))).toHaveLength(4)
})

describe.each(majors)('where fastify-metrics %i has a `routeBlacklist`,', (major, ...former) => {
  const routeBlacklist = ['/users/:id', /^\/api/]
  const isListed = (url = ''): boolean =>
    routeBlacklist.some((entry) => (entry instanceof RegExp ? entry.test(url) : entry === url))
  const ignore: PrometheusOptions['ignore'] = (request) => isHead(request) || isListed(request.routeOptions.url)
  const countsOf = (family?: Family): string[] => family?.series.filter((line) => line.startsWith('_count')) ?? []
  const unmatched = /route=__unknown__/

  it('`ignore` leaves out the same when it asks for templates', async () => {
    const { peer, own } = await bothPages({ routeBlacklist }, { ignore }, former)
    expect(countsOf(peer[0])).toEqual(['_count method=GET route=/fails status_code=500: 1'])
    expect(countsOf(own[0]).filter((line) => !unmatched.test(line))).toEqual(countsOf(peer[0]))
  })

  it('that is without effect beside `registeredRoutesOnly: false` until 12', async () => {
    const options = major < 13 ? {} : { ignore }
    const { peer, own } = await bothPages({ registeredRoutesOnly: false, routeBlacklist }, options, former)
    expect(own).toEqual(peer.slice(0, 1))
    expect(countsOf(own[0]).filter((line) => unmatched.test(line))).toHaveLength(2)
    expect(countsOf(own[0])).toHaveLength(major < 13 ? 6 : 3)
  })
})

it.each(majors)(
  'with fastify-metrics %i, it names by `route` what fastify-metrics names by `getRouteLabel`, routes that are none included',
  async (_, ...former) => {
    const name = ({ routeOptions }: { readonly routeOptions: { readonly url?: string } }): string =>
      routeOptions.url?.slice(1) ?? 'nothing'
    const overrides = { labels: { getRouteLabel: name } }
    const { peer, own } = await bothPages({ registeredRoutesOnly: false, overrides }, { route: name }, former)
    expect(own).toEqual(peer.slice(0, 1))
    expect(own[0]?.series).toContain('_count method=GET route=nothing status_code=404: 1')
  },
)

it.each(majors)(
  'with fastify-metrics %i, it has in its histogram the count of the summary, which fastify-metrics can do without the former',
  async (_, ...former) => {
    const { peer, own } = await bothPages({ registeredRoutesOnly: false, enabled: { histogram: false } }, {}, former)
    const countsOf = (family?: Family): unknown => family?.series.filter((line) => line.startsWith('_count'))
    expect(peer.map(({ type }) => type)).toEqual(['summary'])
    expect(countsOf(own[0])).toEqual(countsOf(peer[0]))
  },
)

it('has a slow answer in the bucket of fastify-metrics, and its time in the sum', async () => {
  const buckets = [0.05, 30]
  const recorded = async (app: FastifyInstance): Promise<unknown> => {
    app.get('/slow', () => sleep(80, 'ok'))
    await Promise.all([app.inject('/slow'), app.inject('/slow')])
    const { body } = await app.inject('/metrics')
    await app.close()
    const values = [...body.matchAll(/^http_request_duration_seconds_(\S+) (.*)$/gm)].map(
      ([, name, value]) => [/le="[^"]+"|^sum|^count/.exec(name as string)?.[0], Number(value)] as const,
    )
    const { sum, ...counts } = Object.fromEntries(values)
    expect(sum).toBeGreaterThan(0.15)
    expect(sum).toBeLessThan(10)
    return counts
  }
  const peer = fastify()
  const routeMetrics = { overrides: { histogram: { buckets } } }
  const defaultMetrics = { enabled: false }
  await peer.register(fastifyMetrics.default, { clearRegisterOnInit: true, defaultMetrics, routeMetrics } as never)
  const expected = { 'le="0.05"': 0, 'le="30"': 2, 'le="+Inf"': 2, count: 2 }
  expect(await recorded(peer)).toEqual(expected)
  const app = fastify()
  await app.register(prometheus, { registry: new Registry(), naming: fastifyMetricsNaming, buckets })
  expect(await recorded(app)).toEqual(expected)
})

it('has the names and types of `defaultMetrics`, but for those that the documentation tells', async () => {
  const options = { prefix: 'shop_', labels: { region: 'eu' } }
  const typesOf = async (app: FastifyInstance): Promise<string[]> => {
    const { body } = await app.inject('/metrics')
    await app.close()
    expect(body).toContain('\nshop_process_start_time_seconds{region="eu"} ')
    return [...body.matchAll(/^# TYPE shop_(.*)$/gm)].map(([, type]) => type as string)
  }
  const peer = fastify()
  const defaultMetrics = { enabled: true, ...options }
  await peer.register(fastifyMetrics.default, { clearRegisterOnInit: true, defaultMetrics } as never)
  const registry = new Registry()
  using _ = collectDefaultMetrics({ registry, ...options })
  const app = fastify()
  await app.register(prometheus, { registry })
  const own = await typesOf(app)
  expect(
    (await typesOf(peer)).filter((type) => !own.includes(type) && !type.startsWith('nodejs_eventloop_lag_')),
  ).toEqual([
    'nodejs_eventloop_utilization_summary summary',
    'nodejs_eventloop_utilization_histogram histogram',
    'nodejs_active_resources_total gauge',
    'nodejs_active_handles gauge',
    'nodejs_active_handles_total gauge',
    'nodejs_active_requests gauge',
    'nodejs_active_requests_total gauge',
  ])
})

it('adds up what two applications on one registry count, where fastify-metrics throws', async () => {
  const registry = new Registry()
  const count = async (): Promise<string | undefined> => {
    const app = fastify()
    await app.register(prometheus, { registry, naming: fastifyMetricsNaming, ignore: isHead })
    return /route="\/users\/:id",status_code="200"\} (\d+)$/m.exec(await pageAfter(app, {}))?.[1]
  }
  expect([await count(), await count()].map(Number)).toEqual([2, 4])

  const defaultMetrics = { enabled: false }
  await fastify().register(fastifyMetrics.default, { clearRegisterOnInit: true, defaultMetrics })
  await expect(async () => fastify().register(fastifyMetrics.default, { defaultMetrics })).rejects.toThrow('already')
})

/** Both pages after the same requests to the same application. */
async function bothPages(
  routeMetrics: object,
  options: PrometheusOptions,
  [plugin, createFastify]: readonly [{ readonly default: unknown }, typeof fastify],
): Promise<{ readonly peer: Family[]; readonly own: Family[] }> {
  const there = createFastify()
  const peerOptions = { clearRegisterOnInit: true, defaultMetrics: { enabled: false }, routeMetrics }
  await there.register(plugin.default as FastifyPluginAsync, peerOptions as never)
  const peer = familiesOf(await pageAfter(there, { disableMetrics: true }))

  const here = createFastify()
  await here.register(prometheus, {
    registry: new Registry(),
    naming: fastifyMetricsNaming,
    ignore: isHead,
    ...options,
  })
  const own = familiesOf(await pageAfter(here, { metrics: { skip: true } }))
  return { peer, own }
}

interface Family {
  readonly name: string
  readonly type: string
  /** Suffix, sorted labels and value of each sample: of durations and of what fell into which bucket no value. */
  readonly series: readonly string[]
}

function familiesOf(page: string): Family[] {
  const families = parseText(page).map((family) => {
    const { name, type } = family
    const series = [...samplesOf(family)].map((sample) => {
      const suffix = sample.name.slice(name.length)
      const labels = Object.entries(sample.labels).map(([label, value]) => `${label}=${value}`)
      const isCount = suffix === '_count' || sample.labels['le'] === '+Inf'
      return `${suffix} ${labels.sort().join(' ')}${isCount ? `: ${sample.value}` : ''}`
    })
    return { name, type, series: series.sort() }
  })
  return families.sort((one, other) => (one.name < other.name ? -1 : 1))
}

async function pageAfter(app: FastifyInstance, hidden: object): Promise<string> {
  app.get('/users/:id', async () => 'ok')
  app.post('/users/:id', async (_request, reply) => reply.code(201).send())
  app.get('/fails', async () => {
    throw new Error('failed')
  })
  app.register(async (api) => void api.get('/items/:item', async () => 'ok'), { prefix: '/api' })
  app.get('/hidden', { config: hidden }, async () => 'ok')
  for (const [method, url] of requests) await app.inject({ method, url })
  const { body } = await app.inject('/metrics')
  await app.close()
  return body
}

/**
 * Bucket and count lines of the histogram without the page's own; `status_code` is `code`, labels are sorted. What fell
 * into each bucket is a matter of time: only counts have their value.
 */
function linesOf(page: string): string[] {
  return page
    .split('\n')
    .filter((line) => /^http_request_duration_seconds_(?:bucket|count)\{/.test(line) && !line.includes('"/metrics"'))
    .map((line) => {
      const [, name, labels, value] = /^(\w+)\{(.*)\} (.*)$/.exec(line) as unknown as string[]
      const sorted = (labels as string).replace('status_code=', 'code=').split(',').sort().join(',')
      return `${name}{${sorted}} ${(name as string).endsWith('_bucket') ? '' : value}`
    })
}

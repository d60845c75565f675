import { once } from 'node:events'
import { createServer, request as httpRequest, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Counter, type Gauge, type Histogram, Registry } from '@narthex/core'
import { type FrameworkView, HttpMetrics, type HttpMetricsOptions } from '@narthex/core/http'
import { expect, it } from 'vitest'

const LABELS = { method: 'GET', route: '/a', code: '200' }

/** As many as are counted together, and a few around that. */
const NUMBERS = [1, 2, 63, 64, 65, 130]

interface Recorded extends AsyncDisposable {
  readonly registry: Registry
  readonly requests: Counter<string>
  readonly duration: Histogram<string>
  readonly inFlight: Gauge<string>
  /** Sends so many requests one after another, and resolves when the server has ended all of them. */
  send(count: number, method?: string): Promise<void>
  /** Begins one that is not answered; what this gives ends it. */
  hold(): Promise<() => Promise<void>>
}

async function record(options: HttpMetricsOptions = {}, route = () => '/a'): Promise<Recorded> {
  const registry = options.registry ?? new Registry()
  const metrics = new HttpMetrics({ ...options, registry })
  const view: FrameworkView<unknown> = { route }
  const held: ServerResponse[] = []
  const server = createServer((request, response) => {
    metrics.follow(view as never, request, request, response)
    if (request.url === '/held') held.push(response)
    else response.end()
    server.emit('seen')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const ended = (response: ServerResponse): Promise<unknown> =>
    response.closed ? Promise.resolve() : once(response, 'close')
  return {
    registry,
    requests: registry.get('http_requests_total') as Counter<string>,
    duration: registry.get('http_request_duration_seconds') as Histogram<string>,
    inFlight: registry.get('http_requests_in_flight') as Gauge<string>,
    async send(count, method = 'GET') {
      for (let index = 0; index < count; index++) {
        const responses: ServerResponse[] = []
        server.once('request', (_request, response: ServerResponse) => responses.push(response))
        const request = httpRequest({ port, method, path: '/' }).end()
        const [answer] = (await once(request, 'response')) as [NodeJS.ReadableStream]
        answer.resume()
        await ended(responses[0] as ServerResponse)
      }
    },
    async hold() {
      const request = httpRequest({ port, path: '/held' }).end()
      await once(server, 'seen')
      const response = held.pop() as ServerResponse
      return async () => {
        response.end()
        const [answer] = (await once(request, 'response')) as [NodeJS.ReadableStream]
        answer.resume()
        await ended(response)
      }
    },
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

it('shows every request that has ended to whoever looks, in whichever way', async () => {
  const looks: { readonly [way: string]: (recorded: Recorded) => unknown } = {
    'the page': async ({ registry }) =>
      Number(/^http_requests_total\{.*\} (\d+)$/m.exec(await registry.metrics())?.[1]),
    'one sample': ({ registry }) => registry.getSampleValue('http_requests_total', LABELS),
    'the histogram': ({ registry }) => registry.getSampleValue('http_request_duration_seconds_count', LABELS),
    'a held child': ({ requests }) => requests.labels(LABELS).value,
    'the family': ({ requests }) => [...requests.family.series].map((series) => (series as { value: number }).value)[0],
    'several processes': async ({ registry }) => {
      for await (const { family } of registry.ownFamilies({ timeout: 1_000 })) {
        if (family.name !== 'http_requests') continue
        for (const series of family.series) return (series as { value: number }).value
      }
      return undefined
    },
  }
  for (const [way, look] of Object.entries(looks)) {
    await using recorded = await record()
    let sum = 0
    for (const count of NUMBERS) {
      await recorded.send(count)
      sum += count
      expect(await look(recorded), `${way} after ${sum}`).toBe(sum)
    }
  }
})

it('shows what is in flight at any time', async () => {
  await using recorded = await record()
  const { inFlight, registry } = recorded
  const child = inFlight.labels('GET')
  const seen: (number | undefined)[] = []
  const look = (): void => {
    seen.push(child.value, registry.getSampleValue('http_requests_in_flight', { method: 'GET' }))
  }
  look()
  const first = await recorded.hold()
  look()
  const second = await recorded.hold()
  look()
  await first()
  await recorded.send(3)
  look()
  await second()
  look()
  expect(seen).toEqual([0, 0, 1, 1, 2, 2, 1, 1, 0, 0])
})

it('counts a request in the series that were there when it ended, removed or not', async () => {
  await using recorded = await record()
  const { requests, duration, inFlight, registry } = recorded
  const value = (): number | undefined => registry.getSampleValue('http_requests_total', LABELS)
  const removed = requests.labels(LABELS)
  await recorded.send(3)
  expect(requests.remove(LABELS)).toBe(true)
  expect([removed.value, value()]).toEqual([3, undefined])
  await recorded.send(2)
  expect([removed.value, value()]).toEqual([3, 2])
  const end = await recorded.hold()
  expect(inFlight.removeMatching({})).toBe(1)
  expect(duration.removeMatching({ method: 'GET' })).toBe(1)
  const late = await recorded.hold()
  expect(registry.getSampleValue('http_requests_in_flight', { method: 'GET' })).toBe(1)
  await end()
  expect(registry.getSampleValue('http_requests_in_flight', { method: 'GET' })).toBe(1)
  await late()
  expect(registry.getSampleValue('http_requests_in_flight', { method: 'GET' })).toBe(0)
  expect(value()).toBe(4)
  expect(registry.getSampleValue('http_request_duration_seconds_count', LABELS)).toBe(2)
})

it.each([{}, { native: { factor: 1.1 }, buckets: [1] }] satisfies HttpMetricsOptions[])(
  'has a series since the first request that ended in it, whenever somebody looks: %o',
  async (options) => {
    await using recorded = await record(options)
    const { requests, duration } = recorded
    const before = Date.now() / 1000
    await recorded.send(1)
    const after = Date.now() / 1000
    const created = (): (number | undefined)[] =>
      [requests, duration].flatMap(({ family }) => [...family.series].map((series) => series.created))
    await sleep(20)
    await recorded.send(1)
    await sleep(20)
    const [first = 0, second = 0] = created()
    expect([first >= before, first <= after, second >= before, second <= after]).toEqual([true, true, true, true])
    await recorded.send(1)
    await sleep(20)
    expect(created()).toEqual([first, second])
    requests.reset()
    const reset = Date.now() / 1000
    await recorded.send(1)
    expect(created()[0]).toBeGreaterThanOrEqual(reset - 0.001)
  },
)

it('has series in the order in which they were first counted in', async () => {
  let route = 0
  await using recorded = await record({}, () => `/${route++}`)
  await recorded.send(70)
  const routes = [...recorded.requests.family.series].map(({ labels }) => labels['route'])
  expect(routes).toEqual(Array.from({ length: 70 }, (_, index) => `/${index}`))
})

it('tells methods apart that come in turn, known or not', async () => {
  await using recorded = await record()
  for (const method of ['GET', 'PUT', 'GET', 'PURGE', 'PUT', 'PURGE', 'LOCK']) await recorded.send(1, method)
  recorded.requests.removeMatching({ method: 'PUT' })
  for (const method of ['PUT', 'GET']) await recorded.send(1, method)
  const counts = [...recorded.requests.family.series].map((series) => [
    series.labels['method'],
    (series as { value: number }).value,
  ])
  expect(counts.sort()).toEqual([
    ['GET', 3],
    ['PUT', 1],
    ['_OTHER', 3],
  ])
})

it('sets back what had ended by then', async () => {
  await using recorded = await record()
  const { registry } = recorded
  await recorded.send(5)
  registry.reset()
  expect(registry.getSampleValue('http_requests_total', LABELS)).toBe(0)
  await recorded.send(1)
  expect(registry.getSampleValue('http_requests_total', LABELS)).toBe(1)
})

it('lets go of its metrics where nothing happens, and counts on where something does', async () => {
  await using recorded = await record()
  const { inFlight, registry, requests } = recorded
  const open = await recorded.hold()
  await recorded.send(1)
  for (let look = 0; look < 40; look++) await registry.metrics()
  expect(registry.getSampleValue('http_requests_in_flight', { method: 'GET' })).toBe(1)
  await open()
  expect(inFlight.labels('GET').value).toBe(0)
  await recorded.send(2)
  await recorded.send(1, 'PUT')
  expect(requests.labels(LABELS).value).toBe(4)
  expect(requests.labels({ ...LABELS, method: 'PUT' }).value).toBe(1)
})

it('finds the exemplar of a request where it ends, whenever exemplars were asked for', async () => {
  const registry = new Registry({ exemplarInterval: 1 })
  await using recorded = await record({ registry })
  await recorded.send(2)
  const asked: string[] = []
  let phase = 'requests'
  registry.exemplars = () => {
    asked.push(phase)
    return { trace_id: phase }
  }
  await recorded.send(3)
  phase = 'a look'
  const [series] = [...recorded.requests.family.series] as { value: number; exemplar?: { labels: object } }[]
  expect([series?.value, series?.exemplar?.labels]).toEqual([5, { trace_id: 'requests' }])
  registry.exemplars = undefined
  await recorded.send(3)
  expect(recorded.requests.labels(LABELS).value).toBe(8)
  expect(new Set(asked)).toEqual(new Set(['requests']))
})

it('counts once what several recorders of a registry share', async () => {
  const registry = new Registry()
  await using one = await record({ registry })
  await using other = await record({ registry })
  await one.send(3)
  await other.send(4)
  expect(registry.getSampleValue('http_requests_total', LABELS)).toBe(7)
  expect(registry.getSampleValue('http_request_duration_seconds_count', LABELS)).toBe(7)
})

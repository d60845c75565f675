import { gunzipSync } from 'node:zlib'
import { Counter, type Gatherer, Registry } from '@narthex/core'
import { metricsResponse } from '@narthex/core/http'
import { expect, it } from 'vitest'

const registry = new Registry()
new Counter({ name: 'apples', help: 'Apples', registry }).inc(3)
const options = { registry }

it('answers GET with the page and HEAD without', async () => {
  const get = await metricsResponse(new Request('http://a/metrics'), options)
  expect(get.status).toBe(200)
  expect(get.headers.get('content-type')).toContain('text/plain; version=0.0.4')
  expect(await get.text()).toContain('apples_total 3\n')
  const head = await metricsResponse(new Request('http://a/metrics', { method: 'HEAD' }), options)
  expect([head.status, await head.text()]).toEqual([200, ''])
})

it('refuses other methods with Allow', async () => {
  const { status, headers } = await metricsResponse(new Request('http://a/', { method: 'POST' }), options)
  expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD'])
})

it('compresses with gzip where that is accepted', async () => {
  const response = await metricsResponse(
    new Request('http://a/', { headers: { 'accept-encoding': 'br, gzip' } }),
    options,
  )
  expect(response.headers.get('content-encoding')).toBe('gzip')
  expect(gunzipSync(Buffer.from(await response.arrayBuffer())).toString()).toContain('apples_total 3\n')
})

it('filters by `name[]`', async () => {
  const response = await metricsResponse(new Request('http://a/?name[]=pears'), options)
  expect(await response.text()).not.toContain('apples')
})

it('asks `authorize` with the Request', async () => {
  const authorize = (request: Request): boolean => request.headers.get('x-key') === '1'
  const guarded = { registry, authorize }
  expect((await metricsResponse(new Request('http://a/'), guarded)).status).toBe(401)
  expect((await metricsResponse(new Request('http://a/', { headers: { 'x-key': '1' } }), guarded)).status).toBe(200)
})

it('counts scrapes at once for each options object, and frees the place of a reader that leaves', async () => {
  const endless: Gatherer = {
    gather: async function* () {
      yield { name: 'a', help: 'A', type: 'gauge' as const, series: many() }
    },
  }
  const limited = { registry: endless, maxRequestsInFlight: 1 }
  const first = await metricsResponse(new Request('http://a/'), limited)
  expect((await metricsResponse(new Request('http://a/'), limited)).status).toBe(503)
  await first.body?.cancel()
  const again = await metricsResponse(new Request('http://a/'), limited)
  expect(again.status).toBe(200)
  await again.body?.cancel()
})

function* many(): Generator<{ labels: { i: string }; value: number }> {
  for (let index = 0; index < 1e6; index += 1) yield { labels: { i: `${index}` }, value: 1 }
}

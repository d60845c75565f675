import { beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../test/until.ts'
import { buildShop, finalTableIn, metricsUrlIn, RunningShop } from './running-shop.ts'

const ROUTES = [
  'GET /books',
  'GET /books/:isbn',
  'GET /books/:isbn/reviews',
  'GET /books/:isbn/reviews/:id',
  'GET /catalogue.csv',
  'GET /offers',
  'GET /search',
  'GET <unmatched>',
  'POST /orders',
  'All routes',
]

const ISBN = '9780000000019'

interface Asked {
  readonly method: string
  readonly path: string
  readonly body?: string
  /** Undefined where frameworks differ: whether the body is read before the route is found. */
  readonly route?: string
  readonly status: number
}

/** What each framework has to answer, and to record. */
const ASKED: readonly Asked[] = [
  { method: 'GET', path: '/books?genre=poetry', route: '/books', status: 200 },
  { method: 'GET', path: '/books/1', route: '/books/:isbn', status: 404 },
  { method: 'GET', path: `/books/${ISBN}/reviews`, route: '/books/:isbn/reviews', status: 200 },
  { method: 'GET', path: `/books/${ISBN}/reviews/3`, route: '/books/:isbn/reviews/:id', status: 404 },
  { method: 'GET', path: '/search?q=the', route: '/search', status: 200 },
  { method: 'GET', path: '/nothing', route: '<unmatched>', status: 404 },
  { method: 'POST', path: '/orders', body: JSON.stringify({ isbn: ISBN, copies: 1 }), route: '/orders', status: 201 },
  { method: 'POST', path: '/orders', body: JSON.stringify({ isbn: ISBN, copies: 0 }), route: '/orders', status: 400 },
  { method: 'POST', path: '/orders', body: '{', status: 400 },
]

describe.each(['express', 'fastify', 'koa', 'nestjs'])('The bookshop in %s', { timeout: 120_000 }, (framework) => {
  beforeAll(buildShop, 120_000)

  it('has counted every request that its generator sent, under the routes that all of them share', async () => {
    const shop = new RunningShop(['--framework', framework, '--port', '0'])
    await shop.printed('Ctrl+C ends it.\n')
    const sum = (counts: Iterable<number>): number => [...counts].reduce((total, count) => total + count, 0)
    await until('requests were counted', async () => sum((await shop.counted()).values()) > 100)
    shop.interrupt()
    const { code, output, errors } = await shop.ended()
    const table = finalTableIn(output)

    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    // In so short a time it may be that nobody asked for what few ask for.
    expect(ROUTES).toEqual(expect.arrayContaining(table.map(({ route }) => route)))
    for (const { route, sent, counted } of table) expect({ route, counted }).toEqual({ route, counted: sent })
    expect(table.at(-1)?.sent).toBeGreaterThan(100)
    expect(output).toContain(' 0 in flight.\n')
  })

  it('answers and records as in the others, has exemplars, and says nothing where a customer leaves', async () => {
    const shop = new RunningShop(['--framework', framework, '--port', '0'])
    await shop.printed('Ctrl+C ends it.\n')
    const page = metricsUrlIn(shop.output)

    for (const { method, path, body, status } of ASKED) {
      const headers = { 'Content-Type': 'application/json' }
      const response = await fetch(new URL(path, page), { method, body, headers })
      await response.arrayBuffer()
      expect({ method, path, body, status: response.status }).toEqual({ method, path, body, status })
    }
    await leaveTheCatalogue(page)
    await expect
      .poll(() => textOf(page))
      .toContain('http_requests_total{method="GET",route="/catalogue.csv",code="499"} ')
    const series = await textOf(page)
    for (const { method, route, status } of ASKED) {
      if (route === undefined) continue
      expect(series).toContain(`http_requests_total{method="${method}",route="${route}",code="${status}"} `)
    }
    expect(await textOf(page, 'application/openmetrics-text')).toMatch(/_bucket\{.+ # \{trace_id="[\da-f]{32}"/)

    shop.interrupt()
    const { code, errors } = await shop.ended()
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
  })
})

async function textOf(page: string, accept = 'text/plain'): Promise<string> {
  return (await fetch(page, { headers: { Accept: accept } })).text()
}

/** Reads the first bytes of the catalogue, as its type has to be, and goes. */
async function leaveTheCatalogue(page: string): Promise<void> {
  const response = await fetch(new URL('/catalogue.csv', page))
  expect(response.headers.get('content-type')).toMatch(/^text\/csv/)
  const reader = response.body?.getReader()
  await reader?.read()
  await reader?.cancel()
}

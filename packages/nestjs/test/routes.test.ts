import { request } from 'node:http'
import { Registry } from '@narthex/core'
import { PrometheusModule, SkipMetrics } from '@narthex/nestjs'
import { Controller, Get, Version, VersioningType } from '@nestjs/common'
import { describe, expect, it } from 'vitest'
import { platforms } from './platform.ts'
import { startRoutesApp } from './routes-app.ts'
import { linesOf, start } from './start.ts'

interface Row {
  readonly title: string
  /** Method and path. */
  readonly asks: string
  readonly headers?: Record<string, string>
  readonly route: string
  readonly code: number
  /** Counted with its lifetime, not in the histogram. */
  readonly stream?: true
}

const unmatched = { route: '<unmatched>', code: 404 } as const

const rows: readonly Row[] = [
  { title: 'a pipe that passes', asks: 'GET /api/things/number/7', route: '/api/things/number/:id', code: 200 },
  { title: 'a pipe that refuses', asks: 'GET /api/things/number/x', route: '/api/things/number/:id', code: 400 },
  {
    title: 'a pipe whose error a filter answers',
    asks: 'POST /api/things/piped',
    route: '/api/things/piped',
    code: 416,
  },
  { title: 'a guard that rejects', asks: 'GET /api/things/guarded/7', route: '/api/things/guarded/:id', code: 403 },
  { title: 'an interceptor that throws', asks: 'GET /api/things/throwing', route: '/api/things/throwing', code: 500 },
  { title: 'an interceptor that fails late', asks: 'GET /api/things/failing', route: '/api/things/failing', code: 416 },
  { title: 'an interceptor that answers', asks: 'GET /api/things/replaced', route: '/api/things/replaced', code: 200 },
  { title: '@All by GET', asks: 'GET /api/things/all/1', route: '/api/things/all/:any', code: 200 },
  { title: '@All by DELETE', asks: 'DELETE /api/things/all/1', route: '/api/things/all/:any', code: 200 },
  { title: '@Head', asks: 'HEAD /api/things/head', route: '/api/things/head', code: 200 },
  { title: 'HEAD of a @Get', asks: 'HEAD /api/things/one', route: '/api/things/one', code: 200 },
  { title: '@Redirect', asks: 'GET /api/things/redirect', route: '/api/things/redirect', code: 307 },
  {
    title: '@Redirect that the handler overrules',
    asks: 'GET /api/things/redirect-elsewhere',
    route: '/api/things/redirect-elsewhere',
    code: 308,
  },
  { title: 'a StreamableFile', asks: 'GET /api/things/file', route: '/api/things/file', code: 200 },
  { title: '@HttpCode', asks: 'POST /api/things/accepted', route: '/api/things/accepted', code: 202 },
  { title: 'the first of two paths', asks: 'GET /api/things/one', route: '/api/things/one', code: 200 },
  { title: 'the second of two paths', asks: 'GET /api/things/other/7', route: '/api/things/other/:id', code: 200 },
  {
    title: '@Res() that answers later',
    asks: 'GET /api/things/own-answer',
    route: '/api/things/own-answer',
    code: 203,
  },
  { title: '@Sse', asks: 'GET /api/things/events', route: '/api/things/events', code: 200, stream: true },
  { title: 'a path and a version of two', asks: 'GET /api/v2/right/7', route: '/api/v2/right/:id', code: 200 },
  { title: 'a version that is not there', asks: 'GET /api/v3/right/7', ...unmatched },
  { title: 'a path outside of the prefix', asks: 'GET /health', route: '/health', code: 200 },
  { title: 'that path below the prefix', asks: 'GET /api/health', ...unmatched },
  { title: 'another method of a known path', asks: 'PUT /api/things/one', ...unmatched },
  {
    title: 'a host that is served',
    asks: 'GET /api/hosted/7',
    headers: { host: 'acme.example.test' },
    route: '/api/hosted/:id',
    code: 200,
  },
  {
    title: 'a route of nested modules',
    asks: 'GET /api/branches/3/leaves/green',
    route: '/api/branches/:branch/leaves/:leaf',
    code: 200,
  },
]

describe.each(platforms)('on %s', (platform) => {
  it('counts each request once, whatever answers in place of a handler', async () => {
    const { url, registry } = await startRoutesApp(platform)
    const expected: string[] = []
    const actual: string[] = []
    for (const row of rows) {
      const before = linesOf(await registry.metrics())
      const status = await ask(url, row)
      const method = row.asks.split(' ')[0]
      const line = `{method="${method}",route="${row.route}",code="${row.code}"}`
      await expect.poll(async () => linesOf(await registry.metrics())).not.toEqual(before)
      const after = linesOf(await registry.metrics()).filter((each) => !before.includes(each))
      expected.push(`${row.title}: ${row.code} ${line}`)
      actual.push(`${row.title}: ${status} ${after.map((each) => each.slice(0, each.lastIndexOf(' '))).join(' and ')}`)
    }
    expect(actual).toEqual(expected)

    const page = await registry.metrics()
    const counted = linesOf(page)
    expect(sumOf(counted)).toBe(rows.length)
    const streams = linesOf(page, 'http_stream_duration_seconds_count')
    expect(sumOf(streams)).toBe(rows.filter(({ stream }) => stream).length)
    expect(linesOf(page, 'http_request_duration_seconds_count').toSorted()).toEqual(counted.toSorted())
    expect(sumOf(linesOf(page, 'http_requests_in_flight'))).toBe(0)
    expect(sumOf(linesOf(page, 'http_streams_in_flight'))).toBe(0)
  })

  it('counts versions by media type, which one may be left out of, and what CORS answers', async () => {
    @Controller('cats')
    class CatsController {
      @Get()
      @Version('1')
      first(): string {
        return 'first'
      }

      @Get()
      @Version('2')
      @SkipMetrics()
      second(): string {
        return 'second'
      }
    }
    const registry = new Registry()
    const prometheus = PrometheusModule.forRoot({ registry })
    const { get } = await start(platform, prometheus, { controllers: [CatsController] }, (app) => {
      app.enableVersioning({ type: VersioningType.MEDIA_TYPE, key: 'v=' })
      app.enableCors({ origin: 'http://shop.test' })
    })
    const statuses: number[] = []
    for (const version of ['1', '2', '3']) {
      const [status] = await get('/cats', { headers: { accept: `application/json;v=${version}` } })
      statuses.push(status)
    }
    const preflight = { origin: 'http://shop.test', 'access-control-request-method': 'GET' }
    statuses.push((await get('/cats', { method: 'OPTIONS', headers: preflight }))[0])
    expect(statuses).toEqual([200, 200, 404, 204])
    expect(linesOf(await registry.metrics()).toSorted()).toEqual([
      '{method="GET",route="/cats",code="200"} 1',
      '{method="GET",route="<unmatched>",code="404"} 1',
      `{method="OPTIONS",route="${platform === 'express' ? '/*' : '*'}",code="204"} 1`,
    ])
  })
})

/** With `node:http`: `fetch` sets no host. */
function ask(url: string, { asks, headers = {} }: Row): Promise<number | undefined> {
  const [method, path] = asks.split(' ') as [string, string]
  return new Promise((resolve, reject) => {
    request(url + path, { method, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode))
    })
      .on('error', reject)
      .end()
  })
}

function sumOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

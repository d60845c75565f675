import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Server } from 'node:http'
import { connect as connect2 } from 'node:http2'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type MetricFamily, Registry, samplesOf } from '@narthex/core'
import type { HttpMetricsOptions } from '@narthex/core/http'
import { parseOpenMetrics } from '@narthex/core/parse'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually, until } from '../until.ts'
import { hookCases, oddLabels } from './hostile-hooks.ts'
import { hostileRequests, METHODS, PARAMETERS, traceparents } from './hostile-requests.ts'
import type { TableApp } from './run.ts'
import { requestTable } from './table.ts'

/** An adapter that is shown hostile clients, and hooks that return odd things, with the application of the table. */
export interface HostileSubject {
  readonly name: string
  start(options: HttpMetricsOptions<unknown> & { readonly registry: Registry }): Promise<TableApp>
  /** Beside those of the table: its own spellings. */
  readonly routes: readonly string[]
  readonly http2: boolean
}

/** Milliseconds that an answer, or a count, may take. */
const PATIENCE = 20_000

/** The answers that a client can bring about here are few, whatever it sends. */
const CODES = /^(?:200|201|204|304|4\d\d|500|501)$/

/**
 * Sends garbage to an application: each request is answered and counted once, in series that its routes declare, and the
 * page can be read. Then the same of the options' functions.
 */
export function runHostileClients(subject: HostileSubject): void {
  describe(`${subject.name} withstands`, () => {
    const routes = new Set(
      requestTable.flatMap(({ counted }) => counted.map(({ route }) => route)).concat(subject.routes),
    )
    let app: TableApp & { readonly registry: Registry }
    afterEach(() => app.close())

    async function start(options: HttpMetricsOptions<unknown>): Promise<void> {
      const registry = new Registry()
      app = { ...(await subject.start({ ...options, registry })), registry }
    }

    describe.each(['prometheus', 'otel'] as const)('a hostile client, naming: %s', (naming) => {
      const names = NAMES[naming]
      const promoteParams = { ...PARAMETERS }
      const startRecording = (): Promise<void> =>
        start({ naming, promoteParams, ignore: '/nothing*', exemplars: true, sizes: true })

      it('makes no series but those of the routes, and is counted each time', async () => {
        await startRecording()
        const seen = watchRequests()
        const requests = hostileRequests()
        await inTurns(requests, async (request) => {
          const answer = await exchange(app.port, request)
          expect([request, answer.slice(0, 9)]).toEqual([request, 'HTTP/1.1 '])
        })
        expect(seen.count).toBeGreaterThan(requests.length / 2)
        await expectCounts(seen.end())
      })

      it('may choose among the values of a promoted parameter', async () => {
        await startRecording()
        const values = [...PARAMETERS.id, 'hasOwnProperty', 'valueOf', '%5F_proto__', 'Other']
        await inTurns(values, (value) => exchange(app.port, get(`/users/${value}`)))
        await exchange(app.port, get('/plain'))
        await expectCounts(values.length + 1)
        const counted = countsIn(await page(app), names).map(({ labels, value }) => [
          labels[names.route],
          ...Object.keys(PARAMETERS).map((name) => valueOf(labels, name)),
          value,
        ])
        const once = PARAMETERS.id.filter((value) => value !== '__proto__')
        expect(new Set(counted.map((line) => JSON.stringify(line)))).toEqual(
          new Set(
            [
              ['/plain', ...Object.keys(PARAMETERS).map(() => ''), 1],
              ['/users/:id', '__proto__', '', '', '', 2],
              ['/users/:id', 'other', '', '', '', 3],
              ...once.map((value) => ['/users/:id', value, '', '', '', 1]),
            ].map((line) => JSON.stringify(line)),
          ),
        )
      })

      it('reads a page that nothing in a query or a header breaks', async () => {
        await startRecording()
        await inTurns(traceparents, (traceparent) =>
          exchange(app.port, get('/plain', `traceparent: ${traceparent}\r\n`)),
        )
        for (const [query, headers] of scrapes) {
          const answer = await exchange(app.port, get(`/metrics${query}`, headers))
          expect([query, headers, answer.slice(0, 15)]).toEqual([query, headers, 'HTTP/1.1 200 OK'])
        }
        await expectCounts(traceparents.length)
        const exemplars = (await page(app))
          .flatMap(({ series }) => [...series])
          .flatMap((series) => ('exemplar' in series && series.exemplar ? [series.exemplar.labels] : []))
        for (const labels of exemplars) expect(labels).toEqual({ trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) })
      })

      it.each(subject.http2 ? ['HTTP/2'] : [])('may invent methods with %s, and leave whenever it likes', async () => {
        await startRecording()
        const answered = await sendHttp2(app.port)
        expect(answered).toBeGreaterThan(METHODS.http2.length)
        await expectCounts(answered)
        const session = connect2(`http://127.0.0.1:${app.port}`)
        session.on('error', () => {})
        for (let index = 0; index < 5; index += 1) session.request({ ':path': '/hang' }).on('error', () => {})
        await until('five requests are in flight', async () => (await inFlightOf(app, names)) === 5, { interval: 2 })
        session.destroy()
        await expectCounts(answered + 5)
        const left = countsIn(await page(app), names).filter(({ labels }) => labels[names.code] === '499')
        expect(left.map(({ labels, value }) => [labels[names.route], value])).toEqual([['/hang', 5]])
      })

      /** All metrics of requests have so many, in series that the routes declare; nothing was lost, nothing is in flight. */
      async function expectCounts(expected: number): Promise<void> {
        await eventually(
          async () => sum(countsIn(await page(app), names)) >= expected && (await inFlightOf(app, names)) === 0,
          { milliseconds: PATIENCE },
        )
        const families = await page(app)
        expect(await inFlightOf(app, names)).toBe(0)
        expect(families.filter(({ name }) => name.startsWith('narthex_')).map(({ name }) => name)).toEqual([])
        for (const sample of names.samples)
          expect([sample, sum(countsIn(families, names, sample))]).toEqual([sample, expected])
        for (const { labels } of countsIn(families, names)) {
          expect(METHODS.known).toContain(labels[names.method])
          expect([...routes, ...(naming === 'otel' ? [''] : [])]).toContain(labels[names.route] ?? '')
          expect(labels[names.code]).toMatch(CODES)
          for (const [name, allowed] of Object.entries(PARAMETERS)) {
            expect(['', 'other', ...allowed]).toContain(valueOf(labels, name))
          }
        }
        const answer = await exchange(app.port, get('/metrics'))
        expect(answer).toContain('HTTP/1.1 200 OK')
      }
    })

    describe('functions among the options', () => {
      it('make labels of odd values, or a loss of each', async () => {
        const unhandled = watchRejections()
        await start({
          labels: Object.fromEntries(oddLabels.map(({ name, value }) => [name, value as () => string])),
        })
        expect(await exchange(app.port, get('/plain'))).toMatch(/^HTTP\/1\.1 200 /)
        await until('it is counted', async () => sum(countsIn(await page(app), NAMES.prometheus)) === 1)
        const [series] = countsIn(await page(app), NAMES.prometheus)
        for (const { name, label = '' } of oddLabels)
          expect([name, series && valueOf(series.labels, name)]).toEqual([name, label])
        expect(lossesOf(app.registry, 'labels')).toBe(oddLabels.filter(({ label }) => label === undefined).length)
        expect(await unhandled()).toEqual([])
      })

      it('that throw, or return odd things, cost only what they were asked for', async () => {
        const unhandled = watchRejections()
        let current: (typeof hookCases)[number] | undefined
        const asked = (hook: string) => (): undefined =>
          current?.hook === hook ? (current.value() as undefined) : undefined
        await start({ route: asked('route'), ignore: asked('ignore') as () => never, exemplars: asked('exemplars') })
        let requests = 0
        const losses = { route: 0, ignore: 0, exemplars: 0 }
        for (current of hookCases) {
          requests += 1
          losses[current.hook] += 1
          expect(await exchange(app.port, get('/users/7'))).toMatch(/^HTTP\/1\.1 200 /)
          await until('it is counted', async () => sum(countsIn(await page(app), NAMES.prometheus)) === requests)
          const found = countsIn(await page(app), NAMES.prometheus).map(({ labels, value }) => [labels['route'], value])
          expect([current.hook, current.name, found]).toEqual([current.hook, current.name, [['/users/:id', requests]]])
          const lost = lossesOf(app.registry, current.hook)
          expect([current.hook, current.name, lost]).toEqual([current.hook, current.name, losses[current.hook]])
        }
        expect(await unhandled()).toEqual([])
      })
    })
  })
}

interface Names {
  readonly samples: readonly string[]
  readonly inFlight: string
  readonly method: string
  readonly route: string
  readonly code: string
}

const NAMES: { readonly [naming in 'prometheus' | 'otel']: Names } = {
  prometheus: {
    samples: [
      'http_requests_total',
      'http_request_duration_seconds_count',
      'http_request_size_bytes_count',
      'http_response_size_bytes_count',
    ],
    inFlight: 'http_requests_in_flight',
    method: 'method',
    route: 'route',
    code: 'code',
  },
  otel: {
    samples: ['http_server_request_duration_seconds_count', 'http_server_request_body_size_bytes_count'],
    inFlight: 'http_server_active_requests',
    method: 'http_request_method',
    route: 'http_route',
    code: 'http_response_status_code',
  },
}

/** The page as a scraper reads it, which is strict. HTTP/1.0 has it in one piece. */
async function page({ port }: TableApp): Promise<MetricFamily[]> {
  const accept = 'Accept: application/openmetrics-text; version=1.0.0\r\n'
  const answer = await exchange(port, get('/metrics', accept).replace('HTTP/1.1', 'HTTP/1.0'))
  expect(answer).toMatch(/^HTTP\/1\.1 200 /)
  return parseOpenMetrics(Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4), 'latin1'))
}

interface Count {
  readonly labels: { readonly [name: string]: string }
  readonly value: number
}

function countsIn(families: MetricFamily[], names: Names, sample = names.samples[0]): Count[] {
  return families.flatMap((family) => [...samplesOf(family)].filter(({ name }) => name === sample)) as Count[]
}

/** Every object has a `constructor`. */
function valueOf(labels: Count['labels'], name: string): string {
  return Object.hasOwn(labels, name) ? (labels[name] as string) : ''
}

function sum(counts: readonly Count[]): number {
  return counts.reduce((total, { value }) => total + value, 0)
}

async function inFlightOf(app: TableApp, { inFlight }: Names): Promise<number> {
  const samples = (await page(app)).flatMap((family) => (family.name === inFlight ? [...samplesOf(family)] : []))
  return samples.reduce((total, { value }) => total + Math.abs(value), 0)
}

/** What the option `hook` has lost. An exemplar is lost in the counter and in the histogram, where it breaks rules. */
function lossesOf(registry: Registry, hook: string): number {
  const failed = registry.getSampleValue('narthex_hook_errors_total', { hook }) ?? 0
  if (hook !== 'exemplars') return failed
  return failed + (registry.getSampleValue('narthex_exemplars_dropped_total', { metric: 'http_requests' }) ?? 0)
}

/** Counts what servers of HTTP/1 hand to their applications, past all that is tested. */
function watchRequests(): { count: number; end(): number } {
  const servers = new Set<Server>()
  const onRequest = (): void => void (watch.count += 1)
  const onStart = (message: unknown): void => {
    const { server } = message as { server: Server }
    if (servers.has(server)) return
    servers.add(server)
    server.prependListener('request', onRequest)
  }
  const watch = {
    count: 0,
    end() {
      unsubscribe('http.server.request.start', onStart)
      for (const server of servers) server.off('request', onRequest)
      return watch.count
    },
  }
  subscribe('http.server.request.start', onStart)
  return watch
}

function watchRejections(): () => Promise<unknown[]> {
  const reasons: unknown[] = []
  const onRejection = (reason: unknown): void => void reasons.push(reason)
  process.on('unhandledRejection', onRejection)
  return async () => {
    await sleep(5)
    process.off('unhandledRejection', onRejection)
    return reasons
  }
}

function get(target: string, headers = ''): string {
  return `GET ${target} HTTP/1.1\r\nHost: a\r\n${headers}Connection: close\r\n\r\n`
}

const scrapes: readonly (readonly [query: string, headers: string])[] = [
  ['', 'Accept: */*;q=nan, application/openmetrics-text;version=__proto__;q=-1\r\n'],
  ['', `Accept: ${'text/plain;q=0.5,'.repeat(500)}\r\n`],
  ['', 'Accept-Encoding: constructor, __proto__;q=1, toString\r\n'],
  ['', 'X-Prometheus-Scrape-Timeout-Seconds: -1e999\r\n'],
  ['', 'X-Prometheus-Scrape-Timeout-Seconds: 1e999\r\n'],
  ['', 'traceparent: x\r\n__proto__: x\r\nconstructor: x\r\n'],
  ['?name[]=__proto__&name[]=constructor', ''],
  ['?name[]=%zz&name[]=%E0%A4%A&name[]=%00', ''],
  [`?${'name[]=x&'.repeat(1000)}`, ''],
  [`?${'%'.repeat(5000)}`, ''],
]

/** One request on a connection of its own: all that is answered. */
function exchange(port: number, request: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(request, 'latin1'))
    socket.on('error', () => {})
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')))
    socket.on('close', () => resolve(answer))
    socket.setTimeout(PATIENCE, () => socket.destroy())
  })
}

/** A few at a time. */
async function inTurns<Item>(items: readonly Item[], act: (item: Item) => Promise<unknown>): Promise<void> {
  const left = items.values()
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (const item of left) await act(item)
    }),
  )
}

/** Streams that the server's own library refuses have no answer; says how many have one. */
async function sendHttp2(port: number): Promise<number> {
  const session = connect2(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  let answered = 0
  const send = (headers: Record<string, string>): Promise<void> =>
    new Promise((resolve) => {
      const stream = session.request(headers)
      stream.on('response', () => (answered += 1))
      stream.on('error', () => {})
      stream.on('close', resolve).resume().end()
    })
  for (const method of METHODS.http2) await send({ ':method': method, ':path': `/users/${method}` })
  for (const authority of ['', '__proto__', '[', 'a:b:c', 'x'.repeat(3000)]) {
    await send({ ':authority': authority, ':path': '/plain', host: '__proto__', traceparent: authority })
  }
  for (const path of ['//[', '/users/%zz', '/users/__proto__?__proto__[x]=1', `/${'x'.repeat(9000)}`, '/%00', '/#a']) {
    await send({ ':path': path, ':scheme': 'constructor' })
  }
  session.close()
  return answered
}

import { connect as connect2 } from 'node:http2'
import { Agent, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, until } from '../until.ts'
import { type Ability, type Counted, type RequestRow, requestTable, type Send } from './table.ts'

/** Milliseconds that an answer, or a count, may take. */
const PATIENCE = 20_000

/** What is needed of a registry: its page is held against the table as a scrape would see it. */
export interface Page {
  metrics(): Promise<string>
}

/** An application that answers as the table says, and listens. */
export interface TableApp {
  readonly port: number
  readonly registry: Page
  close(): Promise<void>
}

/** A framework in one version, and where it differs from the table. */
export interface TableSubject {
  readonly name: string
  start(): Promise<TableApp>
  readonly cannot?: readonly Ability[]
  /**
   * For a subject that is no framework: the rows that make sense there.
   * @default the whole table
   */
  readonly rows?: readonly RequestRow[]
  /** What is counted instead, by the name of the row: spellings of wildcards, a 405 where others have a 404. */
  readonly differs?: { readonly [row: string]: readonly Counted[] }
}

/**
 * Sends every row to an application and holds what was counted against it: each request exactly once, with its labels,
 * as many observations as counts, and nothing in flight afterwards.
 */
export function runRequestTable(subject: TableSubject): void {
  const rows = (subject.rows ?? requestTable).filter(
    ({ needs }) => needs === undefined || subject.cannot?.includes(needs) !== true,
  )

  describe(`${subject.name} counts`, () => {
    let app: TableApp
    beforeAll(async () => {
      app = await subject.start()
    })
    afterAll(() => app.close())

    it.each(rows)('$name', async (row) => {
      const before = await countsOf(app.registry)
      await sendRow(app, row.send)
      const expected = linesOf(row, subject.differs?.[row.name] ?? row.counted)
      await eventually(
        async () =>
          (await addedSince(before, app.registry)).length >= expected.length && (await inFlight(app.registry)) === 0,
        { interval: 5, milliseconds: PATIENCE },
      )
      // A second count of the same request would come with another event of its response.
      await sleep(10)
      expect(await addedSince(before, app.registry)).toEqual(expected)
      expect(await inFlight(app.registry)).toBe(0)
      expect(await countsOf(app.registry, 'http_request_duration_seconds_count')).toEqual(await countsOf(app.registry))
    })

    it('has made no series but those of its routes', async () => {
      const routes = new Set<string>()
      for (const row of rows) for (const { route } of subject.differs?.[row.name] ?? row.counted) routes.add(route)
      for (const line of (await countsOf(app.registry)).keys()) expect(routes).toContain(line.split(' ')[1])
    })
  })
}

function linesOf({ send }: RequestRow, counted: readonly Counted[]): string[] {
  return counted.map(({ method = send.method ?? 'GET', route, code }) => `${method} ${route} ${code}`).sort()
}

/** How often each series was counted. */
export async function countsOf(page: Page, sample = 'http_requests_total'): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const [labels, value] of await samplesOf(page, sample)) {
    counts.set(`${labels['method']} ${labels['route']} ${labels['code']}`, value)
  }
  return counts
}

/** The series that were counted since, each as often as it was. */
export async function addedSince(before: Map<string, number>, page: Page): Promise<string[]> {
  const lines: string[] = []
  for (const [line, count] of await countsOf(page)) {
    for (let more = before.get(line) ?? 0; more < count; more += 1) lines.push(line)
  }
  return lines.sort()
}

/** How many requests are in flight; too many and too few do not make up for each other. */
export async function inFlight(page: Page): Promise<number> {
  const gauges = await samplesOf(page, 'http_requests_in_flight')
  return gauges.reduce((sum, [, value]) => sum + Math.abs(value), 0)
}

type Sample = readonly [labels: { readonly [name: string]: string }, value: number]

async function samplesOf(page: Page, name: string): Promise<Sample[]> {
  const text = await page.metrics()
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`))
    .map((line): Sample => {
      const pairs = [...line.matchAll(/([a-z_]+)=("(?:[^"\\]|\\.)*")/g)]
      const labels = Object.fromEntries(pairs.map(([, label, value]) => [label, JSON.parse(value as string)]))
      return [labels, Number(line.slice(line.lastIndexOf(' ')))]
    })
}

async function sendRow(app: TableApp, send: Send): Promise<void> {
  if (send.http2) return sendHttp2(app, send)
  if (send.raw !== undefined) return sendRaw(app, send)
  const agent = new Agent()
  await new Promise<void>((resolve, reject) => {
    const { method = 'GET', path, headers, body, leave } = send
    const request = httpRequest({
      port: app.port,
      method,
      path,
      headers: { ...headers, ...(body && { 'content-length': Buffer.byteLength(body) }) },
      agent,
    })
    request.on('error', (error) => (leave === undefined ? reject(error) : resolve()))
    request.on('response', (response) => {
      response.on('data', () => {
        if (leave === 'in the answer') request.destroy()
      })
      response.on('error', () => {})
      response.on('close', resolve)
    })
    request.end(body)
    if (leave === 'before the answer') void whenInFlight(app).then(() => request.destroy())
  })
  agent.destroy()
}

/** Once the request has been seen, and a little later: an upload is then read. */
async function whenInFlight(app: TableApp): Promise<void> {
  await until('a request is in flight', async () => (await inFlight(app.registry)) > 0, { interval: 2 })
  await sleep(50)
}

function sendRaw(app: TableApp, { raw = '', answers = Infinity, leave }: Send): Promise<void> {
  return new Promise((resolve) => {
    let received = ''
    const socket = connect(app.port, '127.0.0.1', () => {
      socket.write(raw)
      if (leave === 'before the answer') void whenInFlight(app).then(() => socket.destroy())
    })
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      if (received.split('HTTP/1.1 ').length > answers) socket.destroy()
      else if (leave === 'in the answer') setTimeout(() => socket.destroy(), 20)
    })
    socket.on('close', () => resolve())
    socket.setTimeout(PATIENCE, () => socket.destroy())
  })
}

async function sendHttp2(app: TableApp, { method = 'GET', path = '/', body, leave }: Send): Promise<void> {
  const session = connect2(`http://127.0.0.1:${app.port}`)
  session.on('error', () => {})
  await new Promise<void>((resolve) => {
    const stream = session.request({ ':method': method, ':path': path })
    stream.on('error', () => {})
    stream.on('data', () => {
      if (leave === 'in the answer') stream.close(8)
    })
    stream.on('close', resolve)
    stream.end(body)
    if (leave === 'before the answer') void whenInFlight(app).then(() => stream.close(8))
  })
  session.close()
}

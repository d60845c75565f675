import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Gauge, Registry } from '@narthex/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startedServer } from './started-server.ts'

const MEGABYTE = 1024 * 1024

describe('a thousand scrapes at once', () => {
  it.each([
    ['from a registry that answers at once', false],
    ['from a registry that takes its time', true],
  ])('%s are each served whole or refused, in bounded memory', { timeout: 180_000 }, async (_, isSlow) => {
    const registry = new Registry({ collectTimeout: 150_000 })
    const gauge = new Gauge({ name: 'series', help: 'Some.', labelNames: ['n'], registry, maxSeries: Infinity })
    for (let n = 0; n < 10_000; n++) gauge.set({ n }, n)
    let refuse = (): void => {}
    // However slow the machine is, more come than are served at once.
    const isRefused = new Promise<void>((resolve) => (refuse = resolve))
    let isCrowded = false
    registry.register({
      async collect() {
        if (isSlow && isCrowded) await isRefused
        return []
      },
    })
    const size = (await registry.metrics()).length
    // Nothing is cut off for its time: a slow machine takes more than ten seconds to read a thousand requests.
    const { url, port } = await startedServer({ registry, requestTimeout: 150_000, timeout: 150_000 })
    await scrape(url, new Agent())

    const before = process.memoryUsage().rss
    let most = before
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 5)
    const sockets: Socket[] = []
    // No more at once than Node lets wait to be accepted: the kernel resets what comes beyond.
    while (sockets.length < 1_000) sockets.push(...(await opened(port, 250)))
    isCrowded = true
    const scrapeInCrowd = async (socket: Socket): Promise<Answer> => {
      const answer = await scrape(url, new Agent(), socket)
      if (answer.status === 503) refuse()
      return answer
    }
    const answers = await Promise.all(sockets.map(scrapeInCrowd))
    clearInterval(watch)
    for (const socket of sockets) socket.destroy()

    const served = answers.filter(({ status }) => status === 200)
    const refused = answers.filter(({ status }) => status === 503)
    expect(served.length + refused.length).toBe(1_000)
    expect(served.length).toBeGreaterThanOrEqual(40)
    if (isSlow) expect(refused.length).toBeGreaterThan(0)
    expect(new Set(served.map(({ bytes }) => bytes))).toEqual(new Set([size]))
    expect(refused.every(({ bytes }) => bytes === 'More than 40 scrapes at once\n'.length)).toBe(true)
    // Both sides of a thousand connections, and the pages of forty: a thousand pages alone would be more than this.
    expect(size * 1_000).toBeGreaterThan(150 * MEGABYTE)
    expect(most - before).toBeLessThan(150 * MEGABYTE)
    expect((await scrape(url, new Agent())).status).toBe(200)
  })

  it('that nobody reads are cut off when their time is up', { timeout: 120_000 }, async () => {
    const registry = new Registry()
    const gauge = new Gauge({ name: 'series', help: 'Some.', labelNames: ['n'], registry, maxSeries: Infinity })
    for (let n = 0; n < 100_000; n++) gauge.set({ n }, n)
    const { url, port } = await startedServer({ registry, maxRequestsInFlight: 20, timeout: 100, compression: false })
    const sockets = await opened(port, 100)
    for (const socket of sockets) socket.pause().write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect((await untilNot(503, url)).status).toBe(200)
    for (const socket of sockets) socket.destroy()
  })
})

describe('connections', () => {
  it('over maxConnections are closed, and there is room again when others end', async () => {
    const { url, port } = await startedServer({ maxConnections: 10 })
    const sockets = await opened(port, 10)
    await expect(scrape(url, new Agent())).rejects.toThrow(/ECONNRESET|hang up/)
    for (const socket of sockets) socket.destroy()
    await expect
      .poll(() =>
        scrape(url, new Agent()).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200)
  })

  it('over the file descriptors of the process do not end it', async () => {
    const { url, child } = await startedProcess(60)
    const sockets = Array.from({ length: 200 }, () =>
      connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {}),
    )
    await Promise.all(sockets.slice(0, 20).map((socket) => once(socket, 'connect')))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(child.exitCode).toBe(null)
    for (const socket of sockets) socket.destroy()
    await expect
      .poll(() =>
        scrape(url, new Agent()).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200)
    expect(child.exitCode).toBe(null)
  })
})

interface Answer {
  readonly status: number | undefined
  readonly bytes: number
}

function scrape(url: string, agent: Agent, socket?: Socket): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const connection = socket === undefined ? { agent } : { createConnection: () => socket }
    const sent = request(url, connection, (response) => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => (bytes += chunk.length))
      response.on('end', () => resolve({ status: response.statusCode, bytes }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}

async function untilNot(status: number, url: string): Promise<Answer> {
  for (;;) {
    const answer = await scrape(url, new Agent())
    if (answer.status !== status) return answer
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function opened(port: number, count: number): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      await once(socket, 'connect')
      return socket
    }),
  )
}

/** A built server in a process that may have only so many files open. */
async function startedProcess(files: number): Promise<{ url: string; child: ChildProcess }> {
  const built = fileURLToPath(new URL('../../dist/http/index.js', import.meta.url))
  const script = `import(process.argv[1]).then(async ({ startMetricsServer }) =>
    console.log((await startMetricsServer({ port: 0, host: '127.0.0.1' })).url))`
  const child = spawn('sh', ['-c', `ulimit -n ${files}; exec "$@"`, 'sh', process.execPath, '-e', script, built])
  onTestFinished(() => void child.kill())
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim()))
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${errors}`)))
  })
  return { url, child }
}

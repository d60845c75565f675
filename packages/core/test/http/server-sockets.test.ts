import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { networkInterfaces, tmpdir } from 'node:os'
import path from 'node:path'
import { Registry } from '@narthex/core'
import { startMetricsServer } from '@narthex/core/http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { rawRequest, statusOf } from './raw-request.ts'
import { smallRegistry, startedServer } from './started-server.ts'

describe('a Unix socket', () => {
  it('serves the page, and is gone after close', async () => {
    const socket = socketPath()
    const server = await startedServer({ socket, registry: smallRegistry() })
    expect(server.url).toBe(`unix:${socket}`)
    expect(await rawRequest(socket, 'GET /metrics HTTP/1.0\r\n\r\n')).toContain('answer 42\n')
    await server.close()
    expect(existsSync(socket)).toBe(false)
  })

  it('that a dead process left behind is replaced', async () => {
    const socket = socketPath()
    const script = `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`
    expect(spawnSync(process.execPath, ['-e', script]).signal).toBe('SIGKILL')
    expect(existsSync(socket)).toBe(true)
    await startedServer({ socket, registry: smallRegistry() })
    expect(await statusOf(socket, 'GET /metrics HTTP/1.1')).toBe(200)
  })

  it('that somebody listens on is left alone, and so is a file', async () => {
    const socket = socketPath()
    await startedServer({ socket, registry: smallRegistry() })
    await expect(startMetricsServer({ socket })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `startMetricsServer: socket ${socket} is in use by another program (EADDRINUSE)`,
    })
    expect(await statusOf(socket, 'GET /metrics HTTP/1.1')).toBe(200)
    const file = socketPath()
    writeFileSync(file, 'precious')
    await expect(startMetricsServer({ socket: file })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(existsSync(file)).toBe(true)
  })

  it('in a folder that is not there is refused with its name', async () => {
    const socket = path.join(socketPath(), 'metrics.sock')
    await expect(startMetricsServer({ socket })).rejects.toThrow(`startMetricsServer: socket ${socket}`)
  })
})

describe('a port', () => {
  it('that is taken is named', async () => {
    const { port } = await startedServer({ registry: smallRegistry() })
    const error = await startMetricsServer({ port, host: '127.0.0.1' }).catch((error: unknown) => error)
    expect(error).toMatchObject({
      code: 'EADDRINUSE',
      message: `startMetricsServer: port ${port} of 127.0.0.1 is in use by another program (EADDRINUSE)`,
    })
    expect((error as Error).cause).toBeInstanceOf(Error)
  })

  it('of an address that this machine lacks is named', async () => {
    await expect(startMetricsServer({ port: 0, host: '192.0.2.1' })).rejects.toThrow(
      'startMetricsServer: port 0 of 192.0.2.1 is no address of this machine (EADDRNOTAVAIL)',
    )
  })

  it('of IPv6 is served, with brackets in its URL', async (context) => {
    if (!hasIPv6()) context.skip('this machine has no IPv6')
    const { url } = await startedServer({ host: '::1', registry: smallRegistry() })
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+\/metrics$/)
    expect(await (await fetch(url)).text()).toContain('answer 42\n')
  })

  it('without a host is served on IPv4 and IPv6', async (context) => {
    const server = await startMetricsServer({ port: 0, registry: smallRegistry() })
    onTestFinished(() => server.close())
    const { port, hostname } = new URL(server.url)
    expect(hostname).toBe('localhost')
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200)
    if (!hasIPv6()) context.skip('this machine has no IPv6')
    expect((await fetch(`http://[::1]:${port}/metrics`)).status).toBe(200)
  })
})

describe('close', () => {
  it('lets a scrape under way end, and takes no new one', async () => {
    let release = (): void => {}
    let started = (): void => {}
    const asked = new Promise<void>((resolve) => (started = resolve))
    const registry = new Registry()
    registry.register({
      async collect() {
        started()
        await new Promise<void>((resolve) => (release = resolve))
        return smallRegistry().get('answer')!.collect() as []
      },
    })
    const server = await startedServer({ registry, closeTimeout: 60_000 })
    const page = fetch(server.url).then((response) => response.text())
    await asked
    const closed = server.close()
    await expect(fetch(server.url)).rejects.toThrow('fetch failed')
    release()
    expect(await page).toContain('answer 42\n')
    await closed
  })

  it('does not wait for connections that are idle', async () => {
    const server = await startedServer({ registry: smallRegistry(), closeTimeout: 60_000 })
    // fetch keeps its connection for the next time.
    await (await fetch(server.url)).text()
    await server.close()
    await expect(fetch(server.url)).rejects.toThrow('fetch failed')
  })

  it('delivers the end of a page to who reads slowly', async () => {
    const page = 'x'.repeat(20_000_000)
    const server = await startedServer({
      paths: { '/large': (_, response) => void response.end(page) },
      closeTimeout: 60_000,
    })
    const received = await new Promise<number>((resolve, reject) => {
      request(server.url, { agent: false }, (response) => {
        // The answer is complete and most of it not delivered.
        void server.close()
        let bytes = 0
        setTimeout(() => response.on('data', (chunk: Buffer) => (bytes += chunk.length)), 50)
        response.on('end', () => resolve(bytes))
        response.on('error', reject)
      }).end()
    })
    expect(received).toBe(page.length)
    await server.close()
  })

  it('ends scrapes that are not done within closeTimeout', async () => {
    const registry = new Registry()
    let started = (): void => {}
    const asked = new Promise<void>((resolve) => (started = resolve))
    registry.register({ collect: () => new Promise<never>(() => started()) })
    const server = await startedServer({ registry, closeTimeout: 50 })
    const page = fetch(server.url).catch((error: unknown) => error)
    await asked
    await server.close()
    expect(await page).toMatchObject({ message: 'fetch failed' })
  })

  it('can be asked for twice, and by `await using`', async () => {
    const server = await startedServer({ registry: smallRegistry() })
    await Promise.all([server.close(), server.close()])
    await server[Symbol.asyncDispose]()
    await expect(fetch(server.url)).rejects.toThrow('fetch failed')
  })
})

function socketPath(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'narthex-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return path.join(folder, 'metrics.sock')
}

function hasIPv6(): boolean {
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))
}

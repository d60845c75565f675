import { Counter, MetricError, Registry } from '@narthex/core'
import { startMetricsServer } from '@narthex/core/http'
import { expect, it } from 'vitest'

const registry = new Registry()
new Counter({ name: 'apples', help: 'Apples', registry }).inc(3)

it('serves the page at its URL and at no other', async () => {
  const server = await startMetricsServer({ port: 0, host: '127.0.0.1', registry })
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
  expect(await (await fetch(server.url)).text()).toContain('apples_total 3\n')
  expect((await fetch(new URL('/metricsx', server.url))).status).toBe(404)
  expect((await fetch(`${server.url}?name[]=pears`)).status).toBe(200)
  await server.close()
  await expect(fetch(server.url)).rejects.toThrow('fetch failed')
})

it('serves at another path, and guards it', async () => {
  const server = await startMetricsServer({
    port: 0,
    host: '127.0.0.1',
    path: '/prom',
    registry,
    authorize: () => false,
  })
  expect(server.url).toMatch(/\/prom$/)
  expect((await fetch(server.url)).status).toBe(401)
  await server[Symbol.asyncDispose]()
})

it('rejects for a port that is taken', async () => {
  const server = await startMetricsServer({ port: 0, host: '127.0.0.1', registry })
  const port = Number(new URL(server.url).port)
  await expect(startMetricsServer({ port, host: '127.0.0.1', registry })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await server.close()
})

it('closes beside a connection that is kept alive', async () => {
  const server = await startMetricsServer({ port: 0, host: '127.0.0.1', registry })
  await (await fetch(server.url)).text()
  await expect(server.close()).resolves.toBeUndefined()
})

it('refuses invalid and unknown options', async () => {
  for (const options of [-1, 65_536, 1.5, '8000', null, { port: 0, path: 'metrics' }, { port: 0, prot: 1 }]) {
    await expect(startMetricsServer(options as never)).rejects.toThrow(MetricError)
  }
})

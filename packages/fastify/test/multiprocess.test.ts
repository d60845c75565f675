import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from '@narthex/core'
import { enableMultiprocess } from '@narthex/core/multiprocess'
import { prometheus } from '@narthex/fastify'
import fastify from 'fastify'
import { expect, it, onTestFinished } from 'vitest'

it('serves the page of all processes once that is enabled', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-fastify-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const registry = new Registry()
  const app = fastify()
  onTestFinished(() => app.close())
  await app.register(prometheus, { registry })
  app.get('/orders/:id', async () => 'ok')
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const shared = enableMultiprocess({ directory, registry })
  onTestFinished(() => shared.stop())
  await fetch(`${url}/orders/1`)
  const page = await (await fetch(`${url}/metrics`)).text()
  expect(page).toContain('http_requests_total{code="200",method="GET",route="/orders/:id"} 1\n')
  expect(page).toContain('narthex_processes{state="live"} 1\n')
})

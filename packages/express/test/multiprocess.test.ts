import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from '@narthex/core'
import { enableMultiprocess } from '@narthex/core/multiprocess'
import { prometheus } from '@narthex/express'
import express from 'express'
import { expect, it, onTestFinished } from 'vitest'

it('serves the page of all processes once that is enabled', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-express-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const registry = new Registry()
  const app = express().use(prometheus({ registry }))
  app.get('/orders/:id', (_request, response) => void response.send('ok'))
  const server = app.listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const shared = enableMultiprocess({ directory, registry })
  onTestFinished(() => shared.stop())
  await fetch(`${url}/orders/1`)
  const page = await (await fetch(`${url}/metrics`)).text()
  expect(page).toContain('http_requests_total{code="200",method="GET",route="/orders/:id"} 1\n')
  expect(page).toContain('narthex_processes{state="live"} 1\n')
})

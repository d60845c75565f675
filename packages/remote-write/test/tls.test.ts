import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Gauge, Registry } from '@narthex/core'
import type { TlsOptions } from '@narthex/core/push'
import { RemoteWriter } from '@narthex/remote-write'
import { expect, it, onTestFinished } from 'vitest'
import { requireProgram } from '../../core/test/program.ts'

it('a server behind TLS is written to where its certificate and ours are right', async (context) => {
  requireProgram('openssl', context)
  const folder = mkdtempSync(join(tmpdir(), 'remote-write-tls-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')]
  const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  execFileSync('openssl', [...kind, ...files, ...subject], { stdio: 'ignore' })
  const key = readFileSync(join(folder, 'key.pem'))
  const cert = readFileSync(join(folder, 'cert.pem'))
  let requests = 0
  const server = createServer(
    { key, cert, ca: cert, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      requests += 1
      request.resume().once('end', () => response.writeHead(204).end())
    },
  )
  server.listen(0)
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const url = `https://localhost:${(server.address() as { port: number }).port}/api/v1/write`
  const write = async (tls?: TlsOptions): Promise<string> => {
    const registry = new Registry()
    new Gauge({ name: 'level', help: 'h', registry }).set(1)
    const writer = new RemoteWriter({ url, registry, tls, flushTimeout: 400, staleMarkers: false, onError: () => {} })
    return writer.close().then(
      () => 'written',
      (error: Error) => error.message,
    )
  }
  expect(await write()).toContain('self-signed certificate')
  expect(await write({ ca: cert })).toMatch(
    /certificate required|handshake failure|ECONNRESET|socket hang up|disconnected/,
  )
  expect(requests).toBe(0)
  expect(await write({ ca: cert, key, cert })).toBe('written')
  expect(requests).toBe(1)
})

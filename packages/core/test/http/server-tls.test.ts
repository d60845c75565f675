import { request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { connect } from 'node:tls'
import { MetricError } from '@narthex/core'
import { startMetricsServer } from '@narthex/core/http'
import { describe, expect, it } from 'vitest'
import { certificate } from './certificate.ts'
import { smallRegistry, startedServer } from './started-server.ts'

const authority = certificate('authority')
const serverSide = certificate('localhost', authority)
const client = certificate('prometheus', authority)
const stranger = certificate('prometheus', certificate('another authority'))

describe('a server with tls', () => {
  it('speaks HTTPS with the certificate that it was given', async () => {
    const { url } = await startedServer({
      tls: { key: serverSide.key, cert: serverSide.cert },
      registry: smallRegistry(),
    })
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/metrics$/)
    const { status, body } = await get(url, { ca: authority.cert })
    expect([status, body]).toEqual([200, expect.stringContaining('answer 42\n')])
    await expect(get(url, {})).rejects.toThrow(/unable to verify|self-signed/)
  })

  it('does not answer who speaks no TLS', async () => {
    const { url } = await startedServer({
      tls: { key: serverSide.key, cert: serverSide.cert },
      registry: smallRegistry(),
    })
    await expect(fetch(url.replace('https', 'http'))).rejects.toThrow('fetch failed')
    expect((await get(url, { ca: authority.cert })).status).toBe(200)
  })

  it('lets in only clients with a certificate of the right authority', async () => {
    const tls = { key: serverSide.key, cert: serverSide.cert, ca: authority.cert, requestCert: true }
    const { url } = await startedServer({ tls, registry: smallRegistry() })
    const welcome = await get(url, { ca: authority.cert, key: client.key, cert: client.cert })
    expect(welcome.status).toBe(200)
    const refused = /certificate required|unknown ca|socket hang up|ECONNRESET|EPIPE/i
    await expect(get(url, { ca: authority.cert })).rejects.toThrow(refused)
    await expect(get(url, { ca: authority.cert, key: stranger.key, cert: stranger.cert })).rejects.toThrow(refused)
    expect((await get(url, { ca: authority.cert, key: client.key, cert: client.cert })).status).toBe(200)
  })

  it('gives authorize the certificate of the client', async () => {
    const tls = { key: serverSide.key, cert: serverSide.cert, ca: authority.cert, requestCert: true }
    const names: unknown[] = []
    const { url } = await startedServer({
      tls,
      registry: smallRegistry(),
      authorize({ socket }) {
        const { subject } = (
          socket as unknown as { getPeerCertificate(): { subject: { CN: string } } }
        ).getPeerCertificate()
        names.push(subject.CN)
        return subject.CN === 'prometheus'
      },
    })
    const other = certificate('grafana', authority)
    expect((await get(url, { ca: authority.cert, key: client.key, cert: client.cert })).status).toBe(200)
    expect((await get(url, { ca: authority.cert, key: other.key, cert: other.cert })).status).toBe(401)
    expect(names).toEqual(['prometheus', 'grafana'])
  })

  it('parts with who does not finish the handshake, or asks for nothing after it', async () => {
    const tls = { key: serverSide.key, cert: serverSide.cert }
    const { url, port } = await startedServer({ tls, registry: smallRegistry(), requestTimeout: 200 })
    const silent = connectPlain(port, '127.0.0.1').resume()
    const secured = connect({ port, host: '127.0.0.1', ca: authority.cert }).resume()
    await Promise.all([silent, secured].map((socket) => new Promise((resolve) => socket.once('close', resolve))))
    expect((await get(url, { ca: authority.cert })).status).toBe(200)
  })

  it.each([
    ['nothing in it', {}],
    ['a key alone', { key: serverSide.key }],
    ['a certificate alone', { cert: serverSide.cert }],
    ['a key that is none', { key: 'secret', cert: serverSide.cert }],
    ['the key of another', { key: client.key, cert: serverSide.cert }],
    ['no object', 'secret'],
  ])('is not started with %s', async (_, tls) => {
    const error = await startMetricsServer({ port: 0, tls: tls as never }).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(MetricError)
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_OPTION', argument: 'tls', value: undefined })
    expect((error as Error).message).not.toMatch(/secret|PRIVATE KEY/)
  })
})

interface Answer {
  readonly status: number | undefined
  readonly body: string
}

function get(url: string, tls: { ca?: string; key?: string; cert?: string }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { ...tls, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
      response.on('end', () => resolve({ status: response.statusCode, body }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}

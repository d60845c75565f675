import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Gauge, Registry } from '@narthex/core'
import { type Credentials, PushError, pushToGateway, type TlsOptions } from '@narthex/core/push'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { requireProgram } from '../program.ts'
import { type RunningPushgateway, startPushgateway } from './pushgateway.ts'

/** `swordfish`, as `htpasswd -B` writes it. */
const HASH = '$2b$04$abcdefghijklmnopqrstuugIEnm3ZbWF6xb2GcoE3L1CoGJFMKtu.'
const USER = { username: 'job', password: 'swordfish' }

describe('a Pushgateway that asks for a password and a client certificate', () => {
  let folder: string | undefined
  let gateway: RunningPushgateway
  const file = (name: string): string => join(folder as string, name)
  const read = (name: string): Buffer => readFileSync(file(name))

  beforeEach(async (context) => {
    requireProgram('openssl', context)
    requireProgram('prometheus-pushgateway', context)
    if (folder !== undefined) return
    folder = mkdtempSync(join(tmpdir(), 'narthex-push-'))
    certificates(folder)
    writeFileSync(
      file('web.yml'),
      `tls_server_config:
  cert_file: ${file('server.pem')}
  key_file: ${file('server.key')}
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ${file('ca.pem')}
basic_auth_users:
  job: ${HASH}
`,
    )
    gateway = await startPushgateway(`--web.config.file=${file('web.yml')}`)
  })

  afterAll(async () => {
    await gateway?.stop()
    if (folder !== undefined) rmSync(folder, { recursive: true })
  })

  const push = (tls: TlsOptions, auth?: Credentials): Promise<unknown> => {
    const registry = new Registry()
    new Gauge({ name: 'x', help: 'X', registry }).set(1)
    const url = gateway.url.replace('http:', 'https:')
    return pushToGateway(url, { job: 'a', registry, tls, auth, retries: 0 }).catch((error: unknown) => error)
  }

  it('takes a push of who has both', async () => {
    expect(await push({ ca: read('ca.pem'), cert: read('client.pem'), key: read('client.key') }, USER)).toBeUndefined()
  })

  it('refuses a wrong password', async () => {
    const tls = { ca: read('ca.pem'), cert: read('client.pem'), key: read('client.key') }
    expect(await push(tls, { ...USER, password: 'red herring' })).toMatchObject({ status: 401 })
    expect(await push(tls)).toMatchObject({ status: 401 })
  })

  it('refuses who has no certificate, or one of somebody else', async () => {
    const ca = read('ca.pem')
    for (const tls of [{ ca }, { ca, cert: read('stranger.pem'), key: read('stranger.key') }]) {
      const error = await push(tls, USER)
      expect(error).toBeInstanceOf(PushError)
      expect((error as PushError).status).toBeUndefined()
    }
  })

  it('is not trusted where its own certificate is unknown', async () => {
    const error = await push({ cert: read('client.pem'), key: read('client.key') }, USER)
    expect((error as Error).message).toMatch(/self-signed certificate|unable to verify/)
  })
})

/** An authority with a server and a client, and a stranger with an authority of his own. */
function certificates(folder: string): void {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  for (const name of ['ca', 'stranger']) {
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    )
  }
  for (const name of ['server', 'client']) {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    writeFileSync(join(folder, 'extensions'), 'subjectAltName=IP:127.0.0.1\n')
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'extensions']
    openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.pem`, '-days', '2')
  }
}

import { MetricError } from '@narthex/core'
import { startMetricsServer } from '@narthex/core/http'
import { describe, expect, it } from 'vitest'
import { statusOf } from './raw-request.ts'
import { smallRegistry, startedServer } from './started-server.ts'

const basic = (text: string): { headers: { Authorization: string } } => ({
  headers: { Authorization: `Basic ${Buffer.from(text).toString('base64')}` },
})
const bearer = (token: string): { headers: { Authorization: string } } => ({
  headers: { Authorization: `Bearer ${token}` },
})

describe('a server with auth', () => {
  it('lets in who has the name and the password, and says to others what it wants', async () => {
    const registry = smallRegistry()
    const { url } = await startedServer({ registry, auth: { username: 'prometheus', password: 'fennel:stalk' } })
    const welcome = await fetch(url, basic('prometheus:fennel:stalk'))
    expect(welcome.status).toBe(200)
    expect(await welcome.text()).toContain('answer 42\n')
    const refused = await fetch(url)
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toBe('Basic realm="metrics", charset="UTF-8"')
    expect(await refused.text()).toBe('Unauthorized\n')
  })

  it.each([
    ['another password', 'Basic cHJvbWV0aGV1czp3cm9uZw=='],
    ['another name', `Basic ${btoa('prometheu:stalk')}`],
    ['the name alone', `Basic ${btoa('prometheus')}`],
    ['an empty password', `Basic ${btoa('prometheus:')}`],
    ['name and password without their encoding', 'Basic prometheus:stalk'],
    ['the password as a token', 'Bearer stalk'],
    ['both as a token', 'Bearer prometheus:stalk'],
    ['another scheme', 'Digest username="prometheus"'],
    ['a scheme alone', 'Basic'],
    ['no scheme', btoa('prometheus:stalk')],
    ['nothing', ''],
    ['two schemes in one', `Bearer Basic ${btoa('prometheus:stalk')}`],
    ['a very long password', `Basic ${btoa(`prometheus:${'x'.repeat(8_000)}`)}`],
  ])('refuses %s', async (_, authorization) => {
    const { url } = await startedServer({
      auth: { username: 'prometheus', password: 'stalk' },
      registry: smallRegistry(),
    })
    expect((await fetch(url, { headers: { Authorization: authorization } })).status).toBe(401)
  })

  it('knows the scheme in any case, and names and passwords of any letters', async () => {
    const { url, port } = await startedServer({
      auth: { username: 'näme', password: 'påss wörd' },
      registry: smallRegistry(),
    })
    expect((await fetch(url, basic('näme:påss wörd'))).status).toBe(200)
    const encoded = Buffer.from('näme:påss wörd').toString('base64')
    expect(await statusOf(port, 'GET /metrics HTTP/1.1', `Authorization: bASIC   ${encoded}`)).toBe(200)
  })

  it('lets in several users and tokens, and challenges with both schemes', async () => {
    const auth = [
      { username: 'a', password: 'one' },
      { username: 'b', password: 'two' },
      { bearer: 'token-1' },
      { bearer: 'token-2' },
    ]
    const { url } = await startedServer({ auth, registry: smallRegistry() })
    for (const welcome of [basic('a:one'), basic('b:two'), bearer('token-1'), bearer('token-2')]) {
      expect((await fetch(url, welcome)).status).toBe(200)
    }
    for (const other of [basic('a:two'), basic('b:one'), bearer('token-'), bearer('token-12')]) {
      expect((await fetch(url, other)).status).toBe(401)
    }
    const challenges = (await fetch(url)).headers.get('www-authenticate')
    expect(challenges).toBe('Basic realm="metrics", charset="UTF-8", Bearer realm="metrics"')
  })

  it('asks at every path but /-/healthy, before it says whether there is such a path', async () => {
    const { url } = await startedServer({
      auth: { bearer: 'token' },
      registry: smallRegistry(),
      paths: { '/other': smallRegistry('other'), '/handler': (_, response) => void response.end('mine') },
    })
    for (const path of ['/', '/metrics', '/other', '/handler', '/nothing', '//metrics', '/-/healthy/', '/-/HEALTHY']) {
      expect([path, (await fetch(`${new URL(url).origin}${path}`)).status]).toEqual([path, 401])
    }
    expect((await fetch(new URL('/-/healthy', url))).status).toBe(200)
    expect(await (await fetch(new URL('/handler', url), bearer('token'))).text()).toBe('mine')
    expect((await fetch(url, { method: 'POST' })).status).toBe(401)
  })

  it('needs the consent of authorize as well', async () => {
    const asked: (string | undefined)[] = []
    const { url } = await startedServer({
      auth: { bearer: 'token' },
      registry: smallRegistry(),
      async authorize(request) {
        asked.push(request.url)
        return request.headers['x-team'] === 'blue'
      },
    })
    expect((await fetch(url, { headers: { 'X-Team': 'blue' } })).status).toBe(401)
    expect(asked).toEqual([])
    expect((await fetch(url, bearer('token'))).status).toBe(401)
    const both = await fetch(url, { headers: { 'X-Team': 'blue', ...bearer('token').headers } })
    expect(both.status).toBe(200)
    expect(asked).toEqual(['/metrics', '/metrics'])
  })

  it('asks authorize for every page, and answers 500 where that throws', async () => {
    const { url } = await startedServer({
      registry: smallRegistry(),
      authorize({ headers }) {
        if (headers['x-team'] === undefined) throw new Error('no team')
        return false
      },
    })
    expect((await fetch(new URL('/', url))).status).toBe(500)
    const refused = await fetch(new URL('/', url), { headers: { 'X-Team': 'blue' } })
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="metrics"'])
  })

  it.each([
    ['nobody', []],
    ['no object', 'secret'],
    ['nothing', null],
    ['a name without password', { username: 'secret' }],
    ['a password from an environment that lacks it', { username: 'a', password: '' }],
    ['a token from an environment that lacks it', { bearer: '' }],
    ['a token that no header can carry', { bearer: 'secret\ntoken' }],
    ['a name with a colon', { username: 'a:b', password: 'secret' }],
    ['both in one', { username: 'a', password: 'secret', bearer: 'secret' }],
    ['one of several', [{ bearer: 'secret' }, { password: 'secret' }]],
  ])('is not started for %s, and keeps the secret to itself', async (_, auth) => {
    const error = await startMetricsServer({ port: 0, auth: auth as never }).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(MetricError)
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_OPTION', argument: 'auth', value: undefined })
    expect((error as Error).message).toMatch(/^startMetricsServer: expected `auth` to/)
    expect((error as Error).message).not.toContain('secret')
  })
})

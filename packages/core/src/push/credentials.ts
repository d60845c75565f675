import { MetricError } from '../errors.ts'

/** How to say who is asking: HTTP basic authentication, or a bearer token. */
export type Credentials = { readonly username: string; readonly password: string } | { readonly bearer: string }

/** The Authorization header of credentials, or of those in the URL. */
export function authorizationHeader(credentials: Credentials | undefined, url: URL): Record<string, string> {
  if (credentials === undefined) {
    if (url.username === '' && url.password === '') return {}
    return basic(decodeURIComponent(url.username), decodeURIComponent(url.password))
  }
  if ('bearer' in credentials && typeof credentials.bearer === 'string') {
    return { Authorization: `Bearer ${credentials.bearer}` }
  }
  if ('username' in credentials && typeof credentials.username === 'string' && typeof credentials.password === 'string') {
    return basic(credentials.username, credentials.password)
  }
  // The value is left out of the message: it may hold the secret.
  const rule = 'to be { username, password } or { bearer }'
  throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject: 'Pushgateway', argument: 'auth', rule })
}

function basic(username: string, password: string): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}

import { validateHeaderValue } from 'node:http'
import { MetricError } from '../errors.ts'

/** How to say who is asking: HTTP basic authentication (RFC 7617), or a bearer token (RFC 6750). */
export type Credentials = { readonly username: string; readonly password: string } | { readonly bearer: string }

/**
 * The Authorization header of credentials, or of those in the URL; none where there are none. `subject` names who asks. Throws
 * `ERR_NARTHEX_INVALID_OPTION` for what is neither; the message is without the value, which may hold the secret.
 */
export function authorizationHeader(
  subject: string,
  credentials: Credentials | undefined,
  url: URL,
): Record<string, string> {
  const refuse = (rule: string): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument: 'auth', rule })
  }
  if (credentials === undefined) {
    if (url.username === '' && url.password === '') return {}
    return basic(decoded(url.username), decoded(url.password))
  }
  if (typeof credentials !== 'object' || credentials === null)
    return refuse('to be { username, password } or { bearer }')
  const { username, password, bearer } = credentials as { readonly [field: string]: unknown }
  if (typeof bearer === 'string' && username === undefined && password === undefined) {
    if (!isHeaderValue(bearer) || bearer === '') refuse('to have a `bearer` that a header can carry')
    return { Authorization: `Bearer ${bearer}` }
  }
  if (typeof username === 'string' && typeof password === 'string' && bearer === undefined) {
    if (username.includes(':')) refuse('to have a `username` without a colon (RFC 7617)')
    return basic(username, password)
  }
  return refuse('to be { username, password } or { bearer }')
}

function basic(username: string, password: string): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}

/** A URL may have a percent sign that begins no escape: it then means itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function isHeaderValue(value: string): boolean {
  try {
    validateHeaderValue('Authorization', value)
    return true
  } catch {
    return false
  }
}

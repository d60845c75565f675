import { validateHeaderName, validateHeaderValue } from 'node:http'
import { createSecureContext } from 'node:tls'
import { MetricError } from '../errors.ts'
import { authorizationHeader, type Credentials } from './credentials.ts'
import type { TlsOptions } from './send.ts'

/** What users say of the requests that carry their metrics. */
export interface RequestOptions {
  /** A user with a password, or a bearer token. Else what the address has (`http://user:password@…`). */
  readonly auth?: Credentials
  /** Certificates for `https:` addresses: what `node:tls` takes. */
  readonly tls?: TlsOptions
  /** More headers for the request. */
  readonly headers?: { readonly [name: string]: string }
}

/** What sets the length of the body is not for headers of the user: a second length would make two requests of one. */
const FRAMING: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'content-type',
  'content-encoding',
])

/**
 * The headers of requests to `url`, credentials included. `subject` names who asks in errors, `reserved` are more headers,
 * in lower case, that are its own. Throws `ERR_NARTHEX_INVALID_OPTION` for headers, credentials and certificates that
 * cannot be, before anything is sent and without a secret in the message.
 */
export function requestHeaders(
  subject: string,
  url: URL,
  { auth, tls, headers = {} }: RequestOptions,
  reserved: readonly string[] = [],
): { readonly [name: string]: string } {
  const refuse = (argument: string, rule: string): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument, rule })
  }
  if (typeof headers !== 'object' || headers === null) return refuse('headers', 'to be an object of strings')
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase()
    if (FRAMING.has(lower) || reserved.includes(lower)) refuse('headers', `to leave \`${name}\` to the ${subject}`)
    try {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    } catch {
      refuse('headers', `to hold names and values that HTTP allows, unlike \`${name}\``)
    }
  }
  if (tls !== undefined && (typeof tls !== 'object' || tls === null)) refuse('tls', 'to be an object')
  try {
    // A certificate that cannot be read would fail every attempt.
    if (tls !== undefined) createSecureContext(tls)
  } catch (error) {
    refuse('tls', `to be certificates and keys that can be read (${(error as Error).message})`)
  }
  return { ...headers, ...authorizationHeader(subject, auth, url) }
}

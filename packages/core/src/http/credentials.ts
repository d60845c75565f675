import { createHash, timingSafeEqual } from 'node:crypto'
import { MetricError } from '../errors.ts'

/** Who may come in: somebody with a name and a password (RFC 7617), or whoever has the token (RFC 6750). */
export type AcceptedCredentials = { readonly username: string; readonly password: string } | { readonly bearer: string }

/**
 * Says whether an `Authorization` header is one of those accepted. What is presented is compared with every one of
 * them, hash with hash, so that the time it takes tells nothing about how close a guess was, nor whose it was.
 */
export class CredentialCheck {
  /** The challenges of a 401, one for each scheme in use (RFC 9110, 11.6.1). */
  readonly challenges: readonly string[]
  readonly #accepted: readonly Uint8Array[]

  /** Throws `ERR_NARTHEX_INVALID_OPTION` for what could admit nobody, or everybody. */
  constructor(subject: string, credentials: AcceptedCredentials | readonly AcceptedCredentials[]) {
    const list = (Array.isArray(credentials) ? credentials : [credentials]) as readonly AcceptedCredentials[]
    // The value is left out of the message: it may hold the secret.
    const refuse = (rule: string): never => {
      throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument: 'auth', rule })
    }
    if (list.length === 0) refuse('to hold at least one { username, password } or { bearer }')
    this.#accepted = list.map((one) => digestOf(presentedBy(one, refuse)))
    const basic = list.some((one) => 'username' in one) ? ['Basic realm="metrics", charset="UTF-8"'] : []
    const bearer = list.some((one) => 'bearer' in one) ? ['Bearer realm="metrics"'] : []
    this.challenges = [...basic, ...bearer]
  }

  admits(authorization: string | undefined): boolean {
    const presented = digestOf(presentedIn(authorization ?? ''))
    let admitted = false
    for (const accepted of this.#accepted) admitted = timingSafeEqual(accepted, presented) || admitted
    return admitted
  }
}

/** The scheme with what it carries: a token cannot stand in for a name and its password. */
function presentedBy(credentials: AcceptedCredentials, refuse: (rule: string) => never): Buffer {
  const { username, password, bearer } = (credentials ?? {}) as Partial<
    Record<'username' | 'password' | 'bearer', unknown>
  >
  if (bearer !== undefined && username === undefined && password === undefined) {
    if (typeof bearer === 'string' && /^[\x21-\x7e]+$/.test(bearer)) return Buffer.from(`bearer ${bearer}`)
    return refuse('to hold tokens of visible ASCII characters, at least one')
  }
  if (bearer !== undefined || typeof username !== 'string' || typeof password !== 'string') {
    return refuse('to be { username, password } or { bearer }, or an array of those')
  }
  if (password === '') return refuse('to hold passwords that are not empty')
  if (username.includes(':')) return refuse('to hold user names without a colon (RFC 7617, 2)')
  return Buffer.from(`basic ${username}:${password}`)
}

function presentedIn(authorization: string): Buffer {
  const [, scheme = '', value = ''] = /^(\S+) +(\S+) *$/.exec(authorization) ?? []
  if (/^basic$/i.test(scheme)) return Buffer.concat([Buffer.from('basic '), Buffer.from(value, 'base64')])
  if (/^bearer$/i.test(scheme)) return Buffer.from(`bearer ${value}`)
  return Buffer.alloc(0)
}

function digestOf(presented: Buffer): Uint8Array {
  return createHash('sha256').update(presented).digest()
}

/** Why a push did not arrive: what the gateway said, or why it could not be asked. */
export class PushError extends Error {
  override readonly name: string = 'PushError'
  readonly code = 'ERR_NARTHEX_PUSH_FAILED'
  /** Where to, without credentials and query. */
  readonly url: string
  /** The status of the last answer; absent where there was none. */
  readonly status: number | undefined
  /** The beginning of the last answer, at most a kilobyte. */
  readonly body: string

  constructor(action: string, url: URL, reason: PushFailure) {
    const shown = withoutSecrets(url)
    super(`${action} ${shown} failed: ${describe(reason)}`, { cause: reason.cause })
    this.url = shown
    this.status = reason.status
    this.body = reason.body ?? ''
  }
}

/** What came instead of success: an answer, or an error. */
export interface PushFailure {
  readonly status?: number
  readonly body?: string
  /** Where a redirect points to. */
  readonly location?: string | undefined
  readonly cause?: unknown
}

function describe({ status, body = '', location, cause }: PushFailure): string {
  if (status === undefined) return describeCause(cause)
  if (location !== undefined && status >= 300 && status < 400) {
    return `it answered ${status}, a redirect to ${location}, which a push does not follow: use that address`
  }
  const text = body.replace(/\s+/g, ' ').trim()
  return `it answered ${status}${text === '' ? '' : `: ${text.length > 300 ? `${text.slice(0, 299)}…` : text}`}`
}

/** Node's error for a host with several addresses has no message of its own. */
function describeCause(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return cause.errors.map(describeCause).join('; ')
  return cause instanceof Error ? cause.message || cause.name : String(cause)
}

function withoutSecrets(url: URL): string {
  return url.origin + url.pathname
}

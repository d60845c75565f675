/** Why samples did not arrive: what the server said, or why it could not be asked. */
export class RemoteWriteError extends Error {
  override readonly name: string = 'RemoteWriteError'
  readonly code = 'ERR_NARTHEX_REMOTE_WRITE_FAILED'
  /** Where to, without credentials and query. */
  readonly url: string
  /** The status of the last answer; absent where there was none. */
  readonly status: number | undefined
  /** The beginning of the last answer, at most a kilobyte. */
  readonly body: string

  constructor(url: URL, outcome: string, { status, body = '', location, cause }: RemoteWriteFailure) {
    const shown = url.origin + url.pathname
    super(`Remote write to ${shown}: ${outcome}${reason({ status, body, location, cause })}`, { cause })
    this.url = shown
    this.status = status
    this.body = body
  }
}

/** What came instead of success: an answer, an error, or neither where the time was up before. */
export interface RemoteWriteFailure {
  readonly status?: number
  readonly body?: string
  /** Where a redirect points to. */
  readonly location?: string | undefined
  readonly cause?: unknown
}

function reason({ status, body = '', location, cause }: RemoteWriteFailure): string {
  if (status === undefined) return cause === undefined ? '' : `: ${describeCause(cause)}`
  if (location !== undefined && status < 400)
    return `: it answered ${status}, a redirect to ${location}: use that address`
  const text = body.replace(/\s+/g, ' ').trim()
  return `: it answered ${status}${text === '' ? '' : `, ${text.slice(0, 300)}`}`
}

/** Node's error for a host with several addresses has no message of its own. */
function describeCause(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return cause.errors.map(describeCause).join('; ')
  return cause instanceof Error ? cause.message || cause.name : String(cause)
}

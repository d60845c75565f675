import { setTimeout as delay } from 'node:timers/promises'
import { PushError, type PushFailure } from './push-error.ts'
import type { PushTarget } from './push-target.ts'
import { send, type SendResponse } from './send.ts'

/** Milliseconds before the first retry; each further one waits twice as long, to the longest. */
const FIRST_WAIT = 200
const LONGEST_WAIT = 30_000

/**
 * Sends a request until the gateway has taken it. Rejects with {@link PushError} in bounded time: once the answer says
 * that trying again is of no use, the retries are used up, or the next one would come after the time-out.
 */
export async function deliver(
  method: 'PUT' | 'POST' | 'DELETE',
  { url, headers, tls, timeout, retries }: PushTarget,
  contentHeaders: { readonly [name: string]: string } = {},
  body?: Uint8Array,
): Promise<void> {
  const milliseconds = Math.min(timeout, 0x7fffffff)
  const signal = AbortSignal.timeout(milliseconds)
  const end = performance.now() + milliseconds
  const request = { method, url, headers: { ...headers, ...contentHeaders }, body, tls, signal }
  for (let attempt = 0; ; attempt++) {
    let failure: PushFailure
    let wait = waitBefore(attempt)
    try {
      const response = await send(request)
      if (response.status >= 200 && response.status < 300) return
      failure = failureOf(response)
      if (response.status !== 429 && response.status < 500) throw new PushError(method, url, failure)
      wait = Math.max(wait, retryAfter(response))
    } catch (error) {
      if (error instanceof PushError) throw error
      failure = { cause: signal.aborted ? new Error(`no answer within ${timeout} ms`) : error }
    }
    if (attempt >= retries || performance.now() + wait >= end) throw new PushError(method, url, failure)
    await delay(wait)
  }
}

function failureOf({ status, text, header }: SendResponse): PushFailure {
  return { status, body: text, location: header('location') }
}

/** Apart by chance, so that jobs which failed together do not come back together. */
function waitBefore(attempt: number): number {
  return Math.min(FIRST_WAIT * 2 ** attempt, LONGEST_WAIT) * (0.75 + Math.random() / 2)
}

/** RFC 9110, 10.2.3: seconds, or a date. */
function retryAfter({ header }: SendResponse): number {
  const value = header('retry-after') ?? ''
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return wait > 0 ? wait : 0
}

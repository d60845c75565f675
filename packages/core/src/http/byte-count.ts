import type { IncomingMessage, ServerResponse } from 'node:http'

/** Where the bytes are added up. */
export interface ByteCounts {
  requestBytes: number
  responseBytes: number
}

/** Clients announce what they like, and leave: with 10^18 bytes a sum would not notice real ones any more. */
const MOST_ANNOUNCED = 65_536

type Write = (chunk?: unknown, encoding?: unknown, callback?: unknown) => unknown

/**
 * Counts the bytes of a request's and a response's body. Wraps the innermost `write` and `end`, so that what a
 * compression further out has made of a body is what counts.
 */
export function countBytes(counts: ByteCounts, request: IncomingMessage, response: ServerResponse): void {
  const length = Number(request.headers['content-length'])
  if (length >= 0 && length <= MOST_ANNOUNCED) counts.requestBytes = length
  else countPushed(counts, request)
  const target = response as unknown as Record<'write' | 'end', Write>
  let ended = false
  for (const method of ['write', 'end'] as const) {
    const own = target[method]
    target[method] = function (this: unknown, chunk, encoding, callback) {
      // `end` writes its chunk itself in some versions of Node, through `write` in others.
      const before = counts.responseBytes
      const result = own.call(this, chunk, encoding, callback)
      if (!ended && counts.responseBytes === before) counts.responseBytes += bytesOf(chunk, encoding)
      if (method === 'end') ended = true
      return result
    }
  }
}

/** A body without a length, or with a large one, is counted as the parser hands it over. */
function countPushed(counts: ByteCounts, request: IncomingMessage): void {
  const own = request.push
  request.push = function (this: IncomingMessage, chunk: unknown, ...rest: never[]) {
    counts.requestBytes += bytesOf(chunk, rest[0])
    return own.call(this, chunk, ...rest)
  }
}

function bytesOf(chunk: unknown, encoding: unknown): number {
  if (typeof chunk === 'string')
    return Buffer.byteLength(chunk, typeof encoding === 'string' ? (encoding as 'utf8') : 'utf8')
  return ArrayBuffer.isView(chunk) ? chunk.byteLength : 0
}

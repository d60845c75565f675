/** Answers of these types end when somebody leaves, not when work is done: their length is no latency. */
const STREAM_TYPES = /^(?:text\/event-stream|multipart\/x-mixed-replace|application\/(?:x-ndjson|stream\+json|jsonl))/i

/**
 * Two places where these have other letters than almost all others: the first tells them from JSON and from all texts with
 * a `charset`.
 */
const [FIRST, SECOND] = [16, 12]
const [A, D, J, L, M, S, T, X] = [0x61, 0x64, 0x6a, 0x6c, 0x6d, 0x73, 0x74, 0x78]

/**
 * Whether a content type is one of a stream. An expression costs 1 µs where a server has much else to do between two
 * requests (`koa` in benchmarks), and a character some 50 instructions.
 */
export function isStreamType(contentType: string): boolean {
  return mayBeStream(contentType) && STREAM_TYPES.test(contentType)
}

function mayBeStream(contentType: string): boolean {
  // None is shorter, and a look past the end would be a call, for all.
  if (contentType.length <= FIRST) return false
  const first = lowerCaseAt(contentType, FIRST)
  if (first !== A && first !== D && first !== J && first !== L && first !== M) return false
  const second = lowerCaseAt(contentType, SECOND)
  return second === J || second === M || second === S || second === T || second === X
}

/** Only letters are asked for: this bit is what tells their cases apart. */
function lowerCaseAt(text: string, index: number): number {
  return text.charCodeAt(index) | 0x20
}

import { OutgoingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import { ownSymbolOf } from './own-symbol.ts'

/**
 * Where Node keeps the headers that were set, without a call and lower-casing for each answer. Node's own affair. Looked
 * for in the first response: one that is made to look at is a kind of emitter more that Node's constructors have seen
 * (`http-server` in benchmarks says what that costs).
 */
let headersKey: symbol | undefined
const NONE = Symbol('none')

/** What Node keeps of what was sent: its text with HTTP/1, and the stream's headers with HTTP/2. */
interface Sent {
  readonly _header?: string | null
  readonly stream?: ServerHttp2Stream
  /** `null` where all headers were given to `writeHead`. */
  readonly [key: symbol]: { readonly [name: string]: readonly [name: string, value: unknown] | undefined } | null
}

const STATUS_AT = 'HTTP/1.1 '.length
/** By status: what Node has is sparse, and is looked up in a hash table. */
const WORDS: readonly (string | undefined)[] = Array.from({ length: 512 }, (_, status) => STATUS_CODES[status])
const CONTENT_TYPE = /\r\ncontent-type: *([^\r\n]*)/i

/** The status that an answer was sent with: what is in its place now may be another. */
export function statusSent(response: ServerResponse): number {
  const { _header: header } = response as unknown as Sent
  const { statusCode } = response
  // Whoever asks HTTP/2 for the words is warned of them.
  if (typeof header !== 'string')
    return (streamOf(response)?.sentHeaders?.[':status'] as number | undefined) ?? statusCode
  // Node sets the words as it sends the number. The text itself is in pieces, and is not put together for each answer.
  if (response.statusMessage === WORDS[statusCode]) return statusCode
  return Number(header.slice(STATUS_AT, STATUS_AT + 3))
}

/** The content type that an answer was sent with, however it was given; empty where it has none. */
export function contentTypeSent(response: ServerResponse, isPlain: boolean): string {
  const key = headersKey ?? keyOfHeaders(response)
  const headers =
    isPlain === true ? (response as unknown as Sent)[key] : (Reflect.get(response, key) as Sent[symbol] | undefined)
  const type = headers?.['content-type']?.[1]
  if (typeof type === 'string') return type
  return headers === null || headers === undefined ? typeInHeader(response) : String(type ?? '')
}

function typeInHeader(response: ServerResponse): string {
  const { _header: header } = response as unknown as Sent
  if (typeof header === 'string') return CONTENT_TYPE.exec(header)?.[1] ?? ''
  return String(streamOf(response)?.sentHeaders?.['content-type'] ?? response.getHeader('content-type') ?? '')
}

function streamOf(response: ServerResponse): ServerHttp2Stream | undefined {
  return (response as unknown as Sent).stream
}

/** Those of HTTP/2 have none, and say nothing of others. */
function keyOfHeaders(response: ServerResponse): symbol {
  if (!(response instanceof OutgoingMessage)) return NONE
  headersKey = ownSymbolOf(response, 'kOutHeaders') ?? NONE
  return headersKey
}

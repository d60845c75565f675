import { OutgoingMessage, type ServerResponse } from 'node:http'

/** Where Node keeps the headers that were set, without a call and lower-casing for each answer. Node's own affair. */
const HEADERS = Object.getOwnPropertySymbols(new OutgoingMessage()).find(
  ({ description }) => description === 'kOutHeaders',
)

/**
 * The content type of an answer, empty where it has none, once its headers are sent. `given` is what `writeHead` was given:
 * such headers need not be in `getHeader` afterwards.
 */
export function contentTypeOf(response: ServerResponse, given: unknown): string {
  const set = contentTypeSet(response)
  if (set !== undefined || typeof given !== 'object' || given === null) return String(set ?? '')
  // As Fastify spells it.
  const direct = (given as { 'content-type'?: unknown })['content-type']
  if (direct !== undefined) return String(direct)
  const entries = Array.isArray(given) ? pairsOf(given as unknown[]) : Object.entries(given)
  for (const [name, value] of entries) if (String(name).toLowerCase() === 'content-type') return String(value)
  return ''
}

function contentTypeSet(response: ServerResponse): unknown {
  const headers =
    HEADERS && (response as unknown as { [key: symbol]: Record<string, unknown[] | undefined> | null })[HEADERS]
  return headers === undefined ? response.getHeader('content-type') : headers?.['content-type']?.[1]
}

function pairsOf(list: readonly unknown[]): [unknown, unknown][] {
  if (Array.isArray(list[0])) return list as [unknown, unknown][]
  const pairs: [unknown, unknown][] = []
  for (let index = 0; index + 1 < list.length; index += 2) pairs.push([list[index], list[index + 1]])
  return pairs
}

import { utf8TextOf } from '../parse/page.ts'

/** The formats that the command reads. */
export type PageFormat = 'text' | 'openmetrics' | 'protobuf'

/** The format that a `Content-Type` names; `undefined` for none that is known. */
export function formatOfContentType(contentType: string | null): PageFormat | undefined {
  const mediaType = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase()
  if (mediaType === 'application/openmetrics-text') return 'openmetrics'
  if (mediaType === 'application/vnd.google.protobuf') return 'protobuf'
  return mediaType === 'text/plain' ? 'text' : undefined
}

/** The format that a page looks to be in: a length and a family's name, an end of `# EOF`, or plain text. */
export function formatOfPage(page: Uint8Array): PageFormat {
  if (startsWithFamily(page)) return 'protobuf'
  const tail = new TextDecoder().decode(page.subarray(Math.max(0, page.length - 8)))
  return /(^|\n)# EOF\n?$/.test(tail) ? 'openmetrics' : 'text'
}

/** Whether the bytes begin like a delimited `MetricFamily`: its length, then field 1 with a name in it. */
function startsWithFamily(page: Uint8Array): boolean {
  let at = 0
  let length = 0
  for (let shift = 0; shift < 28 && at < page.length; shift += 7) {
    const byte = page[at++] as number
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  const nameLength = page[at + 1] ?? 0
  if (page[at] !== 0x0a || nameLength === 0 || nameLength + 2 > length || at + length > page.length) return false
  const name = utf8TextOf(page, at + 2, at + 2 + nameLength)
  return name !== undefined && !name.includes('\n')
}

import { snappyUncompress } from 'hysnappy'

/** A sample or histogram as a server finds it in a request; `bits` are those of the value or sum. */
export interface ReadSample {
  readonly labels: Readonly<Record<string, string>>
  /** Names and values as they stand in the request. */
  readonly order: readonly string[]
  readonly value: number
  readonly bits: bigint
  readonly time: number
  readonly histogram?: Fields
  readonly exemplars: readonly ReadExemplar[]
}

export interface ReadExemplar {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly time: number
}

export interface ReadMetadata {
  readonly type: number
  readonly name: string
  readonly help: string
  readonly unit: string
}

/** The fields of a message by number: whole numbers, bits of doubles, or bytes. */
export type Fields = ReadonlyMap<number, readonly (bigint | Uint8Array)[]>

/** Reads a compressed prompb.WriteRequest, written from the protocol alone: it shares no code with the writer. */
export function readWriteRequest(body: Uint8Array): { samples: ReadSample[]; metadata: ReadMetadata[] } {
  const message = snappyUncompress(body, uncompressedLength(body))
  const request = fieldsOf(message)
  const samples: ReadSample[] = []
  for (const series of messages(request, 1)) {
    const order = messages(series, 1).map((label) => `${text(label, 1)}=${text(label, 2)}`)
    const labels = labelsOf(series)
    const exemplars = messages(series, 3).map((exemplar) => {
      return { labels: labelsOf(exemplar), value: valueOf(exemplar, 2).value, time: time(exemplar, 3) }
    })
    for (const sample of messages(series, 2))
      samples.push({ labels, order, ...valueOf(sample, 1), time: time(sample, 2), exemplars })
    for (const histogram of messages(series, 4)) {
      samples.push({ labels, order, ...valueOf(histogram, 3), time: time(histogram, 15), histogram, exemplars })
    }
  }
  const metadata = messages(request, 3).map((fields) => {
    return {
      type: Number(fields.get(1)?.[0] ?? 0),
      name: text(fields, 2),
      help: text(fields, 4),
      unit: text(fields, 5),
    }
  })
  return { samples, metadata }
}

/** The whole numbers of a packed field, zigzag undone. */
export function packedSigned(fields: Fields, field: number): number[] {
  const bytes = (fields.get(field)?.[0] ?? new Uint8Array()) as Uint8Array
  const numbers: number[] = []
  for (let at = 0; at < bytes.length;) {
    const [value, next] = varint(bytes, at)
    numbers.push(Number((value >> 1n) ^ -(value & 1n)))
    at = next
  }
  return numbers
}

function fieldsOf(bytes: Uint8Array): Fields {
  const fields = new Map<number, (bigint | Uint8Array)[]>()
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < bytes.length;) {
    const [tag, afterTag] = varint(bytes, at)
    const values = fields.get(Number(tag >> 3n)) ?? []
    fields.set(Number(tag >> 3n), values)
    const type = Number(tag & 7n)
    if (type === 0) {
      const [value, next] = varint(bytes, afterTag)
      values.push(value)
      at = next
    } else if (type === 1) {
      values.push(view.getBigUint64(afterTag, true))
      at = afterTag + 8
    } else if (type === 2) {
      const [length, start] = varint(bytes, afterTag)
      at = start + Number(length)
      if (at > bytes.length) throw new Error('a message ends before its length')
      values.push(bytes.subarray(start, at))
    } else throw new Error(`wire type ${type}`)
  }
  return fields
}

function messages(fields: Fields, field: number): Fields[] {
  return (fields.get(field) ?? []).map((bytes) => fieldsOf(bytes as Uint8Array))
}

function labelsOf(fields: Fields): Record<string, string> {
  return Object.fromEntries(messages(fields, 1).map((label) => [text(label, 1), text(label, 2)]))
}

function text(fields: Fields, field: number): string {
  const [bytes] = fields.get(field) ?? []
  return bytes === undefined ? '' : new TextDecoder('utf-8', { fatal: true }).decode(bytes as Uint8Array)
}

function valueOf(fields: Fields, field: number): { value: number; bits: bigint } {
  const bits = (fields.get(field)?.[0] ?? 0n) as bigint
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, bits)
  return { value: view.getFloat64(0), bits }
}

function time(fields: Fields, field: number): number {
  return Number(BigInt.asIntN(64, (fields.get(field)?.[0] ?? 0n) as bigint))
}

function varint(bytes: Uint8Array, start: number): [value: bigint, next: number] {
  let value = 0n
  for (let at = start, shift = 0n; at < bytes.length; at++, shift += 7n) {
    value |= BigInt(bytes[at] & 0x7f) << shift
    if (bytes[at] < 0x80) return [value, at + 1]
  }
  throw new Error('a number has no end')
}

function uncompressedLength(body: Uint8Array): number {
  return Number(varint(body, 0)[0])
}

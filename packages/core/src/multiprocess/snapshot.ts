import { crc32 } from 'node:zlib'
import type { Aggregation, MetricType } from '../family.ts'
import { DoubleReader } from './doubles.ts'
import type { Layout, RowText } from './row.ts'

/** Changes with every change of the format: a file of another version is left alone, and counted. */
const MAGIC = 'NTHXMP01'
/** The magic, the lengths of the three parts behind it, the checksum of these, and room for more. */
const HEADER_BYTES = 32

/** Who wrote a snapshot, or that it stands for those who have ended. */
export interface SnapshotHead {
  /** Seconds since the epoch. */
  readonly at: number
  /** Milliseconds between two snapshots. */
  readonly interval: number
  /** The writer has stopped: its gauges are no longer true. */
  readonly isFinal?: boolean
  /** Files whose numbers are in here, that may still be there. */
  readonly absorbed?: readonly string[]
  /** How many processes are in here. */
  readonly processes?: number
  readonly families: readonly FamilyHead[]
}

/** What is known of a family before its rows. */
export interface FamilyHead {
  readonly name: string
  readonly help: string
  readonly type: MetricType
  readonly unit?: string
  readonly totalSuffix?: false
  readonly aggregation?: Aggregation
  readonly live?: false
  readonly scope: 'thread' | 'process'
  readonly layouts: readonly Layout[]
  /** Rows, and how many bytes and doubles they take in each part of the file. */
  readonly blocks: readonly (readonly [rows: number, keys: number, texts: number, doubles: number])[]
}

/** Some rows of a family. */
export interface SnapshotBlock {
  /** A key for each row: the labels of its series as JSON, by name. */
  readonly keys: readonly string[]
  /** By row, where there is one. */
  readonly texts: ReadonlyMap<number, RowText>
  readonly rows: DoubleReader
}

/** Why a file is no snapshot that can be read. */
export class SnapshotError extends Error {
  readonly reason: 'version' | 'damaged'

  constructor(reason: 'version' | 'damaged', message: string) {
    super(message)
    this.reason = reason
  }
}

/** Puts the parts of a snapshot together: a header, the head as JSON, keys and texts, doubles. */
export function packSnapshot(head: SnapshotHead, texts: readonly Uint8Array[], doubles: Float64Array): Uint8Array {
  const headBytes = Buffer.from(JSON.stringify(head))
  const textLength = texts.reduce((sum, { length }) => sum + length, 0)
  const textEnd = HEADER_BYTES + headBytes.length + textLength
  const start = Math.ceil(textEnd / 8) * 8
  // Of its own, so that the doubles are where the processor wants them.
  const file = Buffer.allocUnsafeSlow(start + doubles.byteLength)
  file.fill(0, 0, HEADER_BYTES)
  file.fill(0, textEnd, start)
  file.write(MAGIC, 0, 'latin1')
  file.writeUInt32LE(headBytes.length, 8)
  file.writeUInt32LE(textLength, 12)
  file.writeUInt32LE(doubles.length, 16)
  let at = HEADER_BYTES
  for (const part of [headBytes, ...texts]) {
    file.set(part, at)
    at += part.length
  }
  file.set(new Uint8Array(doubles.buffer, doubles.byteOffset, doubles.byteLength), start)
  file.writeUInt32LE(crc32(file.subarray(HEADER_BYTES)), 20)
  return file
}

/** A snapshot that can be read. */
export class Snapshot {
  readonly head: SnapshotHead
  readonly #file: Buffer
  readonly #textStart: number
  readonly #doubles: Float64Array

  /** Throws {@link SnapshotError} for bytes that are no whole snapshot of this version. */
  constructor(bytes: Uint8Array) {
    const file = aligned(bytes)
    if (file.length < HEADER_BYTES) throw new SnapshotError('damaged', 'is too short')
    const magic = file.toString('latin1', 0, MAGIC.length)
    if (magic !== MAGIC) {
      const isOther = magic.startsWith(MAGIC.slice(0, 6))
      throw new SnapshotError(isOther ? 'version' : 'damaged', isOther ? `is of version ${magic}` : 'is no snapshot')
    }
    const headEnd = HEADER_BYTES + file.readUInt32LE(8)
    const textEnd = headEnd + file.readUInt32LE(12)
    const count = file.readUInt32LE(16)
    const start = Math.ceil(textEnd / 8) * 8
    if (start + count * 8 !== file.length) throw new SnapshotError('damaged', 'is cut off')
    if (crc32(file.subarray(HEADER_BYTES)) !== file.readUInt32LE(20)) throw new SnapshotError('damaged', 'is not whole')
    this.#file = file
    this.#textStart = headEnd
    this.#doubles = new Float64Array(file.buffer, file.byteOffset + start, count)
    this.head = JSON.parse(file.toString('utf8', HEADER_BYTES, headEnd)) as SnapshotHead
  }

  /** The rows of all families, each family with its blocks. A block is read when it is asked for. */
  *families(): Generator<readonly [head: FamilyHead, blocks: readonly (() => SnapshotBlock)[]]> {
    let text = this.#textStart
    let double = 0
    for (const head of this.head.families) {
      const blocks = head.blocks.map(([rows, keyBytes, textBytes, doubles]) => {
        const from = { text, double }
        text += keyBytes + textBytes
        double += doubles
        return (): SnapshotBlock => this.#block(rows, from, keyBytes, textBytes, doubles)
      })
      yield [head, blocks]
    }
  }

  #block(
    rows: number,
    from: { readonly text: number; readonly double: number },
    keyBytes: number,
    textBytes: number,
    doubles: number,
  ): SnapshotBlock {
    const keysEnd = from.text + keyBytes
    const keys = this.#file.toString('utf8', from.text, keysEnd).split('\n')
    if (keys.length !== rows) throw new SnapshotError('damaged', `has ${keys.length} keys for ${rows} rows`)
    const texts = textBytes === 0 ? [] : this.#file.toString('utf8', keysEnd, keysEnd + textBytes)
    return {
      keys,
      texts: new Map(typeof texts === 'string' ? (JSON.parse(texts) as [number, RowText][]) : texts),
      rows: new DoubleReader(this.#doubles, from.double, from.double + doubles),
    }
  }
}

function aligned(bytes: Uint8Array): Buffer {
  const { buffer, byteOffset, byteLength } = bytes
  if (byteOffset % 8 === 0) return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)
  return Buffer.from(bytes.slice().buffer)
}

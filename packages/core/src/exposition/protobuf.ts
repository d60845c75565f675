import { counterSampleName, type MetricFamily, type MetricType, type Series } from '../family.ts'
import { ownLabelOf } from '../labels.ts'
import { escapeName, type EscapingScheme } from '../names.ts'
import type { ExpositionFormat } from './format.ts'
import { MetricWriter } from './protobuf-metric.ts'
import { refusal, type Refused } from './refusal.ts'
import { BYTES, VARINT, writeString, writeVarint } from './wire.ts'
import { ByteWriter, CHUNK_BYTES } from './writer.ts'

const CONTENT_TYPE = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'

/**
 * Delimited protobuf: each family a message `io.prometheus.client.MetricFamily` behind its length, as client_golang
 * writes it (fields by number, repeated numbers unpacked, what is known always written, zeros too). The only format
 * that carries native histograms. Info and state sets, which it does not know, are gauges; +Inf buckets are implied.
 *
 * The length stands first, so a family is held until it is complete: 64 KiB at a time, memory of about its size.
 */
export const protobufFormat: ExpositionFormat = /* @__PURE__ */ format('underscores', '')

function format(escaping: EscapingScheme, suffix: string): ExpositionFormat {
  return {
    contentType: CONTENT_TYPE + suffix,
    escaping,
    withEscaping: (scheme) => format(scheme, `; escaping=${scheme}`),
    write: (family, page, refused) => writeFamily(family, page, escaping, refused),
  }
}

/** io.prometheus.client.MetricType. */
const TYPE_NUMBERS: Readonly<Record<MetricType, number>> = {
  counter: 0,
  gauge: 1,
  summary: 2,
  unknown: 3,
  histogram: 4,
  gaugehistogram: 5,
  info: 1,
  stateset: 1,
}

const FAMILY_NAME = (1 << 3) | BYTES
const FAMILY_HELP = (2 << 3) | BYTES
const FAMILY_TYPE = (3 << 3) | VARINT
const FAMILY_UNIT = (5 << 3) | BYTES

/** A family up to this size is written to the page at once; a bigger one goes on in buffers of its own. */
const SMALL_BYTES = 16 * 1024

function* writeFamily(
  family: MetricFamily,
  page: ByteWriter,
  escaping: EscapingScheme,
  refused: Refused | undefined,
): Generator<void> {
  const body = new FamilyBody(page)
  writeString(body.writer, FAMILY_NAME, nameOf(family, escaping))
  if (family.help !== '') writeString(body.writer, FAMILY_HELP, family.help)
  body.writer.byte(FAMILY_TYPE)
  writeVarint(body.writer, TYPE_NUMBERS[family.type])
  const metrics = new MetricWriter(family, escaping, ownLabelOf(family.type, family.name))
  let written = 0
  let complete = 0
  let refusing = false
  let failure: { readonly error: unknown } | undefined
  try {
    for (const series of family.series as Iterable<Series>) {
      const rule = metrics.write(body.writer, series)
      if (rule === undefined) written += 1
      else if (!refusing) {
        refusing = true
        refused?.(refusal(family, rule))
      }
      // A pause takes away what the page holds, so the family must stand elsewhere by then.
      const mayPause = body.next()
      complete = body.writer.length
      if (mayPause) yield
    }
  } catch (error) {
    failure = { error }
    body.writer.length = complete
  }
  if (written === 0) body.discard()
  else {
    if (family.unit !== undefined && family.unit !== '') writeString(body.writer, FAMILY_UNIT, family.unit)
    yield* body.finish()
  }
  if (failure !== undefined) throw failure.error
}

/** Protobuf's families are named as their samples are in text. */
function nameOf(family: MetricFamily, escaping: EscapingScheme): string {
  if (family.type === 'counter') return escapeName(counterSampleName(family), escaping)
  return escapeName(family.type === 'info' ? `${family.name}_info` : family.name, escaping)
}

/** A family whose length is not known yet: at first in the page behind room for the length, then in chunks. */
class FamilyBody {
  writer: ByteWriter
  readonly #page: ByteWriter
  readonly #start: number
  #chunks: Uint8Array[] | undefined
  #chunkBytes = 0

  constructor(page: ByteWriter) {
    this.writer = page
    this.#page = page
    this.#start = page.length
  }

  /** To be called between series; true where the writer may be paused. */
  next(): boolean {
    const { writer } = this
    if (this.#chunks === undefined) {
      if (writer.length - this.#start < SMALL_BYTES) return false
      this.#chunks = []
      this.writer = new ByteWriter()
      this.writer.copy(writer.bytes.subarray(this.#start, writer.length))
      this.#page.length = this.#start
    } else if (writer.length >= CHUNK_BYTES - 4 * 1024) {
      this.#chunkBytes += writer.length
      this.#chunks.push(writer.take())
    }
    return true
  }

  /** Forgets the family. */
  discard(): void {
    this.#page.length = this.#start
  }

  /** Brings length and family into the page, pausing where the page may be full. */
  *finish(): Generator<void> {
    const page = this.#page
    if (this.#chunks === undefined) {
      insertLength(page, this.#start)
      yield
      return
    }
    writeVarint(page, this.#chunkBytes + this.writer.length)
    for (const chunk of [...this.#chunks, this.writer.take()]) {
      page.copy(chunk)
      yield
    }
  }
}

/** Puts a length before what stands behind `start`. */
function insertLength(page: ByteWriter, start: number): void {
  const count = page.length - start
  writeVarint(page, count)
  const size = page.length - start - count
  page.length = start + count
  page.bytes.copyWithin(start + size, start, start + count)
  page.length = start
  writeVarint(page, count)
  page.length += count
}

import type { MetricFamily } from '../family.ts'
import type { ExpositionFormat } from './format.ts'
import { textFormat } from './text.ts'
import { ByteWriter, CHUNK_BYTES } from './writer.ts'

/** A chunk goes out once this much of it is full: what is left takes the next series without growing. */
const FULL_BYTES = CHUNK_BYTES - 4 * 1024
/** Milliseconds that encoding may keep the event loop for itself. */
const TURN_MILLISECONDS = 2
/** The clock is read after this many series. */
const SERIES_PER_CLOCK = 64

/**
 * Encodes families in one go: for tests, files and small pages. Throws what a family's `series` throws; a series that
 * the format has no place for is left out.
 */
export function encode(families: Iterable<MetricFamily>, format: ExpositionFormat = textFormat): Uint8Array {
  const page = new ByteWriter()
  for (const family of families) {
    for (const _ of format.write(family, page));
  }
  format.end?.(page)
  return page.take()
}

/** Options of {@link encodeStream}. */
export interface EncodeStreamOptions {
  /**
   * Told of a family whose series threw: those up to there stand, the page goes on. Told of one, too, that loses series
   * because readers of the format would refuse the page for them; the other series stand.
   */
  readonly onError?: (error: unknown, family: MetricFamily) => void
  /** Gives the buffers to write to. Without it each chunk has a buffer of its own, never written to again. */
  readonly allocate?: (size: number) => Uint8Array
}

/**
 * Encodes families as chunks of about 64 KiB. Pauses for the event loop at least every few milliseconds, so a page of
 * any size stalls nobody, and holds one chunk at a time. A series is written without a pause: its lines agree.
 */
export async function* encodeStream(
  families: Iterable<MetricFamily> | AsyncIterable<MetricFamily>,
  format: ExpositionFormat,
  { onError, allocate }: EncodeStreamOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  const page = new ByteWriter(allocate)
  let turnEnd = performance.now() + TURN_MILLISECONDS
  let untilClock = SERIES_PER_CLOCK
  for await (const family of families) {
    const writing = format.write(family, page, onError && ((error) => onError(error, family)))
    for (;;) {
      const before = page.length
      try {
        if (writing.next().done === true) break
      } catch (error) {
        page.length = before
        onError?.(error, family)
        break
      }
      const full = page.length >= FULL_BYTES
      if (full) yield page.take()
      if (full || --untilClock === 0) {
        untilClock = SERIES_PER_CLOCK
        if (performance.now() >= turnEnd) {
          await nextTurn()
          turnEnd = performance.now() + TURN_MILLISECONDS
        }
      }
    }
    if (page.length >= FULL_BYTES) yield page.take()
  }
  format.end?.(page)
  if (page.length > 0) yield page.take()
}

/** Lets everything run that waits: timers, sockets, other requests. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}

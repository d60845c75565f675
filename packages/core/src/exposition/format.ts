import type { MetricFamily } from '../family.ts'
import type { EscapingScheme } from '../names.ts'
import type { Refused } from './refusal.ts'
import type { ByteWriter } from './writer.ts'

/**
 * A dialect that a page is written in. Stateless: one object serves any number of pages at once.
 */
export interface ExpositionFormat {
  /** The value of the `Content-Type` header. */
  readonly contentType: string
  /** How names are written that not every reader can spell. */
  readonly escaping: EscapingScheme
  /** The same dialect with another escaping, named in its content type. */
  withEscaping(scheme: EscapingScheme): ExpositionFormat
  /**
   * Appends a family. Pauses after each series, where what the page holds may be taken away; a series is never cut. A
   * family without series leaves nothing behind but, in OpenMetrics, its metadata. A series that readers of the format
   * would refuse is left out, and `refused` is told of the first one.
   */
  write(family: MetricFamily, page: ByteWriter, refused?: Refused): Generator<void>
  /** Appends what stands behind the last family. */
  end?(page: ByteWriter): void
}

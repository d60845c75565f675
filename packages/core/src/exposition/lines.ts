import { formatFloat } from '../float.ts'
import type { Labels } from '../labels.ts'
import { escapeName, type EscapingScheme, isLegacyLabelName, isLegacyMetricName } from '../names.ts'
import type { ByteWriter } from './writer.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const LINE_FEED = 0x0a

/**
 * Writes the beginnings of one family's lines: `name{method="GET",le="`. Knows the escaping, and remembers what it has
 * made of the family's label names and bounds, which are the same in each of its series.
 */
export class LineWriter {
  readonly #page: ByteWriter
  readonly #escaping: EscapingScheme
  readonly #labelStarts = new Map<string, string>()
  readonly #metricNames = new Map<string, string>()

  constructor(page: ByteWriter, escaping: EscapingScheme) {
    this.#page = page
    this.#escaping = escaping
  }

  /** The name as it stands in a HELP or TYPE line, quoted where it must be. */
  metadataName(name: string): string {
    const escaped = escapeName(name, this.#escaping)
    return isLegacyMetricName(escaped) ? escaped : quote(escaped)
  }

  /** Appends `name{a="b"`, the brace left open; true where there is one. */
  start(name: string, labels: Labels): boolean {
    const page = this.#page
    let start = this.#metricNames.get(name)
    if (start === undefined) {
      start = this.metadataName(name)
      if (start.startsWith('"')) start = `{${start}`
      this.#metricNames.set(name, start)
    }
    page.text(start)
    let open = start.startsWith('{')
    for (const label in labels) {
      const value = labels[label] as string
      if (value === '') continue
      page.byte(open ? 0x2c : 0x7b)
      open = true
      this.labelStart(label)
      writeEscaped(page, value)
      page.byte(QUOTE)
    }
    return open
  }

  /** Appends `label="`, escaped or quoted where the name needs it. */
  labelStart(label: string): void {
    let start = this.#labelStarts.get(label)
    if (start === undefined) {
      const escaped = escapeName(label, this.#escaping)
      start = `${isLegacyLabelName(escaped) || this.#escaping !== 'allow-utf-8' ? escaped : quote(escaped)}="`
      this.#labelStarts.set(label, start)
    }
    this.#page.text(start)
  }
}

function quote(name: string): string {
  return `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}

/** Appends a label value: `\`, `"` and line feed escaped, everything else as it is (0.0.4 and OpenMetrics alike). */
export function writeEscaped(page: ByteWriter, value: string): void {
  const { length } = value
  page.reserve(length)
  const { bytes } = page
  let at = page.length
  for (let index = 0; index < length; index++) {
    const code = value.charCodeAt(index)
    if (code === QUOTE || code === BACKSLASH || code === LINE_FEED || code >= 0x80) {
      page.length = at
      const rest = index === 0 ? value : value.slice(index)
      page.text(rest.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n'))
      return
    }
    bytes[at++] = code
  }
  page.length = at
}

/** Appends a number as Go writes it, small whole numbers without a detour over a string. */
export function writeFloat(page: ByteWriter, value: number): void {
  if (value >= 0 && value < 1e6 && value === (value | 0)) page.integer(value)
  else page.text(formatFloat(value))
}

/** Appends a count: whole numbers in plain digits, however large, as Go writes its unsigned integers. */
export function writeCount(page: ByteWriter, value: number): void {
  if (value >= 0 && value <= Number.MAX_SAFE_INTEGER && Number.isInteger(value)) page.integer(value)
  else page.text(formatFloat(value))
}

import { formatFloat } from '../float.ts'
import type { Labels } from '../labels.ts'
import { type EscapingScheme, isLegacyLabelName, isLegacyMetricName } from '../names.ts'
import { LabelNames } from './label-names.ts'
import { type ByteWriter, Literal } from './writer.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const LINE_FEED = 0x0a
const BRACE = 0x7b

/**
 * Writes the beginnings of one family's lines: `name{method="GET",le="`. Knows the escaping of labels, and remembers
 * what it has made of the family's label names, which are the same in each of its series.
 */
export class LineWriter {
  /** What a series written since this was last cleared breaks: its lines are no good. */
  rule: string | undefined = undefined
  readonly #page: ByteWriter
  readonly #names: LabelNames
  readonly #labelStarts = new Map<string, Literal>()
  readonly #ownStart: Literal
  #labelsFrom = 0
  #labelsTo = 0

  /** `own` is the label that the family's lines add themselves. */
  constructor(page: ByteWriter, escaping: EscapingScheme, own?: string) {
    this.#page = page
    this.#names = new LabelNames(escaping, own)
    this.#ownStart = new Literal(own === undefined ? '' : labelStart(this.#names.own as string))
  }

  /** Appends `name{a="b"`, the brace left open; true where there is one. `name` comes from {@link nameStart}. */
  start(name: Literal, labels: Labels): boolean {
    const page = this.#page
    page.literal(name)
    this.#labelsFrom = page.length
    const open = this.labels(labels, isOpen(name))
    this.#labelsTo = page.length
    return open
  }

  /** As {@link start} with the labels of the line before, which are copied. */
  again(name: Literal): boolean {
    this.#page.literal(name)
    this.#page.repeat(this.#labelsFrom, this.#labelsTo)
    return isOpen(name) || this.#labelsTo > this.#labelsFrom
  }

  /** Appends `,le="` or `{le="` to a beginning: the family's own label, ready for its value. */
  addOwn(open: boolean): void {
    this.#page.byte(open ? COMMA : BRACE)
    this.#page.literal(this.#ownStart)
  }

  /** Appends `{a="b"`, or `,a="b"` where a brace is open already; true where one is open then. */
  labels(labels: Labels, open: boolean): boolean {
    const page = this.#page
    for (const label in labels) {
      const value = labels[label] as string
      if (value === '') continue
      page.byte(open ? COMMA : BRACE)
      open = true
      let start = this.#labelStarts.get(label)
      if (start === undefined) {
        start = new Literal(labelStart(this.#names.write(label)))
        this.#labelStarts.set(label, start)
      }
      page.literal(start)
      writeEscaped(page, value)
      page.byte(QUOTE)
    }
    if (this.#names.suspicious) this.rule ??= this.#names.ruleFor(labels)
    return open
  }
}

function isOpen(name: Literal): boolean {
  return name.first === BRACE
}

/** How a line with this escaped name begins: `name`, or `{"na.me"` where it must be quoted. */
export function nameStart(escaped: string): Literal {
  return new Literal(isLegacyMetricName(escaped) ? escaped : `{${quote(escaped)}`)
}

/** An escaped name as it stands in HELP, TYPE and UNIT, quoted where it must be. */
export function metadataName(escaped: string): string {
  return isLegacyMetricName(escaped) ? escaped : quote(escaped)
}

function labelStart(escaped: string): string {
  return `${isLegacyLabelName(escaped) ? escaped : quote(escaped)}="`
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

/** Appends a count: whole numbers in plain digits, however large, as Go writes its unsigned integers. */
export function writeCount(page: ByteWriter, value: number): void {
  if (value >= 0 && value <= Number.MAX_SAFE_INTEGER && Number.isInteger(value)) page.integer(value)
  else page.text(formatFloat(value))
}

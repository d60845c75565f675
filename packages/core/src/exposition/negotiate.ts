import type { EscapingScheme } from '../names.ts'
import type { ExpositionFormat } from './format.ts'
import { type MediaType, parseMediaType } from './media-type.ts'
import { openMetricsDraftFormat, openMetricsFormat } from './openmetrics.ts'
import { protobufFormat } from './protobuf.ts'
import { textFormat, textFormat1 } from './text.ts'

/**
 * The format that the header `Accept` asks for, its content type naming the escaping agreed to. Follows the released
 * prometheus/common (`expfmt.NegotiateIncludingOpenMetrics`): clauses by falling `q`, the first that names a format
 * exactly wins, and an `escaping` counts from its clause on, whether or not that clause wins. Three things differ.
 * OpenMetrics without a version is 1.0.0; text 1.0.0 is answered where it is asked for; and `q=0` refuses, as RFC 9110
 * says (12.4.2). No header, a wildcard and anything unknown are text 0.0.4. Never throws.
 */
export function negotiate(
  acceptHeader: string | null | undefined,
  defaultEscaping: EscapingScheme = 'underscores',
): ExpositionFormat {
  let escaping = defaultEscaping
  for (const { type } of clausesOf(acceptHeader ?? '')) {
    escaping = escapingOf(type) ?? escaping
    const format = requestedFormat(type)
    if (format !== undefined) return format.withEscaping(escaping)
  }
  return textFormat.withEscaping(escaping)
}

/**
 * The format that a page with this `Content-Type` is in, its escaping included. Undefined for what this package does
 * not speak (prometheus/common, `Format.FormatType`).
 */
export function formatOf(contentType: string): ExpositionFormat | undefined {
  const type = parseMediaType(contentType)
  if (type === undefined) return undefined
  const charset = type.parameters.get('charset') ?? 'utf-8'
  if (charset.toLowerCase() !== 'utf-8') return undefined
  const escaping = escapingOf(type)
  const format = requestedFormat(type)
  return escaping === undefined ? format : format?.withEscaping(escaping)
}

interface Clause {
  readonly type: MediaType
  readonly q: number
}

/** The clauses that can matter, best first; equals stay in the order of the header. */
function clausesOf(header: string): Clause[] {
  const clauses: Clause[] = []
  for (const text of header.split(',')) {
    const type = parseMediaType(text)
    if (type === undefined) continue
    const q = qualityOf(type)
    if (q !== undefined && (escapingOf(type) ?? requestedFormat(type)) !== undefined) clauses.push({ type, q })
  }
  return clauses.sort((a, b) => b.q - a.q || wildcards(a.type) - wildcards(b.type))
}

/** Undefined where the clause refuses its type. What is no number comes last, as in prometheus/common. */
function qualityOf({ parameters }: MediaType): number | undefined {
  const text = parameters.get('q')
  if (text === undefined) return 1
  const q = Number(text)
  if (q === 0 && text !== '') return undefined
  return q > 0 ? Math.min(q, 1) : 0
}

function wildcards({ type }: MediaType): number {
  if (type.startsWith('*')) return 2
  return type.endsWith('/*') ? 1 : 0
}

function escapingOf({ parameters }: MediaType): EscapingScheme | undefined {
  const escaping = parameters.get('escaping')
  switch (escaping) {
    case 'underscores':
    case 'dots':
    case 'values':
    case 'allow-utf-8':
      return escaping
    default:
      return undefined
  }
}

function requestedFormat({ type, parameters }: MediaType): ExpositionFormat | undefined {
  const version = parameters.get('version') ?? ''
  switch (type) {
    case 'text/plain':
      if (version === '1.0.0') return textFormat1
      return version === '' || version === '0.0.4' ? textFormat : undefined
    case 'application/openmetrics-text':
      if (version === '0.0.1') return openMetricsDraftFormat
      return version === '' || version === '1.0.0' ? openMetricsFormat : undefined
    case 'application/vnd.google.protobuf': {
      const isFamily = parameters.get('proto') === 'io.prometheus.client.MetricFamily'
      return isFamily && parameters.get('encoding') === 'delimited' ? protobufFormat : undefined
    }
    default:
      return undefined
  }
}

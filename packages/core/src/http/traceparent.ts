import type { ExemplarLabels } from '../metrics/exemplar.ts'

/** W3C Trace Context, 3.2: version, trace id, parent id, flags. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/

/** The labels of an exemplar from a `traceparent` header, where it is valid and the trace is sampled. */
export function exemplarOf(header: string | string[] | undefined): ExemplarLabels | undefined {
  const match = typeof header === 'string' ? TRACEPARENT.exec(header) : null
  if (match === null || header?.slice(0, 2) === 'ff') return undefined
  const [, traceId, spanId, flags] = match as unknown as [string, string, string, string]
  const sampled = (Number.parseInt(flags, 16) & 1) === 1
  return sampled && /[1-9a-f]/.test(traceId) && /[1-9a-f]/.test(spanId)
    ? { trace_id: traceId, span_id: spanId }
    : undefined
}

import { MetricError } from './errors.ts'
import type { FindExemplar } from './metrics/exemplar-sampler.ts'

/** The part of `@opentelemetry/api` (1.2 and later) that exemplars need: pass the module. */
export interface SpanApi {
  readonly trace: {
    getActiveSpan(): { spanContext(): { traceId: string; spanId: string; traceFlags: number } } | undefined
  }
}

/** W3C Trace Context, "trace-flags": the span is recorded, so that an exemplar does not point to nowhere. */
const SAMPLED = 1

/**
 * A source of exemplars that names the active span as `trace_id` and `span_id` (the keys that OpenMetrics recommends), if
 * it is sampled: `defaultRegistry.exemplars = traceExemplars(await import('@opentelemetry/api'))`. Throws
 * `ERR_NARTHEX_INVALID_ARGUMENT` for what is not the API.
 */
export function traceExemplars(api: SpanApi): FindExemplar {
  if (typeof api?.trace?.getActiveSpan !== 'function') {
    throw new MetricError('ERR_NARTHEX_INVALID_ARGUMENT', {
      subject: 'traceExemplars',
      argument: 'api',
      rule: 'to be the module `@opentelemetry/api`, 1.2 or later',
      value: api,
    })
  }
  return function activeSpan() {
    const context = api.trace.getActiveSpan()?.spanContext()
    if (context === undefined || (context.traceFlags & SAMPLED) === 0) return undefined
    return { trace_id: context.traceId, span_id: context.spanId }
  }
}

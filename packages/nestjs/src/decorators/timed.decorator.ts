import type { Histogram, HistogramOptions } from '@narthex/core'
import { measured, type MeasureOptions } from './measured-method.ts'

export interface TimedOptions extends MeasureOptions {
  /** Upper bounds, in seconds. */
  readonly buckets?: readonly number[]
  /** A native histogram, beside `buckets` where both are given. */
  readonly native?: HistogramOptions<never>['native']
}

/**
 * Observes the seconds of each call, failed ones too, in a histogram: until the method returns, its Promise settles, each
 * subscription to its Observable or the reading of its async generator ends. For the methods of any class that Nest
 * instantiates: controllers, providers, message and GraphQL handlers.
 */
export function Timed({ name, help, labels, buckets, native, maxSeries }: TimedOptions = {}): MethodDecorator {
  return measured<Histogram<string>>({
    decorator: 'Timed',
    labels,
    make: (registry, { snake, readable }) =>
      registry.histogram<string>({
        name: name ?? `${snake}_duration_seconds`,
        help: help ?? (name === undefined ? `Seconds that calls of ${readable} took.` : 'Seconds that calls took.'),
        labelNames: Object.keys(labels ?? {}),
        maxSeries,
        ...(buckets !== undefined && { buckets }),
        ...(native !== undefined && { native }),
      }),
    wrap: (histogram, values, method) =>
      values === undefined ? histogram.time(method) : histogram.time(values, method),
  })
}

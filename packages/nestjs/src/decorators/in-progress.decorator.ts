import type { Gauge } from '@narthex/core'
import { measured, type MeasureOptions } from './measured-method.ts'

/**
 * Shows in a gauge how many calls are under way: those that have not returned, or whose Promise, subscription or async
 * generator has not ended.
 */
export function InProgress({ name, help, labels, maxSeries }: MeasureOptions = {}): MethodDecorator {
  return measured<Gauge<string>>({
    decorator: 'InProgress',
    labels,
    make: (registry, { snake, readable }) =>
      registry.gauge<string>({
        name: name ?? `${snake}_in_progress`,
        help: help ?? (name === undefined ? `Calls of ${readable} that are under way.` : 'Calls that are under way.'),
        labelNames: Object.keys(labels ?? {}),
        maxSeries,
      }),
    wrap: (gauge, values, method) =>
      values === undefined ? gauge.trackInProgress(method) : gauge.trackInProgress(values, method),
  })
}

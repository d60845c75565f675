import type { Counter } from '@narthex/core'
import { measured, type MeasureOptions } from './measured-method.ts'

export interface CountedOptions extends MeasureOptions {
  /**
   * Whether only calls that throw, reject or fail are counted.
   * @default false
   */
  readonly errorsOnly?: boolean
}

/**
 * Counts calls as they end, failed ones too: when the method has returned, its Promise has settled, a subscription to
 * its Observable or the reading of its async generator has ended.
 */
export function Counted({ name, help, labels, maxSeries, errorsOnly = false }: CountedOptions = {}): MethodDecorator {
  return measured<Counter<string>>({
    decorator: 'Counted',
    labels,
    make: (registry, { snake, readable }) =>
      registry.counter<string>({
        name: name ?? `${snake}_${errorsOnly ? 'errors' : 'calls'}_total`,
        help:
          help ??
          (name === undefined
            ? `Calls of ${readable} that ${errorsOnly ? 'failed' : 'ended'}.`
            : `Calls that ${errorsOnly ? 'failed' : 'ended'}.`),
        labelNames: Object.keys(labels ?? {}),
        maxSeries,
      }),
    wrap: (counter, values, method) => {
      if (errorsOnly)
        return values === undefined ? counter.countExceptions(method) : counter.countExceptions(values, method)
      return values === undefined ? counter.count(method) : counter.count(values, method)
    },
  })
}

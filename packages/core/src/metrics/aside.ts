import type { Series } from '../family.ts'

/**
 * A series with facts that only whoever merges several processes asks for. They are not enumerable: a series stays what
 * its page shows, for comparisons and copies.
 */
export function aside<S extends Series, Facts extends Partial<Record<keyof S, unknown>>>(series: S, facts: Facts): S {
  for (const name in facts) Object.defineProperty(series, name, { value: facts[name] })
  return series
}

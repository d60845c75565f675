import type { CounterChild } from '../metrics/counter.ts'
import type { HistogramChild } from '../metrics/histogram-child.ts'

/** What a request is counted in at its end. */
export interface RequestSeries {
  readonly requests: CounterChild | undefined
  readonly duration: HistogramChild
}

/** As many as a metric has series by default. */
const MOST = 10_000

/**
 * The series that were found before, by what tells requests apart where labels do not depend on more: three look-ups of
 * values as they come, in place of an array of labels and a walk through each metric.
 */
export class RequestSeriesTable {
  readonly #methods = new Map<string, Map<string, Map<number, RequestSeries>>>()
  #size = 0

  find(method: string, route: string, status: number): RequestSeries | undefined {
    return this.#methods.get(method)?.get(route)?.get(status)
  }

  /** Without effect where there are many: routes are few, unless the option `route` names too many. */
  keep(method: string, route: string, status: number, series: RequestSeries): void {
    if (this.#size >= MOST) return
    this.#size += 1
    let routes = this.#methods.get(method)
    if (routes === undefined) this.#methods.set(method, (routes = new Map()))
    const codes = routes.get(route)
    if (codes === undefined) routes.set(route, new Map([[status, series]]))
    else codes.set(status, series)
  }

  clear(): void {
    this.#methods.clear()
    this.#size = 0
  }
}

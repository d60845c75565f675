import { performance } from 'node:perf_hooks'

/** Seconds on the monotonic clock, for what is read with each request: the global of that name is an accessor, 0.04 µs more. */
export function requestSeconds(): number {
  return performance.now() / 1000
}

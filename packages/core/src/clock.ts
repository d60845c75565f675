/** Seconds since the epoch, as sample and exemplar timestamps want them. */
export function unixSeconds(): number {
  return Date.now() / 1000
}

/** Seconds on a clock that never jumps, for durations. */
export function monotonicSeconds(): number {
  return performance.now() / 1000
}

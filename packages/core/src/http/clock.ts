/** Not from the module: that makes streams of all of `process`, its `stdin` among them, to have their names. */
const { hrtime } = process

/**
 * Seconds on the monotonic clock, for what is read with each request. In a loop `performance.now()` takes as long, but
 * between two requests it looks at more that a server has out of its caches: whether `performance` is what it says, 0.2 %
 * of the samples of a Koa server (`koa` in benchmarks, under `perf`).
 */
export function requestSeconds(): number {
  const time = hrtime()
  return time[0] + time[1] / 1e9
}

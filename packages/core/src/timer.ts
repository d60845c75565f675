import { monotonicSeconds } from './clock.ts'

/**
 * A running timer. Calling it records the seconds since its start and returns them; each call records once more.
 * With `using` it records when the block ends, unless it was called before.
 */
export interface Timer<Labels> extends Disposable {
  /** Labels known only now are joined with those given at the start. */
  (labels?: Labels, exemplar?: Record<string, string>): number
}

/** Starts a timer that hands its seconds to `record`. */
export function startTimer<Labels>(
  record: (seconds: number, labels: Labels | undefined, exemplar?: Record<string, string>) => void,
): Timer<Labels> {
  const start = monotonicSeconds()
  let called = false
  const end = (labels?: Labels, exemplar?: Record<string, string>): number => {
    const seconds = monotonicSeconds() - start
    record(seconds, labels, exemplar)
    called = true
    return seconds
  }
  return Object.assign(end, {
    [Symbol.dispose](): void {
      if (!called) end()
    },
  })
}

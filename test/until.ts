import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds: far more than anything here takes, on a machine that has other work too. */
const PATIENCE = 45_000

export interface Patience {
  /**
   * Milliseconds after which it is given up.
   * @default 45_000
   */
  readonly milliseconds?: number
  /**
   * Milliseconds between two looks.
   * @default 10
   */
  readonly interval?: number
}

/** Looks again and again: true as soon as it is so, false when the patience is at its end. */
export async function eventually(isTrue: () => unknown, patience: Patience = {}): Promise<boolean> {
  const { milliseconds = PATIENCE, interval = 10 } = patience
  for (const start = performance.now(); !(await isTrue()); await sleep(interval)) {
    if (performance.now() - start > milliseconds) return false
  }
  return true
}

/** Resolves as soon as it is so. `what` says what did not come to be where that takes too long. */
export async function until(what: string, isTrue: () => unknown, patience: Patience = {}): Promise<void> {
  const start = performance.now()
  if (await eventually(isTrue, patience)) return
  throw new Error(`Not within ${((performance.now() - start) / 1000).toFixed(0)} s: ${what}`)
}

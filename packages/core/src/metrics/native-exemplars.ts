import type { Exemplar } from '../family.ts'

/** How many exemplars a native histogram keeps, and after how many seconds one makes room: client_golang's defaults. */
const MOST = 10
const SECONDS_TO_LIVE = 300

/**
 * The exemplars of one native histogram, by value, spread as widely as they come: when there are ten, an expired one
 * makes room, else one of the two that lie closest to each other on a logarithmic scale.
 */
export class NativeExemplars {
  #exemplars: readonly Exemplar[] = []

  add(exemplar: Exemplar): void {
    const joined = [...this.#exemplars]
    const found = joined.findIndex(({ value }) => exemplar.value <= value)
    const at = found < 0 ? joined.length : found
    joined.splice(at, 0, exemplar)
    if (joined.length > MOST) joined.splice(expired(joined, exemplar) ?? crowded(joined, at), 1)
    this.#exemplars = joined
  }

  /** In increasing order of value. The array is never written to again. */
  list(): readonly Exemplar[] {
    return this.#exemplars
  }
}

/** The oldest exemplar, where it is too old beside the new one. */
function expired(exemplars: readonly Exemplar[], newest: Exemplar): number | undefined {
  let oldest = 0
  for (let index = 1; index < exemplars.length; index++) {
    if (timeOf(exemplars[index]) < timeOf(exemplars[oldest])) oldest = index
  }
  return timeOf(newest) - timeOf(exemplars[oldest]) > SECONDS_TO_LIVE ? oldest : undefined
}

/** The older one of the closest pair. A pair that the new exemplar, `at`, is part of loses to one that is as close. */
function crowded(exemplars: readonly Exemplar[], at: number): number {
  let least = Infinity
  let right = 0
  for (let index = 1; index < exemplars.length; index++) {
    const gap = distance(exemplars[index - 1].value, exemplars[index].value)
    const isNew = index === at || index - 1 === at
    const wasNew = right === at || right - 1 === at
    if (gap < least || (gap === least && wasNew && !isNew) || right === 0) {
      least = gap
      right = index
    }
  }
  if (right === at) return right - 1
  if (right - 1 === at) return right
  return timeOf(exemplars[right]) < timeOf(exemplars[right - 1]) ? right : right - 1
}

/** How many factors of e lie between two values; values of different signs are as far apart as can be. */
function distance(a: number, b: number): number {
  if (a === b) return 0
  return Math.sign(a) === Math.sign(b) ? Math.abs(Math.log(Math.abs(a)) - Math.log(Math.abs(b))) : Infinity
}

function timeOf(exemplar: Exemplar): number {
  return exemplar.timestamp ?? 0
}

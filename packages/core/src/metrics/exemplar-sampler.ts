import type { ExemplarSource } from '../collector.ts'
import type { ExemplarLabels } from './exemplar.ts'

/** Finds the labels of an exemplar for an observation made now: those of the active trace, where there is one. */
export type FindExemplar = () => ExemplarLabels | undefined

/**
 * What stands between an application's source of exemplars and the metrics that use it. Time passes here in ticks, so
 * that an observation compares two references instead of reading a clock. The timer of a tick starts with the first
 * look-up in it and keeps no process alive: where nothing is observed, none runs.
 */
export class ExemplarSampler implements ExemplarSource {
  tick: object = {}
  readonly #interval: number
  readonly #find: FindExemplar
  #timer: ReturnType<typeof setTimeout> | undefined = undefined

  /** `interval` is in milliseconds. */
  constructor(find: FindExemplar, interval: number) {
    this.#find = find
    this.#interval = interval
  }

  find(): ExemplarLabels | undefined {
    this.#timer ??= this.#startTick()
    return this.#find()
  }

  /** Ends the running tick. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #startTick(): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => {
      this.#timer = undefined
      this.tick = {}
    }, this.#interval)
    // A browser's timer is a number.
    if (typeof timer === 'object') timer.unref()
    return timer
  }
}

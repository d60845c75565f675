import { monotonicSeconds } from '../clock.ts'
import { QuantileSketch } from './quantiles.ts'

/**
 * The observations of the last `maxAgeSeconds`, in `ageBuckets` sketches of their own: the oldest is dropped as time
 * goes on, so the window moves in steps of `maxAgeSeconds / ageBuckets`. No timer: the clock is read when it is used.
 */
export class SlidingWindow {
  readonly #stepSeconds: number
  readonly #length: number
  /** The newest last. */
  #sketches: QuantileSketch[] = [new QuantileSketch()]
  #newestStep: number

  constructor(maxAgeSeconds: number, ageBuckets: number) {
    this.#stepSeconds = maxAgeSeconds / ageBuckets
    this.#length = ageBuckets
    this.#newestStep = this.#step()
  }

  observe(value: number): void {
    this.#move()
    ;(this.#sketches.at(-1) as QuantileSketch).observe(value)
  }

  /** The sketches that are still young enough. */
  sketches(): readonly QuantileSketch[] {
    this.#move()
    return this.#sketches
  }

  #move(): void {
    const step = this.#step()
    const steps = Math.min(step - this.#newestStep, this.#length)
    for (let moved = 0; moved < steps; moved++) {
      this.#sketches.push(new QuantileSketch())
      if (this.#sketches.length > this.#length) this.#sketches.shift()
    }
    if (steps > 0) this.#newestStep = step
  }

  #step(): number {
    return Math.floor(monotonicSeconds() / this.#stepSeconds)
  }
}

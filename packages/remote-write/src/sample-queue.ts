/** One sample on its way. */
export interface QueuedSample {
  /** The labels of its series, encoded: the same bytes for all its samples. */
  readonly labels: Uint8Array
  /** A number, a native histogram as it was encoded, or undefined for the marker that ends a series. */
  readonly value: number | Uint8Array | undefined
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Exemplars that came with it, each encoded. */
  readonly exemplars?: readonly Uint8Array[]
}

/**
 * Samples that wait, in the order in which they were taken. Once it is full the oldest make room for the newest; those
 * that are on the wire at that moment stay, so that each sample is either delivered or dropped, never counted as both.
 */
export class SampleQueue {
  readonly #capacity: number
  /** The oldest, which were on the wire already or are now. */
  #batch: QueuedSample[] = []
  #held = false
  #waiting: QueuedSample[] = []
  /** Where the oldest of those that wait stands: the places before it are free, and are given up together. */
  #head = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** How many there are, those on the wire included. */
  get length(): number {
    return this.#batch.length + this.#waiting.length - this.#head
  }

  /** Appends a sample; returns how many had to go for it, 0 or 1. */
  add(sample: QueuedSample): number {
    this.#waiting.push(sample)
    if (this.length <= this.#capacity) return 0
    if (this.#held || this.#batch.length === 0) this.#forget(1)
    else this.#batch.shift()
    return 1
  }

  /** The oldest samples, at most `count`, which stay until they are {@link remove}d or {@link release}d. */
  hold(count: number): readonly QueuedSample[] {
    if (this.#batch.length === 0) {
      this.#batch = this.#waiting.slice(this.#head, this.#head + count)
      this.#forget(this.#batch.length)
    }
    this.#held = true
    return this.#batch
  }

  /** Lets go of what is held: it stays in the queue, and may be dropped. */
  release(): void {
    this.#held = false
  }

  /** Removes what is held; returns how many that were. */
  remove(): number {
    const { length } = this.#batch
    this.#batch = []
    this.#held = false
    return length
  }

  /** Removes everything; returns how many that were. */
  clear(): number {
    const { length } = this
    this.#batch = []
    this.#held = false
    this.#waiting = []
    this.#head = 0
    return length
  }

  #forget(count: number): void {
    this.#head += count
    // Half of it at once: what this costs is shared by as many samples as have gone.
    if (this.#head < 1_024 || this.#head * 2 < this.#waiting.length) return
    this.#waiting = this.#waiting.slice(this.#head)
    this.#head = 0
  }
}

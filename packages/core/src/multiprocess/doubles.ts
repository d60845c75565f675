/** Doubles one after the other, as they are written into a snapshot. Grows as it is filled. */
export class DoubleWriter {
  #doubles = new Float64Array(1024)
  length = 0

  push(value: number): void {
    this.reserve(1)[this.length++] = value
  }

  /** Where the next numbers go, from `length` on, with room for so many: whoever writes there moves `length`. */
  reserve(count: number): Float64Array {
    if (this.length + count > this.#doubles.length) {
      const larger = new Float64Array((this.length + count) * 2)
      larger.set(this.#doubles)
      this.#doubles = larger
    }
    return this.#doubles
  }

  /** A list behind its length. */
  pushList(values: readonly number[]): void {
    this.push(values.length)
    for (const value of values) this.push(value)
  }

  /** Takes back what was written last. */
  cut(length: number): void {
    this.length = length
  }

  /** What has been written, until something else is. */
  written(): Float64Array {
    return this.#doubles.subarray(0, this.length)
  }
}

/** Doubles one after the other, as they are read from a snapshot. */
export class DoubleReader {
  readonly doubles: Float64Array
  /** Where the next number is, and where the last one has been. */
  at: number
  readonly end: number

  constructor(doubles: Float64Array, from: number = 0, to: number = doubles.length) {
    this.doubles = doubles
    this.at = from
    this.end = to
  }

  next(): number {
    if (this.at >= this.end) throw new RangeError('a row ends too early')
    return this.doubles[this.at++] as number
  }

  /** A length, small enough for what is left. */
  nextLength(): number {
    const length = this.next()
    if (!Number.isInteger(length) || length < 0 || length > this.end - this.at) {
      throw new RangeError(`${length} is no length`)
    }
    return length
  }

  nextList(): number[] {
    const values: number[] = []
    for (let left = this.nextLength(); left > 0; left--) values.push(this.next())
    return values
  }

  get isAtEnd(): boolean {
    return this.at === this.end
  }
}

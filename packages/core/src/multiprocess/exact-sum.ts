/**
 * A sum that is rounded once, when it is read: in whatever order and grouping numbers were added, it is the same double.
 * Plain addition is not, and a counter that differs in its last bit between two scrapes looks like a reset to Prometheus.
 * Whole numbers take the short way; fractions are kept as a sum of doubles whose bits do not overlap (Shewchuk, "Adaptive
 * Precision Floating-Point Arithmetic", 1997).
 */
export class ExactSum {
  /** The sum, as long as it is exact; else `#parts` has it. */
  #value = 0
  /** In increasing magnitude, none zero; together the sum of all that is finite. */
  #parts: number[] | undefined = undefined
  /** What was not finite, added up as IEEE 754 has it. */
  #special = 0

  add(value: number): void {
    if (this.#parts === undefined) {
      const sum = this.#value + value
      if (Number.isSafeInteger(sum) && Number.isSafeInteger(value)) {
        this.#value = sum
        return
      }
    }
    if (!Number.isFinite(value)) this.#special += value
    else this.#addPart(value)
  }

  get value(): number {
    if (this.#special !== 0) return this.#special
    return this.#parts === undefined ? this.#value : roundedParts(this.#parts, 0, this.#parts.length)
  }

  /** Numbers whose exact sum this is, one at least: added to another sum they bring it all. */
  addends(): readonly number[] {
    if (this.#special !== 0) return [this.#special]
    return this.#parts === undefined || this.#parts.length === 0 ? [this.#value] : this.#parts
  }

  #addPart(value: number): void {
    this.#parts ??= this.#value === 0 ? [] : [this.#value]
    this.#value = 0
    const parts = this.#parts
    const count = addToParts(parts, parts.length, value)
    if (count >= 0) parts.length = count
    // Beyond the largest double: no page can show it.
    else this.#special += Infinity * Math.sign(value)
  }
}

/**
 * Adds a finite number to the first `count` of parts that do not overlap, in increasing magnitude, with room for one
 * more. Gives how many there are then, none of them zero; -1 where the sum is beyond all doubles.
 */
export function addToParts(parts: number[] | Float64Array, count: number, value: number): number {
  let kept = 0
  let sum = value
  for (let index = 0; index < count; index++) {
    const part = parts[index] as number
    const swap = Math.abs(sum) < Math.abs(part)
    const larger = swap ? part : sum
    const smaller = swap ? sum : part
    const total = larger + smaller
    const lost = smaller - (total - larger)
    if (lost !== 0) parts[kept++] = lost
    sum = total
  }
  if (!Number.isFinite(sum)) return -1
  if (sum !== 0) parts[kept++] = sum
  return kept
}

/** The double next to the exact sum of the `count` parts from `first` on, ties to even, as one rounding would give it. */
export function roundedParts(parts: ArrayLike<number>, first: number, count: number): number {
  let index = first + count - 1
  if (index < first) return 0
  let high = parts[index] as number
  let low = 0
  while (index > first && low === 0) {
    const before = high
    const part = parts[--index] as number
    high = before + part
    low = part - (high - before)
  }
  // Half way between two doubles the parts that are left decide.
  const next = index > first ? (parts[index - 1] as number) : 0
  if ((low < 0 && next < 0) || (low > 0 && next > 0)) {
    const doubled = low * 2
    const other = high + doubled
    if (doubled === other - high) high = other
  }
  return high
}

/** Values kept as they are before a sketch starts to round: small samples give exact quantiles. */
const EXACT_VALUES = 256
/** Relative error of a quantile past that. */
const ACCURACY = 0.005
const GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
const LOG_GAMMA = Math.log(GAMMA)

/**
 * A digest of non-negative values, from which any quantile can be read: exact up to 256 values, within 0.5% of an
 * observed value past that. Digests merge without loss: reading several together is reading their union. Memory follows
 * the spread of the values, not their number (Masson, Rim, Lee: "DDSketch", VLDB 2019).
 */
export class QuantileSketch {
  #values: number[] = []
  /** From the index i of (GAMMA ** (i - 1), GAMMA ** i] to the count, once values are no longer kept. */
  #counts: Map<number, number> | undefined = undefined
  #zeros = 0
  #infinities = 0

  observe(value: number): void {
    if (this.#counts === undefined && this.#values.length < EXACT_VALUES) this.#values.push(value)
    else this.#round(value)
  }

  /** Every observed value, rounded where it had to be, with its count; in no order. */
  *entries(): Generator<[value: number, count: number]> {
    for (const value of this.#values) yield [value, 1]
    if (this.#zeros > 0) yield [0, this.#zeros]
    if (this.#infinities > 0) yield [Infinity, this.#infinities]
    for (const [index, count] of this.#counts ?? []) yield [valueOf(index), count]
  }

  #round(value: number): void {
    if (this.#counts === undefined) {
      this.#counts = new Map()
      const values = this.#values
      this.#values = []
      for (const kept of values) this.#round(kept)
    }
    if (value === 0) this.#zeros += 1
    else if (value === Infinity) this.#infinities += 1
    else {
      const index = Math.ceil(Math.log(value) / LOG_GAMMA)
      this.#counts.set(index, (this.#counts.get(index) ?? 0) + 1)
    }
  }
}

/**
 * The values at `quantiles` (increasing, 0 to 1) of everything that the sketches saw: the smallest value that at least
 * that share of all values does not exceed. NaN where nothing was seen.
 */
export function quantilesOf(sketches: Iterable<QuantileSketch>, quantiles: readonly number[]): number[] {
  return quantilesOfEntries(entriesOf(sketches), quantiles)
}

/** Every value that the sketches saw with its count, in no order: what their union is. */
export function* entriesOf(sketches: Iterable<QuantileSketch>): Generator<[value: number, count: number]> {
  for (const sketch of sketches) yield* sketch.entries()
}

/** {@link quantilesOf} of a digest that is no sketch any more. */
export function quantilesOfEntries(
  digest: Iterable<readonly [value: number, count: number]>,
  quantiles: readonly number[],
): number[] {
  const entries: (readonly [value: number, count: number])[] = []
  let total = 0
  for (const entry of digest) {
    entries.push(entry)
    total += entry[1]
  }
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  let at = 0
  let seen = entries[0]?.[1] ?? 0
  return quantiles.map((quantile) => {
    const rank = rankOf(quantile, total)
    while (seen < rank && at < entries.length - 1) seen += (entries[++at] as readonly [number, number])[1]
    return entries[at]?.[0] ?? Number.NaN
  })
}

/** The value that is equally far, relatively, from both ends of (GAMMA ** (index - 1), GAMMA ** index]. */
function valueOf(index: number): number {
  // The upper end of the last interval is beyond the largest double.
  return Math.min(GAMMA ** (index - 1) * (1 + ACCURACY), Number.MAX_VALUE)
}

/** The first rank, from 1 on, whose share of `total` is at least `quantile`. */
function rankOf(quantile: number, total: number): number {
  const rank = Math.max(1, Math.ceil(quantile * total))
  // The product may be a hair above a whole number: 0.07 * 100 is 7.000000000000001.
  return rank > 1 && (rank - 1) / total >= quantile ? rank - 1 : rank
}

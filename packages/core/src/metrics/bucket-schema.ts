/** The finest and the coarsest resolution that Prometheus knows (prometheus/docs, "Native Histograms", standard schemas). */
const FINEST = 8
const COARSEST = -4

/**
 * How many more bits of a fraction choose a slice than buckets have. With one, no slice holds two bounds. With four, one
 * slice in sixteen holds any, and the processor guesses right where a value lies (`observe` in benchmarks).
 */
const SPARE_BITS = 4

/** Where a double is taken apart; shared, as nothing of it outlives a call. */
const DOUBLE = new Float64Array(1)
const WORDS = new Int32Array(DOUBLE.buffer)
/** Where the sign and the exponent are: the second word, but on a big-endian machine. */
const HIGH = new Uint8Array(new Uint16Array([1]).buffer)[0]
const LOW = 1 - HIGH

const SCHEMAS = new Map<number, BucketSchema>()

/** The schema whose buckets grow by at most `factor`, a number > 1: the coarsest such within -4 to 8. */
export function schemaForFactor(factor: number): number {
  return Math.min(FINEST, Math.max(COARSEST, 0 - Math.floor(Math.log2(Math.log2(factor)))))
}

/**
 * Where one resolution of native histograms has its bounds: `2 ** schema` buckets for each power of two, the upper bound
 * of bucket `key` being `2 ** (key / 2 ** schema)`, included (prometheus/docs, "Native Histograms", "Schema").
 *
 * Keys are exact at every bound. A double is taken apart into exponent and fraction; the fraction's first bits choose a
 * slice of a table, and no slice is wide enough to hold two bounds, so that one comparison finds the bucket.
 */
export class BucketSchema {
  readonly schema: number
  /** The upper bounds within [0.5, 1), as doubles. A schema below 0 has the one of schema 0. */
  readonly #fractions: readonly number[]
  /** The same as the 52 bits of their fractions, and Infinity after the last. */
  readonly #bounds: Float64Array
  /** For each slice of fractions twice the first bound that is not below it, and 1 more where that bound is within. */
  readonly #slices: Uint16Array
  readonly #sliceShift: number
  /** How many powers of two, as a power of two, a bucket of a schema below 0 spans. */
  readonly #merged: number
  readonly #fine: number
  readonly #scale: number
  /** Bucket of the greatest double; the next one is that of Infinity. */
  readonly #lastKey: number

  private constructor(schema: number) {
    const fine = Math.max(schema, 0)
    this.schema = schema
    this.#fractions = fractionBounds(fine)
    const bounds = this.#fractions.map((bound) => (2 * bound - 1) * 2 ** 52)
    this.#bounds = Float64Array.of(...bounds, Infinity)
    const slices = 2 ** (fine + SPARE_BITS)
    let index = 0
    this.#slices = Uint16Array.from({ length: slices }, (_, slice) => {
      const least = (slice / slices) * 2 ** 52
      while (this.#bounds[index] < least) index += 1
      return 2 * index + (this.#bounds[index] < least + 2 ** 52 / slices ? 1 : 0)
    })
    this.#sliceShift = 20 - (fine + SPARE_BITS)
    this.#merged = Math.max(-schema, 0)
    this.#fine = fine
    this.#scale = 2 ** fine
    this.#lastKey = (1024 * this.#scale) >> this.#merged
  }

  /** The schema from -4 to 8; made once. */
  static of(schema: number): BucketSchema {
    let found = SCHEMAS.get(schema)
    if (found === undefined) {
      found = new BucketSchema(schema)
      SCHEMAS.set(schema, found)
    }
    return found
  }

  /** The next coarser schema, with half the buckets; `undefined` after the coarsest. */
  get coarser(): BucketSchema | undefined {
    return this.schema > COARSEST ? BucketSchema.of(this.schema - 1) : undefined
  }

  /** The bucket of a number > 0, Infinity included. A few nanoseconds; allocates nothing. */
  keyOf(magnitude: number): number {
    DOUBLE[0] = magnitude
    const high = WORDS[HIGH]
    const exponent = (high >> 20) - 1023
    if (exponent === 1024 || exponent === -1023) return this.#keyOfExtreme(magnitude)
    const fraction = high & 0xfffff
    const slice = this.#slices[fraction >> this.#sliceShift]
    // Kept in 32-bit integers: each step is waited for by the look at the bucket's count (`observe` in benchmarks).
    let key = ((exponent << this.#fine) + (slice >> 1)) | 0
    if ((slice & 1) === 1 && fraction * 0x100000000 + (WORDS[LOW] >>> 0) > this.#bounds[slice >> 1]) key = (key + 1) | 0
    return this.#merged === 0 ? key : this.#merge(key)
  }

  /** The greatest number in bucket `key`: Infinity for the one after that of the greatest double. */
  upperBound(key: number): number {
    if (key === this.#lastKey) return Number.MAX_VALUE
    const fine = key * 2 ** this.#merged
    const index = fine & (this.#scale - 1)
    return scaled(this.#fractions[index], Math.floor(fine / this.#scale) + 1)
  }

  /** Infinity counts in the bucket after that of the greatest double; a subnormal is made normal first. */
  #keyOfExtreme(magnitude: number): number {
    if (magnitude === Infinity) return this.#lastKey + 1
    const { schema } = this
    const key = BucketSchema.of(Math.max(schema, 0)).keyOf(magnitude * 2 ** 54) - 54 * this.#scale
    return this.#merge(key)
  }

  /** Rounds up, as upper bounds belong to their buckets. */
  #merge(key: number): number {
    return (key + (1 << this.#merged) - 1) >> this.#merged
  }
}

/**
 * The bounds of a schema >= 0 within [0.5, 1), to the bit as the Prometheus server and client_golang have them: each
 * schema keeps the bounds of the one before and puts between them their products with its growth factor. Their square
 * root of two is the double below the true one.
 */
function fractionBounds(schema: number): number[] {
  let bounds = [0.5]
  let factor = 2
  for (let level = 1; level <= schema; level++) {
    factor = level === 1 ? Math.SQRT2 - Number.EPSILON : Math.sqrt(factor)
    const between = factor
    bounds = bounds.flatMap((bound) => [bound, bound * between])
  }
  return bounds
}

/** `fraction * 2 ** exponent`, rounded once, also where `2 ** exponent` alone is no double. */
function scaled(fraction: number, exponent: number): number {
  if (exponent > 1000) return fraction * 2 ** 1000 * 2 ** (exponent - 1000)
  if (exponent < -1000) return fraction * 2 ** -1000 * 2 ** (exponent + 1000)
  return fraction * 2 ** exponent
}

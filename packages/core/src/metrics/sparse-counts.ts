/** Marks a slot without a bucket: a fraction, so that the engine keeps all cells as raw doubles, and no key. */
const EMPTY = 0.5
/** The cells of a table at first. */
const NO_CELLS: readonly number[] = [EMPTY, 0, EMPTY, 0, EMPTY, 0, EMPTY, 0]

/**
 * Counts by integer key, of which few of many are in use: an open hash table of (key, count) pairs in one array. A key
 * starts its search at its own last bits, so neighbouring keys, which histograms have, take neighbouring slots and never
 * meet. At rest it is 16 bytes a slot, at most three quarters of them full; an increment is a look at one slot.
 */
export class SparseCounts {
  #cells: number[] = NO_CELLS.slice()
  #size = 0

  /** How many keys there are. */
  get size(): number {
    return this.#size
  }

  /** Adds `count`; true where the key is new. */
  add(key: number, count: number): boolean {
    const cells = this.#cells
    const mask = cells.length - 2
    let at = (key << 1) & mask
    while (cells[at] !== key) {
      if (cells[at] === EMPTY) return this.#insert(at, key, count)
      at = (at + 2) & mask
    }
    cells[at + 1] += count
    return false
  }

  /** Removes a key and returns its count; 0 where there is none. */
  take(key: number): number {
    const entries = this.entries()
    const index = entries.findIndex(([found]) => found === key)
    if (index < 0) return 0
    const [[, count]] = entries.splice(index, 1)
    this.#refill(entries)
    return count
  }

  /** Gives each key another one; keys that become the same add up. */
  rekey(keyOf: (key: number) => number): void {
    this.#refill(this.entries().map(([key, count]) => [keyOf(key), count]))
  }

  /** All keys and counts, by key. */
  entries(): [key: number, count: number][] {
    const entries: [number, number][] = []
    const cells = this.#cells
    for (let at = 0; at < cells.length; at += 2) if (cells[at] !== EMPTY) entries.push([cells[at], cells[at + 1]])
    return entries.sort(([a], [b]) => a - b)
  }

  #insert(at: number, key: number, count: number): true {
    this.#cells[at] = key
    this.#cells[at + 1] = count
    this.#size += 1
    const slots = this.#cells.length / 2
    if (this.#size * 4 > slots * 3) this.#refill(this.entries(), [...this.#cells, ...this.#cells])
    return true
  }

  /** Puts `entries` into a table as long as `cells`. */
  #refill(entries: readonly (readonly [key: number, count: number])[], cells: readonly number[] = NO_CELLS): void {
    this.#cells = cells.map(() => EMPTY)
    this.#size = 0
    for (const [key, count] of entries) this.add(key, count)
  }
}

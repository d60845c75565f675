import type { MetricFamily, Series } from '../family.ts'
import type { Labels } from '../labels.ts'
import { DoubleWriter } from './doubles.ts'
import type { Layout, LayoutTable, RowText } from './row.ts'
import { rowKindOf } from './row-kind.ts'
import { type FamilyHead, packSnapshot, type SnapshotHead } from './snapshot.ts'

/** Rows of a block: few enough that one is read well within a turn. */
const BLOCK_ROWS = 256

/** What is told of a family beside its rows. */
export type FamilyFacts = Omit<FamilyHead, 'layouts' | 'blocks'>

/** Writes families as a snapshot, row by row. */
export class SnapshotWriter {
  readonly #doubles: DoubleWriter
  readonly #parts: Uint8Array[] = []
  readonly #families: FamilyHead[] = []
  #layouts = new Layouts()
  #blocks: [number, number, number, number][] = []
  #keys: string[] = []
  #texts: [row: number, text: RowText][] = []
  #blockStart = 0

  /** `doubles` is where to put numbers together: one that was used before has room already. */
  constructor(doubles: DoubleWriter = new DoubleWriter()) {
    doubles.cut(0)
    this.#doubles = doubles
  }

  /** A row is written to `row.out` and `row.layouts`, then told of with `endRow`. */
  get row(): { readonly out: DoubleWriter; readonly layouts: LayoutTable } {
    return { out: this.#doubles, layouts: this.#layouts }
  }

  endRow(key: string, text: RowText | undefined): void {
    if (text !== undefined) this.#texts.push([this.#keys.length, text])
    this.#keys.push(key)
    if (this.#keys.length === BLOCK_ROWS) this.#endBlock(Buffer.from(this.#keys.join('\n')))
  }

  /** Ends a family of rows. */
  endFamily(facts: FamilyFacts): void {
    if (this.#keys.length > 0) this.#endBlock(Buffer.from(this.#keys.join('\n')))
    this.#endFamily(facts)
  }

  /** Writes a whole family, pausing after each block. Its keys are made anew only where they are not in `cache`. */
  *writeFamily(family: MetricFamily, facts: FamilyFacts, cache: KeyCache): Generator<void> {
    const kind = rowKindOf(family)
    const { out, layouts } = this.row
    const labelled: Labels[] = []
    const blocks = cache.blocksOf(family.name)
    const end = (): void => {
      this.#endBlock(blocks.keysOf(this.#blocks.length, labelled), labelled.length)
      labelled.length = 0
    }
    for (const series of family.series as Iterable<Series>) {
      const text = kind.write(series, out, layouts)
      if (text !== undefined) this.#texts.push([labelled.length, text])
      labelled.push((series as { identity?: Labels }).identity ?? series.labels)
      if (labelled.length < BLOCK_ROWS) continue
      end()
      yield
    }
    if (labelled.length > 0) end()
    blocks.cut(this.#blocks.length)
    this.#endFamily(facts)
  }

  /** Forgets what was written of a family that failed. */
  dropFamily(): void {
    for (const [, , , doubles] of this.#blocks) this.#blockStart -= doubles
    this.#doubles.cut(this.#blockStart)
    this.#parts.length -= this.#blocks.length * 2
    this.#reset()
  }

  /** The snapshot. The writer is not to be used again. */
  end(head: Omit<SnapshotHead, 'families'>): Uint8Array {
    return packSnapshot({ ...head, families: this.#families }, this.#parts, this.#doubles.written())
  }

  #endBlock(keys: Uint8Array, rows: number = this.#keys.length): void {
    const texts = this.#texts.length === 0 ? NOTHING : Buffer.from(JSON.stringify(this.#texts))
    this.#parts.push(keys, texts)
    this.#blocks.push([rows, keys.length, texts.length, this.#doubles.length - this.#blockStart])
    this.#blockStart = this.#doubles.length
    this.#keys = []
    this.#texts = []
  }

  #endFamily(facts: FamilyFacts): void {
    this.#families.push({ ...facts, layouts: this.#layouts.all, blocks: this.#blocks })
    this.#reset()
  }

  #reset(): void {
    this.#layouts = new Layouts()
    this.#blocks = []
    this.#keys = []
    this.#texts = []
  }
}

const NOTHING = new Uint8Array()

/** The layouts of a family, each once. */
class Layouts implements LayoutTable {
  readonly all: Layout[] = []
  readonly #indices = new Map<string, number>()
  #last: readonly number[] = []
  #lastIndex = -1

  indexOf(layout: Layout): number {
    const key = JSON.stringify(layout)
    let index = this.#indices.get(key)
    if (index === undefined) {
      index = this.all.push(layout) - 1
      this.#indices.set(key, index)
    }
    return index
  }

  indexOfBounds(buckets: readonly { readonly le: number }[]): number {
    const last = this.#last
    const length = buckets.length - 1
    let index = this.#lastIndex >= 0 && last.length === length ? 0 : -1
    while (index >= 0 && index < length) index = last[index] === buckets[index]?.le ? index + 1 : -1
    if (index < 0) {
      this.#last = buckets.slice(0, length).map(({ le }) => le)
      this.#lastIndex = this.indexOf(this.#last.map(String))
    }
    return this.#lastIndex
  }
}

/**
 * The keys of the series as they were written last. A thread has the same series from one snapshot to the next, and
 * writing their labels would be most of the work (`multiprocess` in benchmarks).
 */
export class KeyCache {
  readonly #families = new Map<string, BlockKeys>()

  /** @internal */
  blocksOf(family: string): BlockKeys {
    let blocks = this.#families.get(family)
    if (blocks === undefined) {
      blocks = new BlockKeys()
      this.#families.set(family, blocks)
    }
    return blocks
  }
}

/** The keys of one family, block by block. */
class BlockKeys {
  #blocks: { readonly labels: readonly Labels[]; readonly keys: Uint8Array }[] = []

  /** The keys of the block at `index`: as they were, where its series have the very same label objects. */
  keysOf(index: number, labels: readonly Labels[]): Uint8Array {
    const known = this.#blocks[index]
    if (known?.labels.length === labels.length && known.labels.every((label, row) => label === labels[row])) {
      return known.keys
    }
    const keys = Buffer.from(labels.map(keyOf).join('\n'))
    this.#blocks[index] = { labels: [...labels], keys }
    return keys
  }

  /** Forgets blocks that are no more. */
  cut(length: number): void {
    this.#blocks.length = Math.min(length, this.#blocks.length)
  }
}

/** Labels as JSON, by name: the same for the same set, whatever order it was declared in. */
export function keyOf(labels: Labels): string {
  const names = Object.keys(labels)
  if (names.length === 0) return '{}'
  if (names.length > 1) names.sort()
  let key = ''
  for (const name of names) {
    if (labels[name] === '') continue
    key += `${key === '' ? '{' : ','}${JSON.stringify(name)}:${JSON.stringify(labels[name])}`
  }
  return key === '' ? '{}' : `${key}}`
}

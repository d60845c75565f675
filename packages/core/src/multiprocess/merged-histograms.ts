import type { Bucket, Series } from '../family.ts'
import type { Labels } from '../labels.ts'
import { DoubleReader, DoubleWriter } from './doubles.ts'
import { addToParts, roundedParts } from './exact-sum.ts'
import { MergedHistogram, NONE } from './merged-histogram.ts'
import type { Layout, LayoutTable, MergedRows, RowSource, RowText } from './row.ts'
import { createdOf, earlier } from './value-row.ts'

/** Parts of a sum that a row has room for: three are as many as a sum over some dozens of processes comes to. */
const MOST_PARTS = 4
/** Where a row has what. The counts of the buckets follow. */
const CREATED = 0
const COUNT = 1
const IS_LIVE = 2
const PARTS = 3
const PART = 4
const COUNTS = PART + MOST_PARTS

/**
 * The histograms of a family. Those with the same classic buckets and nothing else, nearly all, are rows of numbers in one
 * array: as objects they would keep the collector busy for longer than a turn (`multiprocess-stall` in benchmarks). The
 * others are objects.
 */
export class MergedHistograms implements MergedRows {
  readonly #objects = new Map<number, MergedHistogram>()
  #layout: Layout | undefined = undefined
  #width = 0
  #rows = new Float64Array(0)
  #size = 0
  readonly #parts = new Float64Array(MOST_PARTS + 1)

  add(index: number, row: DoubleReader, text: RowText | undefined, source: RowSource): void {
    const object = this.#objects.get(index)
    if (object !== undefined) object.add(row, text, source)
    else if (text !== undefined || !this.#addPlain(index, row, source)) this.#toObject(index).add(row, text, source)
  }

  write(index: number, out: DoubleWriter, layouts: LayoutTable): RowText | undefined {
    const object = this.#objects.get(index)
    if (object !== undefined) return object.write(out, layouts)
    const [rows, at] = [this.#rows, index * this.#width]
    out.push(rows[at + CREATED] as number)
    out.push(rows[at + COUNT] as number)
    out.push(rows[at + PARTS] as number)
    for (let part = 0; part < (rows[at + PARTS] as number); part++) out.push(rows[at + PART + part] as number)
    out.push(layouts.indexOf(this.#layout as Layout))
    for (let cell = COUNTS; cell < this.#width; cell++) out.push(rows[at + cell] as number)
    out.push(NONE)
    return undefined
  }

  toSeries(index: number, labels: Labels): Series | undefined {
    const object = this.#objects.get(index)
    if (object !== undefined) return object.toSeries(labels)
    const [rows, at, layout] = [this.#rows, index * this.#width, this.#layout as Layout]
    const buckets: Bucket[] = []
    let count = 0
    for (let bucket = 0; bucket <= layout.length; bucket++) {
      count += rows[at + COUNTS + bucket] as number
      buckets.push({ le: bucket === layout.length ? Infinity : Number(layout[bucket]), count })
    }
    return {
      labels,
      count: rows[at + COUNT] as number,
      sum: roundedParts(rows, at + PART, rows[at + PARTS] as number),
      buckets,
      ...createdOf(rows[at + CREATED] as number),
    }
  }

  /** False, and nothing changed, for a row that is not like the others. */
  #addPlain(index: number, row: DoubleReader, { layouts, isLive }: RowSource): boolean {
    const [doubles, from] = [row.doubles, row.at]
    const sums = doubles[from + 2] as number
    const layoutAt = from + 3 + sums
    const layout = layouts[doubles[layoutAt] as number]
    if (this.#layout === undefined && layout !== undefined) {
      this.#layout = layout
      this.#width = COUNTS + layout.length + 1
    }
    const nativeAt = layoutAt + this.#width - COUNTS + 1
    if (layout === undefined || layout !== this.#layout || nativeAt >= row.end || doubles[nativeAt] !== NONE)
      return false
    const at = this.#rowAt(index)
    const [rows, parts] = [this.#rows, this.#parts]
    let count = rows[at + PARTS] as number
    for (let part = 0; part < count; part++) parts[part] = rows[at + PART + part] as number
    for (let sum = 0; sum < sums; sum++) {
      count = addToParts(parts, count, doubles[from + 3 + sum] as number)
      if (count < 0 || count > MOST_PARTS) return false
    }
    rows[at + PARTS] = count
    for (let part = 0; part < count; part++) rows[at + PART + part] = parts[part] as number
    rows[at + CREATED] = earlier(rows[at + CREATED] as number, doubles[from] as number)
    rows[at + COUNT] = (rows[at + COUNT] as number) + (doubles[from + 1] as number)
    if (isLive) rows[at + IS_LIVE] = 1
    for (let bucket = 0; bucket <= layout.length; bucket++) {
      const cell = at + COUNTS + bucket
      rows[cell] = (rows[cell] as number) + (doubles[layoutAt + 1 + bucket] as number)
    }
    row.at = nativeAt + 1
    return true
  }

  /** Where a row begins; one that is new has seen nothing. */
  #rowAt(index: number): number {
    const at = index * this.#width
    if (at + this.#width > this.#rows.length) {
      const larger = new Float64Array(Math.max(at + this.#width, this.#rows.length * 2))
      larger.set(this.#rows)
      this.#rows = larger
    }
    for (; this.#size <= index; this.#size++) this.#rows[this.#size * this.#width + CREATED] = Number.NaN
    return at
  }

  /** The histogram as an object, with what it has seen. */
  #toObject(index: number): MergedHistogram {
    const object = new MergedHistogram()
    if (index < this.#size) {
      const out = new DoubleWriter()
      this.write(index, out, { indexOf: () => 0, indexOfBounds: () => 0 })
      const isLive = this.#rows[index * this.#width + IS_LIVE] === 1
      object.add(new DoubleReader(out.written()), undefined, { layouts: [this.#layout as Layout], at: 0, isLive })
    }
    this.#objects.set(index, object)
    return object
  }
}

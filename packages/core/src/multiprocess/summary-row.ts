import type { Series, SummarySeries } from '../family.ts'
import type { Labels } from '../labels.ts'
import { quantilesOfEntries } from '../metrics/quantiles.ts'
import type { DoubleReader, DoubleWriter } from './doubles.ts'
import { ExactSum } from './exact-sum.ts'
import {
  type LayoutTable,
  MergedObjects,
  type MergedSeries,
  type RowKind,
  type RowSource,
  type RowText,
} from './row.ts'
import { addList, createdOf, earlier } from './value-row.ts'

/** Where a row has no quantiles. */
const NONE = -1

/**
 * A summary's row: created, count, the numbers whose sum is the sum; the layout of its quantiles and what they are read
 * from, as pairs of value and count.
 */
export const summaryRow: RowKind<SummarySeries> = {
  write(series, out, layouts) {
    const { created, count = 0, sum = 0, digest } = series
    out.push(created ?? Number.NaN)
    out.push(count)
    out.push(1)
    out.push(sum)
    if (digest === undefined) {
      out.push(NONE)
      return undefined
    }
    const { quantiles } = series
    out.push(layouts.indexOf(quantiles.map(({ quantile }) => String(quantile))))
    writeDigest(addUp(new Map(), digest), out)
    return undefined
  },
  merge: () => new MergedObjects(() => new MergedSummary()),
}

/** Quantiles are read from what all threads that run have seen: they tell of the present, and are never added up. */
class MergedSummary implements MergedSeries {
  #created = Number.NaN
  #count = 0
  readonly #sum = new ExactSum()
  readonly #quantiles = new Set<string>()
  readonly #digest = new Map<number, number>()

  add(row: DoubleReader, _text: RowText | undefined, { layouts, isLive }: RowSource): void {
    this.#created = earlier(this.#created, row.next())
    this.#count += row.next()
    addList(this.#sum, row)
    const index = row.next()
    if (index === NONE) return
    const digest: [number, number][] = []
    for (let left = row.nextLength(); left > 0; left--) digest.push([row.next(), row.next()])
    if (!isLive) return
    for (const quantile of layouts[index] ?? []) this.#quantiles.add(quantile)
    addUp(this.#digest, digest)
  }

  write(out: DoubleWriter, layouts: LayoutTable): undefined {
    out.push(this.#created)
    out.push(this.#count)
    out.pushList(this.#sum.addends())
    if (this.#quantiles.size === 0) {
      out.push(NONE)
      return
    }
    out.push(layouts.indexOf(this.#sortedQuantiles().map(String)))
    writeDigest(this.#digest, out)
  }

  toSeries(labels: Labels): Series {
    const quantiles = this.#sortedQuantiles()
    const values = quantiles.length === 0 ? [] : quantilesOfEntries(this.#digest, quantiles)
    return {
      labels,
      count: this.#count,
      sum: this.#sum.value,
      quantiles: values.map((value, index) => ({ quantile: quantiles[index] as number, value })),
      ...createdOf(this.#created),
    }
  }

  #sortedQuantiles(): number[] {
    return [...this.#quantiles].map(Number).sort((a, b) => a - b)
  }
}

function addUp(counts: Map<number, number>, digest: Iterable<readonly [number, number]>): Map<number, number> {
  for (const [value, count] of digest) counts.set(value, (counts.get(value) ?? 0) + count)
  return counts
}

function writeDigest(counts: ReadonlyMap<number, number>, out: DoubleWriter): void {
  out.push(counts.size)
  for (const [value, count] of counts) {
    out.push(value)
    out.push(count)
  }
}

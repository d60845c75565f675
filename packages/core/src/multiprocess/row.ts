import type { Exemplar, Series } from '../family.ts'
import type { Labels } from '../labels.ts'
import type { DoubleReader, DoubleWriter } from './doubles.ts'

/** What a row says that is no number. */
export interface RowText {
  readonly exemplar?: Exemplar
  /** Of classic buckets, in no order. */
  readonly buckets?: readonly Exemplar[]
  /** Of native buckets. */
  readonly native?: readonly Exemplar[]
  /** Of an info. */
  readonly facts?: Labels
}

/** What a row is read with. */
export interface RowSource {
  /** What the rows of a family share and refer to by number: bounds, states, quantiles. Equal ones are one object. */
  readonly layouts: readonly Layout[]
  /** When the snapshot was made, in seconds since the epoch. */
  readonly at: number
  /** Whether its thread runs. */
  readonly isLive: boolean
}

/** Words or numbers that many rows share. Numbers are spelled as JavaScript does it, as JSON has no infinity. */
export type Layout = readonly string[]

/** What a row is written with. */
export interface LayoutTable {
  /** The number of a layout: a new one for one that is not there yet. */
  indexOf(layout: Layout): number
  /** The number of the layout that the bounds of buckets are, +Inf aside; quick where they are those of last time. */
  indexOfBounds(buckets: readonly { readonly le: number }[]): number
}

/**
 * One series of several processes: takes in rows, in any order and grouping, and is at any time what one process would
 * have that had seen it all. As a row it takes part in another merge.
 */
export interface MergedSeries {
  /** Takes in the next row. */
  add(row: DoubleReader, text: RowText | undefined, source: RowSource): void
  /** Writes itself as a row. */
  write(out: DoubleWriter, layouts: LayoutTable): RowText | undefined
  /** The series as a page shows it; `undefined` where nothing was taken in that counts. */
  toSeries(labels: Labels): Series | undefined
}

/** All series of a family, by number: {@link MergedSeries} for those whose numbers are better kept side by side. */
export interface MergedRows {
  /** Takes a row into the series of that number, the next number beginning a new one. */
  add(index: number, row: DoubleReader, text: RowText | undefined, source: RowSource): void
  write(index: number, out: DoubleWriter, layouts: LayoutTable): RowText | undefined
  toSeries(index: number, labels: Labels): Series | undefined
}

/** How series of one type become rows, and rows one series. */
export interface RowKind<S extends Series> {
  /** Writes a series as a row. */
  write(series: S, out: DoubleWriter, layouts: LayoutTable): RowText | undefined
  /** A family without series. */
  merge(): MergedRows
}

/** A family whose series are objects. */
export class MergedObjects implements MergedRows {
  readonly #series: MergedSeries[] = []
  readonly #create: () => MergedSeries

  constructor(create: () => MergedSeries) {
    this.#create = create
  }

  add(index: number, row: DoubleReader, text: RowText | undefined, source: RowSource): void {
    const series = this.#series[index] ?? (this.#series[index] = this.#create())
    series.add(row, text, source)
  }

  write(index: number, out: DoubleWriter, layouts: LayoutTable): RowText | undefined {
    return this.#series[index]?.write(out, layouts)
  }

  toSeries(index: number, labels: Labels): Series | undefined {
    return this.#series[index]?.toSeries(labels)
  }
}

/** The later of two exemplars; of two of the same time one that does not depend on their order. */
export function laterExemplar(a: Exemplar | undefined, b: Exemplar | undefined): Exemplar | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return compareExemplars(a, b) >= 0 ? a : b
}

/** By time, then by value, then by labels. */
export function compareExemplars(a: Exemplar, b: Exemplar): number {
  const order = (a.timestamp ?? 0) - (b.timestamp ?? 0) || a.value - b.value
  if (order !== 0) return order
  const [textA, textB] = [JSON.stringify(a.labels), JSON.stringify(b.labels)]
  return textA < textB ? -1 : textA > textB ? 1 : 0
}

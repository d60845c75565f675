import type { Aggregation, Exemplar, Series, ValueSeries } from '../family.ts'
import type { Labels } from '../labels.ts'
import type { DoubleReader, DoubleWriter } from './doubles.ts'
import { ExactSum } from './exact-sum.ts'
import { laterExemplar, MergedObjects, type MergedSeries, type RowKind, type RowSource, type RowText } from './row.ts'

/** A counter's row: created, then the numbers whose sum it is. */
export const counterRow: RowKind<ValueSeries> = {
  write({ value, created, exemplar }, out) {
    out.push(created ?? Number.NaN)
    out.push(1)
    out.push(value)
    return exemplar && { exemplar }
  },
  merge: () => new MergedObjects(() => new MergedCounter()),
}

class MergedCounter implements MergedSeries {
  #created = Number.NaN
  readonly #sum = new ExactSum()
  #exemplar: Exemplar | undefined = undefined

  add(row: DoubleReader, text: RowText | undefined): void {
    this.#created = earlier(this.#created, row.next())
    addList(this.#sum, row)
    this.#exemplar = laterExemplar(this.#exemplar, text?.exemplar)
  }

  write(out: DoubleWriter): RowText | undefined {
    out.push(this.#created)
    out.pushList(this.#sum.addends())
    return this.#exemplar && { exemplar: this.#exemplar }
  }

  toSeries(labels: Labels): Series {
    const exemplar = this.#exemplar
    return { labels, value: this.#sum.value, ...createdOf(this.#created), ...(exemplar && { exemplar }) }
  }
}

/** A gauge's row: when it was set, how many gauges it stands for, and the numbers whose sum it is. */
export function gaugeRow(aggregation: Aggregation): RowKind<ValueSeries> {
  return {
    write({ value, updated }, out) {
      out.push(updated ?? Number.NaN)
      out.push(1)
      out.push(1)
      out.push(value)
      return undefined
    },
    merge: () => new MergedObjects(() => new MergedGauge(aggregation)),
  }
}

class MergedGauge implements MergedSeries {
  readonly #aggregation: Aggregation
  #updated = Number.NaN
  #weight = 0
  #sum = new ExactSum()

  constructor(aggregation: Aggregation) {
    this.#aggregation = aggregation
  }

  add(row: DoubleReader, _text: RowText | undefined, { at }: RowSource): void {
    const told = row.next()
    const updated = Number.isNaN(told) ? at : told
    const weight = row.next()
    const sums = this.#aggregation === 'sum' || this.#aggregation === 'avg'
    if (sums || this.#weight === 0) {
      addList(this.#sum, row)
    } else {
      const other = new ExactSum()
      addList(other, row)
      if (this.#yieldsTo(other.value, updated)) this.#sum = other
    }
    this.#weight += weight
    this.#updated = this.#updated > updated ? this.#updated : updated
  }

  write(out: DoubleWriter): undefined {
    out.push(this.#updated)
    out.push(this.#weight)
    out.pushList(this.#sum.addends())
  }

  toSeries(labels: Labels): Series | undefined {
    if (this.#weight === 0) return undefined
    const { value } = this.#sum
    return { labels, value: this.#aggregation === 'avg' ? value / this.#weight : value }
  }

  /** A number that is none loses to all others. */
  #yieldsTo(value: number, updated: number): boolean {
    const own = this.#sum.value
    if (this.#aggregation === 'min') return value < own || Number.isNaN(own)
    if (this.#aggregation === 'max') return value > own || Number.isNaN(own)
    return updated > this.#updated || (updated === this.#updated && !(own >= value))
  }
}

/** The earlier of two times, either of which may be NaN for unknown. */
export function earlier(a: number, b: number): number {
  return Number.isNaN(a) || b < a ? b : a
}

/** The `created` of a series, where it is known. */
export function createdOf(created: number): { created?: number } {
  return Number.isNaN(created) ? {} : { created }
}

/** Adds a list of numbers, as {@link DoubleWriter.pushList} has written it. */
export function addList(sum: ExactSum, row: DoubleReader): void {
  for (let left = row.nextLength(); left > 0; left--) sum.add(row.next())
}

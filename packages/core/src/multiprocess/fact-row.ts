import type { InfoSeries, Series, StateSetSeries } from '../family.ts'
import type { Labels } from '../labels.ts'
import type { DoubleReader, DoubleWriter } from './doubles.ts'
import {
  type Layout,
  type LayoutTable,
  MergedObjects,
  type MergedSeries,
  type RowKind,
  type RowSource,
  type RowText,
} from './row.ts'

/** An info's row: when it was told. Its facts are beside it. */
export const infoRow: RowKind<InfoSeries> = {
  write({ updated, labels, identity }, out) {
    out.push(updated ?? Number.NaN)
    return identity === undefined ? undefined : { facts: labels }
  },
  merge: () => new MergedObjects(() => new MergedInfo()),
}

/** The facts that were told last. */
class MergedInfo implements MergedSeries {
  #updated = -Infinity
  #facts: Labels | undefined = undefined

  add(row: DoubleReader, text: RowText | undefined, { at }: RowSource): void {
    const updated = timeOf(row.next(), at)
    const facts = text?.facts
    if (updated < this.#updated) return
    if (updated === this.#updated && JSON.stringify(facts) <= JSON.stringify(this.#facts)) return
    this.#updated = updated
    this.#facts = facts
  }

  write(out: DoubleWriter): RowText | undefined {
    out.push(this.#updated)
    return this.#facts && { facts: this.#facts }
  }

  toSeries(labels: Labels): Series | undefined {
    return this.#updated === -Infinity ? undefined : { labels: this.#facts ?? labels }
  }
}

/** A state set's row: when a state was entered, the layout of its states, and for each whether it holds. */
export const stateSetRow: RowKind<StateSetSeries> = {
  write({ updated, states }, out, layouts) {
    out.push(updated ?? Number.NaN)
    out.push(layouts.indexOf(states.map(({ name }) => name)))
    out.pushList(states.map(({ enabled }) => (enabled ? 1 : 0)))
    return undefined
  },
  merge: () => new MergedObjects(() => new MergedStateSet()),
}

/** The state that was entered last. */
class MergedStateSet implements MergedSeries {
  #updated = -Infinity
  #names: Layout | undefined = undefined
  #enabled: readonly number[] = []

  add(row: DoubleReader, _text: RowText | undefined, { layouts, at }: RowSource): void {
    const updated = timeOf(row.next(), at)
    const names = layouts[row.next()]
    const enabled = row.nextList()
    if (names?.length !== enabled.length) throw new RangeError('a state set has no such layout')
    if (updated < this.#updated) return
    if (updated === this.#updated && spelled(names, enabled) <= spelled(this.#names ?? [], this.#enabled)) return
    this.#updated = updated
    this.#names = names
    this.#enabled = enabled
  }

  write(out: DoubleWriter, layouts: LayoutTable): undefined {
    out.push(this.#updated)
    out.push(layouts.indexOf(this.#names ?? []))
    out.pushList(this.#enabled)
  }

  toSeries(labels: Labels): Series | undefined {
    if (this.#names === undefined) return undefined
    const states = this.#names.map((name, index) => ({ name, enabled: this.#enabled[index] === 1 }))
    return { labels, states }
  }
}

function timeOf(updated: number, at: number): number {
  return Number.isNaN(updated) ? at : updated
}

function spelled(names: Layout, enabled: readonly number[]): string {
  return JSON.stringify([names, enabled])
}

import type { MetricFamily, Series } from '../family.ts'
import type { Labels } from '../labels.ts'
import type { Layout, MergedRows, RowSource } from './row.ts'
import { isOfThePresent, rowKindOf } from './row-kind.ts'
import type { FamilyHead, Snapshot, SnapshotBlock } from './snapshot.ts'
import { type FamilyFacts, keyOf, type SnapshotWriter } from './snapshot-writer.ts'
import type { Turn } from './turn.ts'

/** A snapshot with what is known of its writer. */
export interface Part {
  readonly snapshot: Snapshot
  /** Names the process, so that what is a process' own is counted once; absent where the snapshot stands for many. */
  readonly process?: string
  /** What the label `pid` has where gauges are kept apart. */
  readonly pid?: string
  /** When the process began: the newest says how a family is defined. */
  readonly started: number
  /** Whether the thread runs, and its gauges are true. */
  readonly isLive: boolean
  /** Whether to pass over what is its process' own, as another part tells it. */
  readonly isThreadOnly?: boolean
}

/** A family that is left out, or part of one: it is damaged, or defined otherwise than the newest one. */
export type MergeLoss = 'definition' | 'damaged'

/** How to merge. */
export interface Merging {
  readonly turn: Turn
  readonly onLoss: (loss: MergeLoss) => void
  /** Leaves out what must not outlive its thread. */
  readonly absorbing?: boolean
  /** Families to merge; all of them where it is missing. */
  readonly wants?: ((family: FamilyHead) => boolean) | undefined
}

/** Merges snapshots, family by family, in turns. What comes of it is the same whatever the order of the parts. */
export async function* mergeParts(
  parts: readonly Part[],
  { turn, onLoss, absorbing = false, wants }: Merging,
): AsyncGenerator<MergedFamily, void, void> {
  const layouts = new Map<string, Layout>()
  for (const found of groupsOf(parts)) {
    const [first] = found
    if ((absorbing && isOfThePresent(first.head)) || wants?.(first.head) === false) continue
    const merged = new MergedFamily(first.head)
    for (const { part, head, blocks } of latestOfProcess(found)) {
      if (head.type !== first.head.type) {
        onLoss('definition')
        continue
      }
      if (!part.isLive && isOfThePresent(first.head)) continue
      const source: RowSource = {
        layouts: head.layouts.map((layout) => interned(layout, layouts)),
        at: part.snapshot.head.at,
        isLive: part.isLive && !absorbing,
      }
      for (const block of blocks) {
        try {
          merged.add(block(), source, part)
        } catch {
          onLoss('damaged')
        }
        if (turn.isOver) await turn.next()
      }
    }
    yield merged
  }
}

interface Found {
  readonly part: Part
  readonly head: FamilyHead
  readonly blocks: readonly (() => SnapshotBlock)[]
}

/** The snapshots' families by name; each with the newest process first, whose definition holds. */
function groupsOf(parts: readonly Part[]): Iterable<[Found, ...Found[]]> {
  const groups = new Map<string, [Found, ...Found[]]>()
  const newestFirst = parts.toSorted((a, b) => b.started - a.started || Number(b.isLive) - Number(a.isLive))
  for (const part of newestFirst) {
    for (const [head, blocks] of part.snapshot.families()) {
      if (part.isThreadOnly === true && head.scope === 'process') continue
      const group = groups.get(head.name)
      if (group === undefined) groups.set(head.name, [{ part, head, blocks }])
      else group.push({ part, head, blocks })
    }
  }
  return groups.values()
}

/** Every thread tells what is its process' own: the latest word counts, and only that. */
function latestOfProcess(found: readonly Found[]): readonly Found[] {
  const latest = new Map<string, Found>()
  const atOf = ({ part }: Found): number => part.snapshot.head.at
  for (const one of found) {
    const { process } = one.part
    if (process === undefined || one.head.scope !== 'process') continue
    const known = latest.get(process)
    if (known === undefined || atOf(one) > atOf(known)) latest.set(process, one)
  }
  if (latest.size === 0) return found
  return found.filter((one) => {
    const { process } = one.part
    return process === undefined || one.head.scope !== 'process' || latest.get(process) === one
  })
}

function interned(layout: Layout, known: Map<string, Layout>): Layout {
  const key = JSON.stringify(layout)
  const found = known.get(key)
  if (found !== undefined) return found
  known.set(key, layout)
  return layout
}

/** A family of several processes. */
export class MergedFamily {
  readonly #head: FamilyHead
  readonly #rows: MergedRows
  /** The number of each series, by its key. */
  readonly #numbers = new Map<string, number>()

  constructor(head: FamilyHead) {
    this.#head = head
    this.#rows = rowKindOf(head).merge()
  }

  /** Takes in the rows of a block. */
  add({ keys, texts, rows }: SnapshotBlock, source: RowSource, { pid }: Pick<Part, 'pid'>): void {
    const each = this.#head.aggregation === 'each' && pid !== undefined ? pid : undefined
    for (let index = 0; index < keys.length; index++) {
      const found = keys[index] as string
      const key = each === undefined ? found : keyOf({ ...(JSON.parse(found) as Labels), pid: each })
      let number = this.#numbers.get(key)
      if (number === undefined) {
        number = this.#numbers.size
        this.#numbers.set(key, number)
      }
      this.#rows.add(number, rows, texts.size === 0 ? undefined : texts.get(index), source)
    }
    if (!rows.isAtEnd) throw new RangeError('rows are longer than they should be')
  }

  /** As a page shows it. */
  toFamily(): MetricFamily {
    const { name, help, type, unit, totalSuffix } = this.#head
    const [numbers, rows] = [this.#numbers, this.#rows]
    return {
      name,
      help,
      type,
      ...(unit !== undefined && { unit }),
      ...(totalSuffix === false && { totalSuffix }),
      series: {
        *[Symbol.iterator](): Generator<Series> {
          for (const [key, number] of numbers) {
            const series = rows.toSeries(number, JSON.parse(key) as Labels)
            if (series !== undefined) yield series
          }
        },
      },
    } as MetricFamily
  }

  /** Writes the family into another snapshot, in turns. */
  async writeTo(writer: SnapshotWriter, turn: Turn): Promise<void> {
    const { out, layouts } = writer.row
    let rows = 0
    for (const [key, number] of this.#numbers) {
      writer.endRow(key, this.#rows.write(number, out, layouts))
      if (++rows % ROWS_PER_CLOCK === 0 && turn.isOver) await turn.next()
    }
    const { layouts: _layouts, blocks: _blocks, ...facts } = this.#head
    writer.endFamily({ ...facts, scope: 'thread' } satisfies FamilyFacts)
  }
}

const ROWS_PER_CLOCK = 64

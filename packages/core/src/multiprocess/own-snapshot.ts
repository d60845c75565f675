import type { OwnFamily } from '../collector.ts'
import type { MetricFamily } from '../family.ts'
import type { Registry } from '../registry.ts'
import { DoubleWriter } from './doubles.ts'
import { isOfThePresent } from './row-kind.ts'
import { type FamilyFacts, KeyCache, SnapshotWriter } from './snapshot-writer.ts'
import { Turn } from './turn.ts'

/** Makes snapshots of one registry. */
export class OwnSnapshots {
  readonly #registry: Registry
  readonly #interval: number
  readonly #cache = new KeyCache()
  readonly #doubles = new DoubleWriter()
  /** What collectors brought last: at the end there is no time to ask them again. */
  #collected: readonly OwnFamily[] = []

  constructor(registry: Registry, interval: number) {
    this.#registry = registry
    this.#interval = interval
  }

  /** Runs the callbacks of metrics, and writes in turns. */
  async take(timeout: number): Promise<Uint8Array> {
    const writer = new SnapshotWriter(this.#doubles)
    const turn = new Turn()
    const collected: OwnFamily[] = []
    for await (const own of this.#registry.ownFamilies({ timeout })) {
      if (!own.isMetric) collected.push(own)
      for (const _ of this.#write(writer, own)) if (turn.isOver) await turn.next()
    }
    this.#collected = collected
    return writer.end(this.#head())
  }

  /** All that outlives the thread, at once: its last words. */
  takeLast(): Uint8Array {
    const writer = new SnapshotWriter()
    for (const own of [...this.#registry.ownMetrics(), ...this.#collected]) {
      if (isOfThePresent(own.family)) continue
      for (const _ of this.#write(writer, own));
    }
    return writer.end({ ...this.#head(), isFinal: true })
  }

  *#write(writer: SnapshotWriter, { family, scope }: OwnFamily): Generator<void> {
    try {
      yield* writer.writeFamily(family, factsOf(family, scope), this.#cache)
    } catch (error) {
      // As on a page of its own: whatever failed costs its family.
      writer.dropFamily()
      this.#registry.seriesFailed(error, family)
    }
  }

  #head(): { at: number; interval: number } {
    return { at: Date.now() / 1000, interval: this.#interval }
  }
}

function factsOf(family: MetricFamily, scope: OwnFamily['scope']): FamilyFacts {
  const { name, help, type, unit, totalSuffix, aggregation, live } = family
  return {
    name,
    help,
    type,
    scope,
    ...(unit !== undefined && { unit }),
    ...(totalSuffix === false && { totalSuffix }),
    ...(aggregation !== undefined && { aggregation }),
    ...(live === false && { live }),
  }
}

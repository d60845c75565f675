import { unixSeconds } from '../clock.ts'
import type { ExemplarSource } from '../collector.ts'
import type { Exemplar } from '../family.ts'
import { countCodePoints, type Labels, MAX_CODE_POINTS, setLabel } from '../labels.ts'
import { isLegacyLabelName } from '../names.ts'
import type { LateUpdates } from './late-updates.ts'

/** The labels of an exemplar as callers pass them: `{ trace_id: '…' }`. */
export type ExemplarLabels = { readonly [name: string]: string }

/** What all series of a metric share of exemplars: where they come from, and who counts those that are dropped. */
export class MetricExemplars {
  /** Where an observation without an exemplar looks for one; `undefined` nowhere. */
  source: ExemplarSource | undefined = undefined
  /** The metric's name. */
  readonly metric: string
  /** Beside exemplars, because all series have this object: a field more for each would be for this alone. */
  readonly lateUpdates: LateUpdates
  readonly #dropped: () => void

  constructor(metric: string, dropped: () => void, lateUpdates: LateUpdates) {
    this.metric = metric
    this.lateUpdates = lateUpdates
    this.#dropped = dropped
  }

  /**
   * Puts an exemplar for an observation made now into a slot and returns it: from the labels that the caller gave, else from the source, which is asked
   * once a slot and tick. A caller's exemplar stands until the tick is over. Never throws: what breaks a rule is
   * dropped and counted, and so is the failure of a source.
   */
  take(slots: ExemplarSlots, slot: number, value: number, given: ExemplarLabels | undefined): Exemplar | undefined {
    const { source } = this
    const tick = source?.tick
    if (given === undefined && (source === undefined || slots.ticks[slot] === tick)) return undefined
    let exemplar: Exemplar | undefined
    try {
      if (given === undefined) slots.ticks[slot] = tick
      const labels = given === undefined ? (source?.find() ?? undefined) : given
      if (labels === undefined) return undefined
      exemplar = exemplarFrom(labels, value)
    } catch {
      // A source, a getter or a Proxy of the application has thrown: its loss, not the observation's.
    }
    if (exemplar === undefined) {
      this.#dropped()
    } else {
      slots.exemplars[slot] = exemplar
      slots.ticks[slot] = tick
    }
    return exemplar
  }
}

/** The exemplars of one series, with a slot for each bucket: made when the first one is looked for. */
export class ExemplarSlots {
  readonly exemplars: (Exemplar | undefined)[] = []
  /** The tick in which each slot was last filled or looked up for. */
  readonly ticks: (object | undefined)[] = []

  /** Forgets the exemplars, but not when they were looked for. */
  clear(): void {
    this.exemplars.length = 0
  }
}

/**
 * An exemplar for an observation made now, or `undefined` where its labels break a rule: an over-long exemplar would
 * make the whole page unreadable, so the caller drops it and counts the loss.
 */
function exemplarFrom(labels: ExemplarLabels, value: number): Exemplar | undefined {
  if (typeof labels !== 'object' || labels === null) return undefined
  const kept: Record<string, string> = {}
  let codePoints = 0
  for (const name of Object.keys(labels)) {
    const label = labels[name]
    if (typeof label !== 'string' || !label.isWellFormed() || !isLegacyLabelName(name)) return undefined
    codePoints += countCodePoints(name) + countCodePoints(label)
    if (codePoints > MAX_CODE_POINTS) return undefined
    setLabel(kept, name, label)
  }
  return { labels: Object.freeze(kept) as Labels, value, timestamp: unixSeconds() }
}

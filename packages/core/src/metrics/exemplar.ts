import { unixSeconds } from '../clock.ts'
import type { Exemplar } from '../family.ts'
import { type Labels, setLabel } from '../labels.ts'
import { isLegacyLabelName } from '../names.ts'

/** The labels of an exemplar as callers pass them: `{ trace_id: '…' }`. */
export type ExemplarLabels = { readonly [name: string]: string }

/** OpenMetrics 1.0, "Exemplars": the names and values together must not exceed 128 UTF-8 character code points. */
const MAX_CODE_POINTS = 128

/**
 * An exemplar for an observation made now, or `undefined` where its labels break a rule: an over-long exemplar would
 * make the whole page unreadable, so the caller drops it and counts the loss.
 */
export function exemplarFrom(labels: ExemplarLabels, value: number): Exemplar | undefined {
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

function countCodePoints(text: string): number {
  if (text.length > 2 * MAX_CODE_POINTS) return text.length / 2
  let count = 0
  for (const _ of text) count += 1
  return count
}

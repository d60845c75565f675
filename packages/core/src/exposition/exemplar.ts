import type { Exemplar } from '../family.ts'
import { countCodePoints, MAX_CODE_POINTS } from '../labels.ts'
import { escapeLabelName, type EscapingScheme } from '../names.ts'
import { isTimestamp } from './refusal.ts'

/**
 * Whether readers take the exemplar: labels short enough as written, a timestamp that is one, and where it stands in a
 * bucket a value not above the bucket's bound.
 */
export function isWritableExemplar(exemplar: Exemplar, escaping: EscapingScheme, le = Infinity): boolean {
  const { value, timestamp } = exemplar
  if (le !== Infinity && !(value <= le)) return false
  return (timestamp === undefined || isTimestamp(timestamp)) && isShort(exemplar, escaping)
}

function isShort({ labels }: Exemplar, escaping: EscapingScheme): boolean {
  let codePoints = 0
  for (const label in labels) {
    codePoints += countCodePoints(escapeLabelName(label, escaping)) + countCodePoints(labels[label] as string)
    if (codePoints > MAX_CODE_POINTS) return false
  }
  return true
}

import type { Exemplar } from '../family.ts'
import { escapeLabelName, type EscapingScheme } from '../names.ts'
import { isTimestamp } from './refusal.ts'

/** OpenMetrics 1.0, "Exemplars": the combined length of the label names and values, in code points. */
const MAX_CODE_POINTS = 128

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

function countCodePoints(text: string): number {
  const { length } = text
  if (length > 2 * MAX_CODE_POINTS) return length / 2
  let count = length
  for (let index = 1; index < length; index++) {
    // The second half of a surrogate pair. A lone surrogate becomes U+FFFD, a code point of its own.
    if ((text.charCodeAt(index) & 0xfc00) === 0xdc00 && (text.charCodeAt(index - 1) & 0xfc00) === 0xd800) count -= 1
  }
  return count
}

import { MetricError } from './errors.ts'
import { isValidName } from './names.ts'

/** What a label may be given: `200` and `'200'` name the same series. */
export type LabelValue = string | number | boolean

/** A label set as users pass it: every declared name, nothing else. */
export type LabelValues<Name extends string = string> = { readonly [name in Name]: LabelValue }

/** A label set as it is kept and exposed: plain, frozen, without the labels whose value is empty. */
export type Labels = { readonly [name: string]: string }

/** The label set of a series without labels: one object for all of them. */
export const NO_LABELS: Labels = Object.freeze({})

/**
 * A label value as a page carries it: `String(value)`, with U+FFFD for a lone surrogate, which has no UTF-8 form.
 * Throws `ERR_NARTHEX_INVALID_LABEL_VALUE` for anything but a string, a number or a boolean.
 */
export function labelValueOf(value: unknown, label: string, subject: string, metric?: string): string {
  if (typeof value === 'string') return value.isWellFormed() ? value : value.toWellFormed()
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new MetricError('ERR_NARTHEX_INVALID_LABEL_VALUE', {
    subject,
    metric,
    argument: label,
    rule: 'to be a string, a number or a boolean',
    value,
  })
}

/**
 * Builds a {@link Labels} object from names and values in the same order. An empty value equals an absent label
 * (Prometheus data model), so it is left out.
 */
export function labelsFrom(names: readonly string[], values: readonly string[]): Labels {
  if (names.length === 0) return NO_LABELS
  const labels: Record<string, string> = {}
  for (let index = 0; index < names.length; index++) {
    if (values[index] !== '') setLabel(labels, names[index] as string, values[index] as string)
  }
  return Object.freeze(labels)
}

/** Adds one label to a set under construction. A plain assignment would lose a label called `__proto__`. */
export function setLabel(labels: Record<string, string>, name: string, value: string): void {
  if (name === '__proto__') {
    Object.defineProperty(labels, name, { value, enumerable: true, configurable: true, writable: true })
  } else {
    labels[name] = value
  }
}

/** OpenMetrics 1.0, "Exemplars": the names and values of an exemplar's labels together have at most so many code points. */
export const MAX_CODE_POINTS = 128

/** The code points of text that is short enough for an exemplar; of longer text, some number over the limit. */
export function countCodePoints(text: string): number {
  const { length } = text
  if (length > 2 * MAX_CODE_POINTS) return length / 2
  let count = length
  for (let index = 1; index < length; index++) {
    // The second half of a surrogate pair. A lone surrogate becomes U+FFFD, a code point of its own.
    if ((text.charCodeAt(index) & 0xfc00) === 0xdc00 && (text.charCodeAt(index - 1) & 0xfc00) === 0xd800) count -= 1
  }
  return count
}

const OWN_LABELS: Readonly<Record<string, string>> = { histogram: 'le', gaugehistogram: 'le', summary: 'quantile' }

/** The label that lines of a type add themselves: a user's label of that name would make two series one. */
export function ownLabelOf(type: string, name: string | undefined): string | undefined {
  return type === 'stateset' ? name : OWN_LABELS[type]
}

/**
 * Throws `ERR_NARTHEX_INVALID_LABEL_NAME` unless `names` are distinct valid label names that neither start with `__`
 * (reserved by Prometheus) nor are what `type` writes itself. Returns a copy: the caller's array is read, never kept.
 */
export function checkLabelNames(
  names: unknown,
  type: string,
  subject: string,
  metric: string | undefined,
  argument = 'labelNames',
): readonly string[] {
  const refuse = (rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_LABEL_NAME', { subject, metric, argument, rule, value })
  }
  if (names === undefined) return []
  if (!Array.isArray(names)) return refuse('to be an array of label names', names)
  const reserved = ownLabelOf(type, metric)
  for (const [index, name] of names.entries()) {
    if (!isValidName(name)) refuse('to hold non-empty, well-formed strings', name)
    if (name.startsWith('__')) refuse('to hold names that do not start with `__` (reserved)', name)
    if (name === reserved) refuse(`to leave \`${reserved}\` to the ${type} itself`, name)
    if (names.indexOf(name) !== index) refuse('to hold each name once', name)
  }
  return Object.freeze([...names])
}

import type { MetricType } from './family.ts'

/**
 * How a name that is not legacy-valid is written for a reader that knows only legacy names.
 * The schemes are those of prometheus/common's `model.EscapingScheme`, code before prose: `dots` doubles underscores
 * and writes `__` for what it cannot spell.
 */
export type EscapingScheme = 'underscores' | 'dots' | 'values' | 'allow-utf-8'

const LEGACY_METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LEGACY_LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/** Whether `name` is a metric or label name at all: any non-empty string that has a UTF-8 form (no lone surrogate). */
export function isValidName(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && name.isWellFormed()
}

/** Whether a metric may carry `name` unquoted in every format: `[a-zA-Z_:][a-zA-Z0-9_:]*`. */
export function isLegacyMetricName(name: string): boolean {
  return LEGACY_METRIC_NAME.test(name)
}

/** Whether a label may carry `name` unquoted in every format: `[a-zA-Z_][a-zA-Z0-9_]*`. */
export function isLegacyLabelName(name: string): boolean {
  return LEGACY_LABEL_NAME.test(name)
}

/** Whether `name` is spelled with the characters of metric names, which is what escaping judges both kinds of name by. */
function isLegacyRune(character: string, first: boolean): boolean {
  return /^[a-zA-Z_:]$/.test(character) || (!first && /^[0-9]$/.test(character))
}

/**
 * Writes a metric or label name in the letters that legacy readers know, as prometheus/common's `EscapeName` does.
 * A legacy-valid name costs one regular expression and comes back as it is (but for `dots`, which doubles `_`).
 */
export function escapeName(name: string, scheme: EscapingScheme): string {
  if (name === '' || scheme === 'allow-utf-8') return name
  if (scheme !== 'dots' && isLegacyMetricName(name)) return name
  let escaped = scheme === 'values' ? 'U__' : ''
  let first = true
  for (const character of name) {
    escaped += escapeRune(character, first, scheme)
    first = false
  }
  return escaped
}

function escapeRune(character: string, first: boolean, scheme: EscapingScheme): string {
  if (scheme === 'values') {
    if (character === '_') return '__'
    if (isLegacyRune(character, first)) return character
    const codePoint = character.codePointAt(0) as number
    return codePoint >= 0xd800 && codePoint <= 0xdfff ? '_FFFD_' : `_${codePoint.toString(16)}_`
  }
  if (scheme === 'dots') {
    if (character === '_') return '__'
    if (character === '.') return '_dot_'
    return isLegacyRune(character, first) ? character : '__'
  }
  return isLegacyRune(character, first) ? character : '_'
}

/**
 * Writes a label name in the letters that legacy readers know. As {@link escapeName}, but a colon is escaped too:
 * prometheus/common leaves it, which no reader of text takes in a label (client_python's `escape_label_name` escapes it).
 */
export function escapeLabelName(name: string, scheme: EscapingScheme): string {
  if (scheme === 'allow-utf-8' || !name.includes(':')) return escapeName(name, scheme)
  if (scheme !== 'values') return escapeName(name, scheme).replaceAll(':', scheme === 'dots' ? '__' : '_')
  const escaped = escapeName(name, scheme)
  return (escaped.startsWith('U__') ? escaped : `U__${name.replaceAll('_', '__')}`).replaceAll(':', '_3a_')
}

/**
 * Reads a name back that {@link escapeName} wrote. What does not follow the scheme comes back unchanged;
 * `underscores` cannot be undone.
 */
export function unescapeName(name: string, scheme: EscapingScheme): string {
  if (scheme === 'dots') return name.replaceAll('_dot_', '.').replaceAll('__', '_')
  if (scheme === 'values') return unescapeValues(name)
  return name
}

function unescapeValues(name: string): string {
  if (!name.startsWith('U__')) return name
  let unescaped = ''
  let index = 3
  while (index < name.length) {
    const character = name[index] as string
    if (character !== '_') {
      unescaped += character
      index += 1
      continue
    }
    if (name[index + 1] === '_') {
      unescaped += '_'
      index += 2
      continue
    }
    const end = name.indexOf('_', index + 1)
    const hex = end < 0 ? '' : name.slice(index + 1, end)
    if (!/^[0-9a-fA-F]{1,6}$/.test(hex)) return name
    const codePoint = Number.parseInt(hex, 16)
    if (codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff)) return name
    unescaped += String.fromCodePoint(codePoint)
    index = end + 1
  }
  return unescaped
}

const SUFFIXES: Readonly<Record<MetricType, readonly string[]>> = {
  counter: ['_total', '_created'],
  gauge: [],
  histogram: ['_bucket', '_sum', '_count', '_created'],
  // Text 0.0.4 knows no gauge histogram and writes a histogram instead: both spellings are taken.
  gaugehistogram: ['_bucket', '_gsum', '_gcount', '_sum', '_count'],
  summary: ['_sum', '_count', '_created'],
  info: ['_info'],
  stateset: [],
  unknown: [],
}

/**
 * Every name that a family's lines may bear in any format, its own included. Two families whose sets meet cannot
 * stand on one page (OpenMetrics 1.0, "MetricFamily names": sample names must not clash).
 */
export function sampleNamesOf(name: string, type: MetricType): string[] {
  const names = [name]
  for (const suffix of SUFFIXES[type]) names.push(name + suffix)
  return names
}

/**
 * Reads a number as every Prometheus reader does: a decimal real (`1`, `.5`, `5.`, `1e-3`, leading zeros allowed), or
 * `inf`, `infinity` with a sign or without, or `nan`, in any case (OpenMetrics 1.0 ABNF "number"; Go's `ParseFloat` less
 * its underscores and its other bases). `undefined` for anything else, also for what is beyond the range of a float64.
 */
export function numberOf(text: string): number | undefined {
  if (!isReal(text)) return specialOf(text)
  const value = Number(text)
  return value === Infinity || value === -Infinity ? undefined : value
}

/** Numbers that a {@link Bounds} remembers at most. */
const MOST_BOUNDS = 1024

/** The numbers in `le` and `quantile`, which are the same few in each series: read once. */
export class Bounds {
  readonly #numbers = new Map<string, number | undefined>()

  /** As {@link numberOf}. */
  numberOf(text: string): number | undefined {
    let number = this.#numbers.get(text)
    if (number === undefined) {
      number = numberOf(text)
      if (this.#numbers.size === MOST_BOUNDS) this.#numbers.clear()
      this.#numbers.set(text, number)
    }
    return number
  }
}

/** As {@link numberOf}, without infinities and NaN (OpenMetrics 1.0 ABNF "realnumber"). */
export function realNumberOf(text: string): number | undefined {
  const value = numberOf(text)
  return value === undefined || !Number.isFinite(value) ? undefined : value
}

function isReal(text: string): boolean {
  const { length } = text
  let at = isSign(text.charCodeAt(0)) ? 1 : 0
  const start = at
  at = digitsEnd(text, at)
  let digits = at - start
  if (text.charCodeAt(at) === 0x2e) {
    const fraction = at + 1
    at = digitsEnd(text, fraction)
    digits += at - fraction
  }
  if (digits === 0) return false
  if (at === length) return true
  const mark = text.charCodeAt(at)
  if (mark !== 0x65 && mark !== 0x45) return false
  at += 1
  if (isSign(text.charCodeAt(at))) at += 1
  const exponent = at
  at = digitsEnd(text, at)
  return at > exponent && at === length
}

function digitsEnd(text: string, start: number): number {
  let at = start
  for (let code = text.charCodeAt(at); code >= 0x30 && code <= 0x39; code = text.charCodeAt(++at));
  return at
}

function isSign(code: number): boolean {
  return code === 0x2b || code === 0x2d
}

function specialOf(text: string): number | undefined {
  if (text.length > 9) return undefined
  switch (text.toLowerCase()) {
    case 'nan':
      return NaN
    case 'inf':
    case '+inf':
    case 'infinity':
    case '+infinity':
      return Infinity
    case '-inf':
    case '-infinity':
      return -Infinity
    default:
      return undefined
  }
}

/** Units that a metric's name may end in, each with the base unit to use (prometheus/docs, "Metric and label naming"). */
const BASE_UNITS: ReadonlyMap<string, string> = new Map([
  ['amperes', 'amperes'],
  ['bytes', 'bytes'],
  ['celsius', 'celsius'],
  ['grams', 'grams'],
  ['joules', 'joules'],
  ['kelvin', 'kelvin'],
  ['meters', 'meters'],
  ['metres', 'metres'],
  ['seconds', 'seconds'],
  ['volts', 'volts'],
  ['minutes', 'seconds'],
  ['hours', 'seconds'],
  ['days', 'seconds'],
  ['weeks', 'seconds'],
  ['kelvins', 'kelvin'],
  ['fahrenheit', 'celsius'],
  ['rankine', 'celsius'],
  ['inches', 'meters'],
  ['yards', 'meters'],
  ['miles', 'meters'],
  ['bits', 'bytes'],
  ['calories', 'joules'],
  ['pounds', 'grams'],
  ['ounces', 'grams'],
])

/** `mibi` is promtool's. */
const PREFIXES = 'pico nano micro milli centi deci deca hecto kilo kibi mega mibi giga gibi tera tebi peta pebi'.split(
  ' ',
)

/** Abbreviations that stand for a unit when they are a word of a name. */
const ABBREVIATIONS = 's ms us ns sec b kb mb gb tb pb m h d'.split(' ')

/** The first word of `name` that is a unit, with the base unit to use for it; `undefined` where no word is one. */
export function unitOfName(name: string): { unit: string; base: string } | undefined {
  for (const unit of name.split('_')) {
    const base = BASE_UNITS.get(unit)
    if (base !== undefined) return { unit, base }
    for (const prefix of PREFIXES) {
      const prefixed = unit.startsWith(prefix) ? BASE_UNITS.get(unit.slice(prefix.length)) : undefined
      if (prefixed !== undefined) return { unit, base: prefixed }
    }
  }
  return undefined
}

/** Whether an abbreviated unit is a word of `name`, not its first, in either case. */
export function hasAbbreviatedUnit(name: string): boolean {
  return ABBREVIATIONS.some((abbreviation) => hasWord(name, abbreviation))
}

/** Whether `word` stands in `name` behind an underscore, and ends there or before another. */
export function hasWord(name: string, word: string): boolean {
  const lower = name.toLowerCase()
  return lower.endsWith(`_${word}`) || lower.includes(`_${word}_`)
}

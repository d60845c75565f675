import * as units from '@grafana/grafana-foundation-sdk/units'
import type { MetricFamily } from '../../family.ts'

/** What Grafana calls the units of the naming conventions. */
const UNITS: ReadonlyMap<string, string> = new Map([
  ['seconds', units.Seconds],
  ['milliseconds', units.Milliseconds],
  ['microseconds', units.Microseconds],
  ['nanoseconds', units.Nanoseconds],
  ['bytes', units.BytesIEC],
  ['bits', units.BitsIEC],
  ['ratio', units.PercentUnit],
  ['percent', units.Percent],
  ['celsius', units.Celsius],
  ['kelvin', units.Kelvin],
  ['meters', units.Meter],
  ['grams', units.Gram],
  ['volts', units.Volt],
  ['amperes', units.Ampere],
  ['joules', units.Joule],
  ['watts', units.Watt],
  ['hertz', units.Hertz],
  ['euros', units.Euro],
  ['dollars', units.Dollars],
])

/** The same for what one of them is in a second. */
const UNITS_PER_SECOND: ReadonlyMap<string, string> = new Map([
  ['seconds', 'suffix: s/s'],
  ['bytes', units.BytesPerSecondIEC],
  ['bits', units.BitsPerSecondIEC],
  ['joules', units.Watt],
])

/** Grafana's word for the unit of a family: the one that it tells, or the last word of its name. */
export function unitOf(family: MetricFamily): string {
  return UNITS.get(unitWordOf(family)) ?? units.Short
}

/** Grafana's word for the unit of a counter's rate. */
export function rateUnitOf(family: MetricFamily): string {
  return UNITS_PER_SECOND.get(unitWordOf(family)) ?? units.CountsPerSecond
}

function unitWordOf({ name, unit = '' }: MetricFamily): string {
  return unit === '' ? name.slice(name.lastIndexOf('_') + 1) : unit
}

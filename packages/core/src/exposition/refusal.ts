import { MetricError } from '../errors.ts'
import type { MetricFamily, SeriesBase } from '../family.ts'

/** Told what a format has left out of a page because its readers would refuse the page: once a family, the first rule. */
export type Refused = (error: MetricError) => void

/** The error for a family with a series that breaks `rule`, the end of "expected `series` …". */
export function refusal(family: MetricFamily, rule: string): MetricError {
  return new MetricError('ERR_NARTHEX_INVALID_FAMILY', {
    subject: 'MetricFamily',
    metric: family.name,
    argument: 'series',
    rule,
  })
}

/** Seconds beyond this are no 64-bit milliseconds that a number can hold exactly. */
const MAX_SECONDS = 9e12

/** Whether this is a number of seconds that every format can carry. */
export function isTimestamp(seconds: number): boolean {
  return Math.abs(seconds) <= MAX_SECONDS
}

/** What the series breaks in every format: timestamps are finite and fit 64-bit milliseconds. */
export function timestampRule({ timestamp }: SeriesBase): string | undefined {
  if (timestamp === undefined || isTimestamp(timestamp)) return undefined
  return 'to have timestamps in seconds since the epoch'
}

/** A created time that a page can carry, else undefined. */
export function createdOf({ created }: SeriesBase): number | undefined {
  return created !== undefined && created >= 0 && isTimestamp(created) ? created : undefined
}

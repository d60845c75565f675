import { MetricError } from '../errors.ts'

/** The upper bounds, in seconds, that client libraries agree on for request durations. */
export const DEFAULT_BUCKETS: readonly number[] = Object.freeze([
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
])

/** `count` bounds from `start` on, each `width` above the one before. +Inf is implied, not counted. */
export function linearBuckets(start: number, width: number, count: number): number[] {
  checkNumber('linearBuckets', 'start', 'to be a finite number', start, Number.isFinite(start))
  checkNumber('linearBuckets', 'width', 'to be a finite number > 0', width, Number.isFinite(width) && width > 0)
  checkCount('linearBuckets', count, 1)
  return Array.from({ length: count }, (_, index) => start + index * width)
}

/** `count` bounds from `start` on, each `factor` times the one before. */
export function exponentialBuckets(start: number, factor: number, count: number): number[] {
  checkNumber('exponentialBuckets', 'start', 'to be a finite number > 0', start, Number.isFinite(start) && start > 0)
  checkNumber(
    'exponentialBuckets',
    'factor',
    'to be a finite number > 1',
    factor,
    Number.isFinite(factor) && factor > 1,
  )
  checkCount('exponentialBuckets', count, 1)
  const bounds: number[] = []
  for (let bound = start; bounds.length < count; bound *= factor) bounds.push(bound)
  return bounds
}

/** `count` bounds from `min` to `max`, both included, each the same factor above the one before. */
export function exponentialBucketsRange(min: number, max: number, count: number): number[] {
  const subject = 'exponentialBucketsRange'
  checkNumber(subject, 'min', 'to be a finite number > 0', min, Number.isFinite(min) && min > 0)
  checkNumber(subject, 'max', 'to be a finite number > min', max, Number.isFinite(max) && max > min)
  checkCount(subject, count, 2)
  const factor = (max / min) ** (1 / (count - 1))
  return Array.from({ length: count }, (_, index) => (index === count - 1 ? max : min * factor ** index))
}

function checkCount(subject: string, count: number, least: number): void {
  checkNumber(subject, 'count', `to be an integer >= ${least}`, count, Number.isInteger(count) && count >= least)
}

function checkNumber(subject: string, argument: string, rule: string, value: number, holds: boolean): void {
  if (!holds) throw new MetricError('ERR_NARTHEX_INVALID_ARGUMENT', { subject, argument, rule, value })
}

/**
 * The finite bounds of a histogram, checked and copied: increasing numbers, at least one; a trailing Infinity is
 * accepted, as it is implied. Throws `ERR_NARTHEX_INVALID_BUCKETS`.
 */
export function checkBuckets(buckets: unknown, metric: string): number[] {
  const refuse = (rule: string, value: unknown): never => {
    const code = 'ERR_NARTHEX_INVALID_BUCKETS'
    throw new MetricError(code, { subject: 'Histogram', metric, argument: 'buckets', rule, value })
  }
  if (!Array.isArray(buckets)) return refuse('to be an array of numbers', buckets)
  const bounds = buckets as readonly number[]
  for (const [index, bound] of bounds.entries()) {
    if (typeof bound !== 'number' || bound !== bound) refuse('to hold numbers only', buckets)
    if (bound === -Infinity) refuse('to hold no -Infinity', buckets)
    if (index > 0 && bound <= (bounds[index - 1] as number)) refuse('to increase', buckets)
  }
  const finite = bounds.at(-1) === Infinity ? bounds.slice(0, -1) : [...bounds]
  return finite.length === 0 && bounds.length === 0 ? refuse('to hold at least one bound', buckets) : finite
}

import { MetricError } from '@narthex/core'

/** The MetricError that `action` throws; fails where it throws another error or none. */
export function caught(action: () => unknown): MetricError {
  try {
    action()
  } catch (error) {
    if (error instanceof MetricError) return error
    throw error
  }
  throw new Error('expected a MetricError, but nothing was thrown')
}

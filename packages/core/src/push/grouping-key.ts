import { MetricError } from '../errors.ts'
import { type LabelValue, labelValueOf } from '../labels.ts'
import { escapeLabelName, isLegacyLabelName, isValidName } from '../names.ts'

/** What a Pushgateway groups metrics by, beside the job. */
export type GroupingKey = { readonly [label: string]: LabelValue }

/**
 * The path of a group below a Pushgateway's address: `/metrics/job/backup/path@base64/L3Zhci90bXA`
 * (prometheus/pushgateway, "URL"). Values that a path cannot carry go as base64: slashes, nothing at all, and the dots
 * that URL parsers resolve. Names that are no ASCII identifiers go as `U__…`, which a gateway reads with
 * `--push.enable-utf8-names` and keeps as it is without.
 *
 * Throws `ERR_NARTHEX_INVALID_ARGUMENT` for an empty job and for names that are no labels or reserved, and
 * `ERR_NARTHEX_INVALID_LABEL_VALUE` for values that are none.
 */
export function groupPath(job: unknown, groupingKey: GroupingKey = {}): string {
  const refuse = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_ARGUMENT', { subject: 'Pushgateway', argument, rule, value })
  }
  if (typeof job !== 'string' || job === '') return refuse('job', 'to be a non-empty string', job)
  if (typeof groupingKey !== 'object' || groupingKey === null || Array.isArray(groupingKey)) {
    refuse('groupingKey', 'to be an object', groupingKey)
  }
  let path = `/metrics${segments('job', job.toWellFormed())}`
  for (const [label, value] of Object.entries(groupingKey)) {
    if (!isValidName(label) || label.startsWith('__') || label === 'job') {
      refuse('groupingKey', 'to hold label names other than `job` and without a leading `__`', label)
    }
    const name = isLegacyLabelName(label) ? label : escapeLabelName(label, 'values')
    path += segments(name, labelValueOf(value, label, 'Pushgateway'))
  }
  return path
}

function segments(label: string, value: string): string {
  // The gateway takes one padding character for what would else be an empty part of the path.
  if (value === '') return `/${label}@base64/=`
  if (value.includes('/') || value === '.' || value === '..') {
    return `/${label}@base64/${Buffer.from(value).toString('base64url')}`
  }
  return `/${label}/${encodeURIComponent(value)}`
}

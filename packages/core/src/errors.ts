/**
 * What went wrong, for programs. A code never changes its meaning; docs/errors.md has a line for each.
 */
export type MetricErrorCode =
  | 'ERR_NARTHEX_INVALID_NAME'
  | 'ERR_NARTHEX_INVALID_HELP'
  | 'ERR_NARTHEX_INVALID_UNIT'
  | 'ERR_NARTHEX_INVALID_OPTION'
  | 'ERR_NARTHEX_UNKNOWN_OPTION'
  | 'ERR_NARTHEX_INVALID_LABEL_NAME'
  | 'ERR_NARTHEX_INVALID_LABELS'
  | 'ERR_NARTHEX_INVALID_LABEL_VALUE'
  | 'ERR_NARTHEX_INVALID_VALUE'
  | 'ERR_NARTHEX_INVALID_BUCKETS'
  | 'ERR_NARTHEX_INVALID_QUANTILES'
  | 'ERR_NARTHEX_INVALID_STATE'
  | 'ERR_NARTHEX_INVALID_ARGUMENT'
  | 'ERR_NARTHEX_NAME_CLASH'
  | 'ERR_NARTHEX_DEFINITION_DIFFERS'
  | 'ERR_NARTHEX_NOT_A_COLLECTOR'
  | 'ERR_NARTHEX_COLLECTOR_TIMEOUT'
  | 'ERR_NARTHEX_INVALID_FAMILY'

/** The facts that a {@link MetricError} is made from. */
export interface MetricErrorDetails {
  /** The kind of thing that was misused: `Counter`, `Registry`, `metricsHandler`. */
  readonly subject: string
  /** Name of the metric or family, where there is one. */
  readonly metric?: string
  /** The argument or option that breaks the rule. */
  readonly argument: string
  /** What was expected, as the end of "expected `argument` …". */
  readonly rule: string
  /** What came instead. Leave out where the rule says it all. */
  readonly value?: unknown
  /** The collector that stands in the way, for a clash. */
  readonly existing?: unknown
}

/**
 * The one error that misuse throws, at construction or call, before anything has changed.
 *
 * Its message reads: Counter `http_requests_total`: expected `value` to be a finite number >= 0, got `-1` (number).
 */
export class MetricError extends Error {
  override readonly name: string = 'MetricError'
  readonly code: MetricErrorCode
  readonly metric: string | undefined
  readonly argument: string
  readonly value: unknown
  readonly existing: unknown

  constructor(code: MetricErrorCode, details: MetricErrorDetails) {
    super(messageOf(details))
    this.code = code
    this.metric = details.metric
    this.argument = details.argument
    this.value = details.value
    this.existing = details.existing
  }
}

function messageOf(details: MetricErrorDetails): string {
  const subject = details.metric === undefined ? details.subject : `${details.subject} \`${details.metric}\``
  const got = 'value' in details ? `, got ${describeValue(details.value)}` : ''
  return `${subject}: expected \`${details.argument}\` ${details.rule}${got}`
}

/** A value as error messages quote it: short, typed, and never able to throw. */
export function describeValue(value: unknown): string {
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  let text: string
  try {
    text = type === 'object' || type === 'array' ? (JSON.stringify(value) ?? String(value)) : String(value)
  } catch {
    text = '…'
  }
  if (text.length > 120) text = `${text.slice(0, 117)}…`
  return type === 'undefined' || type === 'null' ? `\`${type}\`` : `\`${text}\` (${type})`
}

/**
 * Throws for an option that does not exist, naming those that do: a typo must not pass as a default.
 */
export function refuseUnknownOptions(
  subject: string,
  metric: string | undefined,
  options: object,
  known: readonly string[],
): void {
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new MetricError('ERR_NARTHEX_UNKNOWN_OPTION', {
        subject,
        metric,
        argument: key,
        rule: `to be one of the options ${known.join(', ')}`,
        value: (options as Record<string, unknown>)[key],
      })
    }
  }
}

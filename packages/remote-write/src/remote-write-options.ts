import { defaultRegistry, type Gatherer, type LabelValue, MetricError } from '@narthex/core'
import { requestHeaders, type RequestOptions, type TlsOptions } from '@narthex/core/push'

export interface RemoteWriteOptions extends RequestOptions {
  /** Where samples go: `http://prometheus:9090/api/v1/write`. */
  readonly url: string | URL
  /** @default defaultRegistry */
  readonly registry?: Gatherer
  /**
   * Milliseconds between two collections, once it was started.
   * @default 15_000
   */
  readonly interval?: number
  /** What a scrape would add to each series: `job`, `instance`. A series' own label of that name wins. */
  readonly labels?: { readonly [name: string]: LabelValue }
  /**
   * Milliseconds that one request may take before it is tried again.
   * @default 30_000
   */
  readonly timeout?: number
  /**
   * How many samples one request may hold.
   * @default 2_000
   */
  readonly maxSamplesPerSend?: number
  /**
   * How many samples may wait for the server. The oldest make room for new ones, and are counted.
   * @default 100_000
   */
  readonly maxQueueSamples?: number
  /**
   * Milliseconds that `flush` and `close` may wait for the server.
   * @default 10_000
   */
  readonly flushTimeout?: number
  /**
   * Whether `close` ends every series, so that queries no longer find it. Without it they find the last value for
   * another five minutes.
   * @default true
   */
  readonly staleMarkers?: boolean
  /**
   * Whether native histograms are written as such, in place of their classic buckets. A Prometheus that was started
   * without them answers 500 to all that comes with one.
   * @default false
   */
  readonly nativeHistograms?: boolean
  /**
   * Whether exemplars are written, each once. A server that keeps none passes over them.
   * @default true
   */
  readonly exemplars?: boolean
  /**
   * Whether type, help and unit of the families are written, once a minute.
   * @default true
   */
  readonly metadata?: boolean
  /** Told of samples that were refused, and of a server that cannot be reached; without it the first of a row warns. */
  readonly onError?: (error: unknown) => void
}

/** Options that have been checked, with their defaults. */
export interface RemoteWriteSettings {
  readonly url: URL
  readonly registry: Gatherer
  readonly interval: number
  readonly labels: ReadonlyMap<string, string>
  readonly headers: { readonly [name: string]: string }
  readonly tls: TlsOptions | undefined
  readonly timeout: number
  readonly maxSamplesPerSend: number
  readonly maxQueueSamples: number
  readonly flushTimeout: number
  readonly staleMarkers: boolean
  readonly nativeHistograms: boolean
  readonly exemplars: boolean
  readonly metadata: boolean
  readonly onError: ((error: unknown) => void) | undefined
}

const OPTIONS: readonly string[] = [
  'url',
  'registry',
  'interval',
  'labels',
  'auth',
  'tls',
  'headers',
  'timeout',
  'maxSamplesPerSend',
  'maxQueueSamples',
  'flushTimeout',
  'staleMarkers',
  'nativeHistograms',
  'exemplars',
  'metadata',
  'onError',
] satisfies (keyof RemoteWriteOptions)[]

const LONGEST_TIMER = 0x7fffffff

/** Checks what can be checked before anything is sent. Throws `MetricError`, without a secret in it. */
export function checkRemoteWriteOptions(options: RemoteWriteOptions): RemoteWriteSettings {
  if (typeof options !== 'object' || options === null) {
    const details = { subject: SUBJECT, argument: 'options', rule: 'to be an object with `url`', value: options }
    throw new MetricError('ERR_NARTHEX_INVALID_ARGUMENT', details)
  }
  const unknown = Object.keys(options).find((option) => !OPTIONS.includes(option))
  if (unknown !== undefined) {
    const rule = `to be one of the options ${OPTIONS.join(', ')}`
    throw new MetricError('ERR_NARTHEX_UNKNOWN_OPTION', { subject: SUBJECT, argument: unknown, rule })
  }
  const { registry = defaultRegistry, interval = 15_000, timeout = 30_000, flushTimeout = 10_000, onError } = options
  const { maxSamplesPerSend = 2_000, maxQueueSamples = 100_000 } = options
  const { staleMarkers = true, nativeHistograms = false, exemplars = true, metadata = true } = options
  if (typeof registry?.gather !== 'function') refuse('registry', 'to be a Registry', registry)
  for (const [name, value] of Object.entries({ interval, timeout, flushTimeout })) {
    const rule = `to be a whole number of milliseconds from 1 to ${LONGEST_TIMER}`
    if (!Number.isInteger(value) || value < 1 || value > LONGEST_TIMER) refuse(name, rule, value)
  }
  for (const [name, value] of Object.entries({ maxSamplesPerSend, maxQueueSamples })) {
    if (!Number.isSafeInteger(value) || value < 1) refuse(name, 'to be an integer >= 1', value)
  }
  for (const [name, value] of Object.entries({ staleMarkers, nativeHistograms, exemplars, metadata })) {
    if (typeof value !== 'boolean') refuse(name, 'to be a boolean', value)
  }
  if (onError !== undefined && typeof onError !== 'function') refuse('onError', 'to be a function', onError)
  const url = checkedUrl(options.url)
  const headers = requestHeaders(SUBJECT, url, options, ['x-prometheus-remote-write-version'])
  const labels = checkedLabels(options.labels)
  const sizes = { interval, timeout, flushTimeout, maxSamplesPerSend, maxQueueSamples }
  return {
    url,
    registry,
    labels,
    headers,
    tls: options.tls,
    ...sizes,
    staleMarkers,
    nativeHistograms,
    exemplars,
    metadata,
    onError,
  }
}

const SUBJECT = 'RemoteWriter'

function checkedUrl(url: unknown): URL {
  const isUrl = (typeof url === 'string' && URL.canParse(url)) || url instanceof URL
  if (!isUrl) return refuse('url', 'to be the address that takes remote writes')
  const address = new URL(url)
  if (address.protocol !== 'http:' && address.protocol !== 'https:') refuse('url', 'to begin with http:// or https://')
  return address
}

function checkedLabels(labels: RemoteWriteOptions['labels'] = {}): ReadonlyMap<string, string> {
  if (typeof labels !== 'object' || labels === null) return refuse('labels', 'to be an object', labels)
  const checked = new Map<string, string>()
  for (const [name, value] of Object.entries(labels)) {
    const rule = 'to hold names of letters, digits and underscores that do not begin with a digit or `__`'
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || name.startsWith('__')) refuse('labels', rule, name)
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      const details = { subject: SUBJECT, argument: name, rule: 'to be a string, a number or a boolean', value }
      throw new MetricError('ERR_NARTHEX_INVALID_LABEL_VALUE', details)
    }
    checked.set(name, String(value).toWellFormed())
  }
  return checked
}

/** Without `value` where that may hold a password, a token or a key. */
function refuse(argument: string, rule: string, ...value: [] | [value: unknown]): never {
  const got = value.length === 1 ? { value: value[0] } : {}
  throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject: SUBJECT, argument, rule, ...got })
}

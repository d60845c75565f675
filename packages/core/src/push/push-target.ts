import type { Gatherer } from '../collector.ts'
import { MetricError, refuseUnknownOptions } from '../errors.ts'
import { groupPath, type GroupingKey } from './grouping-key.ts'
import { requestHeaders, type RequestOptions } from './request-options.ts'
import type { TlsOptions } from './send.ts'

export interface PushOptions extends RequestOptions {
  /** The name that the group goes by, beside its grouping key. */
  readonly job: string
  /** More labels of the group, such as `instance`. No pushed series may have one of them itself. */
  readonly groupingKey?: GroupingKey
  /** @default defaultRegistry */
  readonly registry?: Gatherer
  /**
   * Milliseconds for the requests, retries included. Collecting has its own: the registry's `collectTimeout`.
   * @default 30_000
   */
  readonly timeout?: number
  /**
   * How often to try again where the gateway cannot be reached, breaks off, or answers 429 or 5xx: pushing replaces, so
   * doing it twice does no harm. Waits about 200 ms, then twice as long each time, or as long as `Retry-After` says.
   * @default 3
   */
  readonly retries?: number
  /**
   * Whether to compress with gzip, which a Pushgateway reads from 1.5.0 on.
   * @default false
   */
  readonly compression?: boolean
  /** @default 'text' */
  readonly format?: 'text' | 'protobuf'
}

const OPTIONS = [
  'job',
  'groupingKey',
  'registry',
  'auth',
  'tls',
  'headers',
  'timeout',
  'retries',
  'compression',
  'format',
] as const

/** Where a group lives and how to talk to it: options that have been checked. */
export interface PushTarget {
  readonly url: URL
  readonly headers: { readonly [name: string]: string }
  readonly tls: TlsOptions | undefined
  readonly timeout: number
  readonly retries: number
  /** The labels that the gateway gives every series of the group. */
  readonly labels: readonly string[]
}

/** Checks what can be checked before anything is sent. Throws `MetricError`, without a secret in it. */
export function pushTarget(url: string | URL, options: PushOptions): PushTarget {
  if (typeof options !== 'object' || options === null) {
    throw new MetricError('ERR_NARTHEX_INVALID_ARGUMENT', {
      subject: 'Pushgateway',
      argument: 'options',
      rule: 'to be an object with `job`',
      value: options,
    })
  }
  refuseUnknownOptions('Pushgateway', undefined, options, OPTIONS)
  const {
    job,
    groupingKey,
    registry,
    tls,
    timeout = 30_000,
    retries = 3,
    compression = false,
    format = 'text',
  } = options
  if (registry !== undefined && typeof registry?.gather !== 'function') refuse('registry', 'to be a Registry', registry)
  if (typeof timeout !== 'number' || !(timeout > 0)) refuse('timeout', 'to be a number of milliseconds > 0', timeout)
  if (!Number.isInteger(retries) || retries < 0) refuse('retries', 'to be an integer >= 0', retries)
  if (typeof compression !== 'boolean') refuse('compression', 'to be a boolean', compression)
  if (format !== 'text' && format !== 'protobuf') refuse('format', "to be 'text' or 'protobuf'", format)
  const path = groupPath(job, groupingKey)
  const target = addressOf(url)
  const headers = requestHeaders('Pushgateway', target, options)
  target.pathname = target.pathname.replace(/\/+$/, '') + path
  return { url: target, headers, tls, timeout, retries, labels: ['job', ...Object.keys(groupingKey ?? {})] }
}

function addressOf(url: unknown): URL {
  const isUrl = url instanceof URL || (typeof url === 'string' && url !== '')
  // As in the Python client, a bare `localhost:9091` is an address as well.
  const address = typeof url === 'string' && !url.includes('://') ? `http://${url}` : String(url)
  if (!isUrl || !URL.canParse(address)) return refuse('url', 'to be the address of a Pushgateway')
  const target = new URL(address)
  if (target.protocol !== 'http:' && target.protocol !== 'https:') refuse('url', 'to begin with http:// or https://')
  return target
}

/** Without `value` where that may hold a password, a token or a key. */
function refuse(argument: string, rule: string, ...value: [] | [value: unknown]): never {
  const got = value.length === 1 ? { value: value[0] } : {}
  throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject: 'Pushgateway', argument, rule, ...got })
}

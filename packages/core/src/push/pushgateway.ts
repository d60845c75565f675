import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Gatherer } from '../collector.ts'
import { MetricError, refuseUnknownOptions } from '../errors.ts'
import { encode } from '../exposition/encode.ts'
import { protobufFormat } from '../exposition/protobuf.ts'
import { textFormat } from '../exposition/text.ts'
import type { MetricFamily } from '../family.ts'
import { defaultRegistry } from '../registry.ts'
import { authorizationHeader, type Credentials } from './credentials.ts'
import { groupPath, type GroupingKey } from './grouping-key.ts'
import { send, type TlsOptions } from './send.ts'

export interface PushOptions {
  /** The name that the group goes by, beside its grouping key. */
  readonly job: string
  /** More labels of the group, such as `instance`. No pushed series may have one of them itself. */
  readonly groupingKey?: GroupingKey
  /** @default defaultRegistry */
  readonly registry?: Gatherer
  /** A user with a password, or a bearer token. */
  readonly auth?: Credentials
  /** Certificates for `https:` addresses: what `node:tls` takes. */
  readonly tls?: TlsOptions
  /** More headers for the request. */
  readonly headers?: { readonly [name: string]: string }
  /**
   * Milliseconds for the whole of it, retries included.
   * @default 30_000
   */
  readonly timeout?: number
  /**
   * How often to try again where the gateway cannot be reached or answers 429 or 5xx. Pushing replaces, so doing it twice
   * does no harm. Waits 200 ms, then twice as long each time.
   * @default 3
   */
  readonly retries?: number
  /** @default false */
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

/** Why a push did not arrive: what the gateway said, or why it could not be asked. */
export class PushError extends Error {
  override readonly name = 'PushError'
  readonly code = 'ERR_NARTHEX_PUSH_FAILED'
  readonly url: string
  /** The status of the last answer; absent where there was none. */
  readonly status: number | undefined
  /** The beginning of the last answer. */
  readonly body: string

  constructor(action: string, url: string, status: number | undefined, body: string, cause?: unknown) {
    const reason = status === undefined ? describe(cause) : `it answered ${status}${body === '' ? '' : `: ${body.trim()}`}`
    super(`${action} ${url} failed: ${reason}`, { cause })
    this.url = url
    this.status = status
    this.body = body
  }
}

/**
 * Replaces all metrics of a group with those of a registry (PUT). Resolves when the gateway has taken them; rejects with
 * {@link PushError}, in bounded time, where it has not, and with `MetricError` for wrong options and for a series that
 * has a label of the grouping key itself.
 */
export function pushToGateway(url: string | URL, options: PushOptions): Promise<void> {
  return push('PUT', url, options)
}

/** As {@link pushToGateway}, but replaces only metrics of the same names (POST). */
export function pushAddToGateway(url: string | URL, options: PushOptions): Promise<void> {
  return push('POST', url, options)
}

/** Deletes a group with all its metrics (DELETE). */
export function deleteFromGateway(url: string | URL, options: Omit<PushOptions, 'registry' | 'format'>): Promise<void> {
  return request('DELETE', groupUrl(url, options), options)
}

async function push(method: 'PUT' | 'POST', url: string | URL, options: PushOptions): Promise<void> {
  const target = groupUrl(url, options)
  const { registry = defaultRegistry, format = 'text', compression = false, job, groupingKey = {} } = options
  const labels = ['job', ...Object.keys(groupingKey)]
  const families: MetricFamily[] = []
  for await (const family of registry.gather({ escaping: 'underscores' })) families.push(refusing(family, labels, job))
  const dialect = format === 'protobuf' ? protobufFormat : textFormat
  const page = encode(families, dialect)
  const body = compression ? await promisify(gzip)(page) : page
  const headers = { 'Content-Type': dialect.contentType, ...(compression && { 'Content-Encoding': 'gzip' }) }
  await request(method, target, options, headers, body)
}

/** The gateway would overwrite such a label without a word. */
function refusing(family: MetricFamily, labels: readonly string[], job: string): MetricFamily {
  const check = function* (): Generator {
    for (const series of family.series) {
      const clash = labels.find((label) => label in series.labels)
      if (clash !== undefined) {
        throw new MetricError('ERR_NARTHEX_INVALID_LABELS', {
          subject: 'Pushgateway',
          metric: family.name,
          argument: 'labels',
          rule: `to leave \`${clash}\` to the group of job \`${job}\``,
          value: series.labels,
        })
      }
      yield series
    }
  }
  return { ...family, series: { [Symbol.iterator]: check } } as MetricFamily
}

function groupUrl(url: string | URL, options: PushOptions): URL {
  const subject = 'Pushgateway'
  if (typeof options !== 'object' || options === null) {
    const rule = 'to be an object with `job`'
    throw new MetricError('ERR_NARTHEX_INVALID_ARGUMENT', { subject, argument: 'options', rule, value: options })
  }
  refuseUnknownOptions(subject, undefined, options, OPTIONS)
  const { timeout = 30_000, retries = 3, format = 'text' } = options
  const refuse = (argument: string, rule: string, value: unknown): never => {
    throw new MetricError('ERR_NARTHEX_INVALID_OPTION', { subject, argument, rule, value })
  }
  if (typeof timeout !== 'number' || !(timeout > 0)) refuse('timeout', 'to be a number of milliseconds > 0', timeout)
  if (!Number.isInteger(retries) || retries < 0) refuse('retries', 'to be an integer >= 0', retries)
  if (format !== 'text' && format !== 'protobuf') refuse('format', "to be 'text' or 'protobuf'", format)
  const path = groupPath(options.job, options.groupingKey)
  // As in the Python client, a bare `localhost:9091` is an address as well.
  const address = typeof url === 'string' && !/^[a-z]+:\/\//i.test(url) ? `http://${url}` : String(url)
  const target = URL.canParse(address) ? new URL(address) : refuse('url', 'to be the address of a Pushgateway', url)
  if (target.protocol !== 'http:' && target.protocol !== 'https:') refuse('url', 'to begin with http: or https:', url)
  target.pathname = target.pathname.replace(/\/+$/, '') + path
  return target
}

async function request(
  method: 'PUT' | 'POST' | 'DELETE',
  url: URL,
  options: Omit<PushOptions, 'registry'>,
  contentHeaders: Record<string, string> = {},
  body?: Uint8Array,
): Promise<void> {
  const { timeout = 30_000, retries = 3, tls } = options
  const headers = { ...options.headers, ...contentHeaders, ...authorizationHeader(options.auth, url) }
  const signal = AbortSignal.timeout(Math.min(timeout, 0x7fffffff))
  const shown = withoutCredentials(url)
  for (let attempt = 0; ; attempt++) {
    const outcome = await send({ method, url, headers, body, tls, signal }).catch((error: unknown) => ({ error }))
    if ('status' in outcome) {
      const { status, text } = outcome
      if (status >= 200 && status < 300) return
      const retriable = status === 429 || status >= 500
      if (!retriable || attempt >= retries) throw new PushError(method, shown, status, text)
    } else if (attempt >= retries || signal.aborted) {
      throw new PushError(method, shown, undefined, '', signal.aborted ? lateness(timeout) : outcome.error)
    }
    await delay(200 * 2 ** attempt, undefined, { signal }).catch(() => {
      throw new PushError(method, shown, 'status' in outcome ? outcome.status : undefined, '', lateness(timeout))
    })
  }
}

function lateness(milliseconds: number): Error {
  return new Error(`no answer within ${milliseconds} ms`)
}

function withoutCredentials(url: URL): string {
  const shown = new URL(url)
  shown.username = ''
  shown.password = ''
  return shown.href
}

function describe(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return cause.errors.map(describe).join('; ')
  return cause instanceof Error ? cause.message || cause.name : String(cause)
}

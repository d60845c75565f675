import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { protobufFormat } from '../exposition/protobuf.ts'
import { textFormat } from '../exposition/text.ts'
import { defaultRegistry } from '../registry.ts'
import { deliver } from './delivery.ts'
import { pushablePage } from './pushable-page.ts'
import { type PushOptions, pushTarget } from './push-target.ts'

/**
 * Replaces all metrics of a group with those of a registry (PUT). Resolves when the gateway has taken them; rejects with
 * {@link PushError}, in bounded time, where it has not, and with `MetricError` for wrong options, for a series that has a
 * timestamp, and for one that has a label of the grouping key itself. The page is held in memory.
 */
export function pushToGateway(url: string | URL, options: PushOptions): Promise<void> {
  return push('PUT', url, options)
}

/** As {@link pushToGateway}, but replaces only metrics of the same names (POST). */
export function pushAddToGateway(url: string | URL, options: PushOptions): Promise<void> {
  return push('POST', url, options)
}

/** Deletes a group with all its metrics (DELETE); one that does not exist is no failure. Rejects as {@link pushToGateway}. */
export async function deleteFromGateway(
  url: string | URL,
  options: Omit<PushOptions, 'registry' | 'format' | 'compression'>,
): Promise<void> {
  await deliver('DELETE', pushTarget(url, options))
}

async function push(method: 'PUT' | 'POST', url: string | URL, options: PushOptions): Promise<void> {
  const target = pushTarget(url, options)
  const { registry = defaultRegistry, format = 'text', compression = false } = options
  const dialect = format === 'protobuf' ? protobufFormat : textFormat
  const chunks: Uint8Array[] = []
  const use = { subject: 'Pushgateway', groupLabels: target.labels }
  for await (const chunk of pushablePage(registry, dialect, use)) chunks.push(chunk)
  const page = Buffer.concat(chunks)
  const body = compression ? await promisify(gzip)(page) : page
  const headers = { 'Content-Type': dialect.contentType, ...(compression && { 'Content-Encoding': 'gzip' }) }
  await deliver(method, target, headers, body)
}

import { Gauge, Registry } from '@narthex/core'
import { type MetricsServer, type MetricsServerOptions, startMetricsServer } from '@narthex/core/http'
import { onTestFinished } from 'vitest'

/** A server on a free port of 127.0.0.1, or where the options say, that is closed when the test is over. */
export async function startedServer(
  options: Partial<MetricsServerOptions> = {},
): Promise<MetricsServer & { readonly port: number }> {
  const place = options.socket === undefined ? { port: 0, host: '127.0.0.1' } : {}
  const server = await startMetricsServer({ ...place, ...options })
  onTestFinished(() => server.close())
  return Object.assign(server, { port: server.url.startsWith('http') ? Number(new URL(server.url).port) : 0 })
}

/** A registry with one line: `answer 42`. */
export function smallRegistry(name = 'answer'): Registry {
  const registry = new Registry()
  new Gauge({ name, help: 'The answer.', registry }).set(42)
  return registry
}

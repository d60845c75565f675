import { parseArgs } from 'node:util'
import { Registry } from '@narthex/core'
import { startMetricsServer } from '@narthex/core/http'
import { GAME_SERVERS, GameApi } from './game-api.ts'
import { GameServers } from './game-servers.ts'

const { values } = parseArgs({
  options: {
    api: { type: 'string' },
    server: { type: 'string', multiple: true, default: [...GAME_SERVERS] },
    interval: { type: 'string', default: '60' },
    port: { type: 'string', default: '9800' },
  },
})
const interval = Number(values.interval) * 1_000
if (!(interval > 0)) throw new Error(`--interval takes seconds, not \`${values.interval}\`.`)

const demo = values.api === undefined ? new GameApi() : undefined
const api = values.api ?? (await demo?.listen()) ?? ''

const registry = new Registry()
const servers = new GameServers({ api, servers: values.server, registry, interval })
const metrics = await startMetricsServer({ port: Number(values.port), registry, title: 'Game servers' })
console.log(`Metrics: ${metrics.url}`)
await servers.start()

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    servers.stop()
    void metrics.close()
    void demo?.close()
  })
}

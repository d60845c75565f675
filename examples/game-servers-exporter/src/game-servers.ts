import { Counter, Enum, Gauge, Histogram, Info, type Registry } from '@narthex/core'
import { fetchStatus, type ServerStatus, STATES, StatusError } from './server-status.ts'

export interface GameServersOptions {
  /** URL of the API. */
  readonly api: string
  /** The servers to ask for, by name. */
  readonly servers: readonly string[]
  readonly registry: Registry
  /**
   * Milliseconds from one poll to the next.
   * @default 60_000
   */
  readonly interval?: number
  /**
   * Milliseconds that the API may take to answer.
   * @default 5_000
   */
  readonly timeout?: number
}

/**
 * Asks the API about every server at an interval, and keeps what it said in metrics. Scrapes only read those: a slow
 * API makes no slow page. A server that the API tells nothing of has no players rather than the last ones known.
 */
export class GameServers implements Disposable {
  readonly #options: Required<GameServersOptions>
  readonly #metrics: ReturnType<typeof metricsOn>
  #timer: ReturnType<typeof setTimeout> | undefined = undefined
  #isStopped = false

  constructor({ interval = 60_000, timeout = 5_000, ...options }: GameServersOptions) {
    this.#options = { ...options, interval, timeout }
    this.#metrics = metricsOn(options.registry)
    for (const server of options.servers) this.#lost(server)
  }

  /** Polls now, and from now on at the interval. Resolves after the first poll. */
  async start(): Promise<void> {
    await this.poll()
    if (this.#isStopped) return
    this.#timer = setTimeout(() => void this.start(), this.#options.interval)
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  [Symbol.dispose](): void {
    this.stop()
  }

  /** Asks about all servers once. Never rejects: a server that cannot be read is a line on the page. */
  async poll(): Promise<void> {
    const { api, servers, timeout } = this.#options
    using _ = this.#metrics.duration.startTimer()
    const answers = servers.map(async (server) => {
      try {
        this.#found(server, await fetchStatus(api, server, timeout))
      } catch (error) {
        const trouble = error instanceof StatusError ? error.trouble : 'shape'
        this.#metrics.failures.inc({ server, trouble })
        this.#lost(server)
      }
    })
    await Promise.all(answers)
  }

  #found(server: string, { state, online, max, ...facts }: ServerStatus): void {
    const metrics = this.#metrics
    metrics.up.set({ server }, 1)
    metrics.players.set({ server }, online)
    metrics.playersMax.set({ server }, max)
    metrics.state.state({ server }, state)
    metrics.info.info({ server }, facts)
    metrics.lastSeen.setToCurrentTime({ server })
    this.#sum()
  }

  #lost(server: string): void {
    const metrics = this.#metrics
    metrics.up.set({ server }, 0)
    metrics.players.remove({ server })
    metrics.playersMax.remove({ server })
    metrics.state.state({ server }, 'unknown')
    this.#sum()
  }

  /** No sum of nothing: where no server is known the number of players is not 0. */
  #sum(): void {
    let total = Number.NaN
    for (const { value } of this.#metrics.players.family.series as Iterable<{ readonly value: number }>) {
      total = (Number.isNaN(total) ? 0 : total) + value
    }
    this.#metrics.total.set(total)
  }
}

function metricsOn(registry: Registry) {
  const labelNames = ['server'] as const
  return {
    up: new Gauge({ name: 'game_server_up', help: 'Whether the API told of the server', labelNames, registry }),
    players: new Gauge({ name: 'game_server_players', help: 'Players on the server', labelNames, registry }),
    playersMax: new Gauge({ name: 'game_server_players_max', help: 'Players it has room for', labelNames, registry }),
    total: new Gauge({ name: 'game_players', help: 'Players on all servers that are known', registry }),
    state: new Enum({ name: 'game_server_state', help: 'What the server does', states: STATES, labelNames, registry }),
    info: new Info({ name: 'game_server', help: 'Where the server is and what it runs', labelNames, registry }),
    lastSeen: new Gauge({
      name: 'game_server_last_seen_timestamp_seconds',
      help: 'When the API last told of the server',
      labelNames,
      registry,
    }),
    failures: new Counter({
      name: 'game_api_failures',
      help: 'Answers of the API that were no use, by what was wrong with them',
      labelNames: ['server', 'trouble'],
      registry,
    }),
    duration: new Histogram({
      name: 'game_api_poll_duration_seconds',
      help: 'Time to ask about all servers',
      registry,
    }),
  }
}

import { createServer, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

/** What is wrong with an answer, for those who want to see what becomes of it. */
export type Mood = 'well' | 'slow' | 'bad JSON' | 'wrong shape' | 'status 500' | 'resets'

/** Players online in the course of a day, recorded every two hours. */
const RECORDED: Readonly<Record<string, { region: string; map: string; max: number; players: readonly number[] }>> = {
  'eu-1': { region: 'eu-west', map: 'harbour', max: 64, players: [21, 9, 4, 3, 11, 18, 26, 31, 40, 58, 64, 47] },
  'eu-2': { region: 'eu-west', map: 'old town', max: 64, players: [12, 6, 2, 1, 5, 9, 14, 19, 25, 37, 44, 29] },
  'us-1': { region: 'us-east', map: 'harbour', max: 48, players: [40, 48, 35, 22, 13, 6, 3, 5, 10, 16, 24, 33] },
}

/** The names of the servers that the API knows. */
export const GAME_SERVERS: readonly string[] = Object.keys(RECORDED)

/** A small API with data as it was recorded: `GET /servers/eu-1`. An hour there is a minute here. */
export class GameApi {
  /** By server; those that are not there are well. */
  readonly moods = new Map<string, Mood>()
  readonly #server: Server
  #requests = 0

  constructor() {
    this.#server = createServer((request, response) => {
      this.#requests += 1
      this.#answer(/^\/servers\/([^/?]+)$/.exec(request.url ?? '')?.[1] ?? '', response)
    })
  }

  /** How often it was asked. */
  get requests(): number {
    return this.#requests
  }

  /** Resolves with its URL. Port 0 is any free one. */
  async listen(port = 0): Promise<string> {
    await once(this.#server.listen(port, '127.0.0.1'), 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server.close(), 'close')
    this.#server.closeAllConnections()
    await closed
  }

  #answer(name: string, response: ServerResponse): void {
    const body = JSON.stringify(statusOf(name))
    const mood = this.moods.get(name) ?? 'well'
    if (mood === 'slow') return
    if (mood === 'resets') response.destroy()
    else if (mood === 'status 500') response.writeHead(500).end('{"error":"the database is full"}')
    else if (mood === 'bad JSON') response.end(body.slice(0, -20))
    else if (mood === 'wrong shape') response.end(JSON.stringify({ ...statusOf(name), players: 'many' }))
    else if (body === undefined) response.writeHead(404).end('{"error":"no such server"}')
    else response.setHeader('Content-Type', 'application/json').end(body)
  }
}

function statusOf(name: string): object | undefined {
  const recorded = Object.hasOwn(RECORDED, name) ? RECORDED[name] : undefined
  if (recorded === undefined) return undefined
  const { region, map, max, players } = recorded
  const online = players[Math.floor(Date.now() / 120_000) % players.length]
  return { name, state: online === max ? 'full' : 'running', region, map, version: '1.18.2', players: { online, max } }
}

/** What a server may be doing. `unknown` is ours: the API does not say it. */
export const STATES = ['unknown', 'starting', 'running', 'full', 'maintenance'] as const

export type State = (typeof STATES)[number]

/** What the API tells of a server. */
export interface ServerStatus {
  readonly state: State
  readonly region: string
  readonly map: string
  readonly version: string
  readonly online: number
  readonly max: number
}

/** Why there is no status. */
export type Trouble = 'timeout' | 'unreachable' | 'status' | 'json' | 'shape'

export class StatusError extends Error {
  readonly trouble: Trouble

  constructor(trouble: Trouble, message: string) {
    super(message)
    this.trouble = trouble
  }
}

/** Asks the API about a server. Rejects with a `StatusError`, at the latest after so many milliseconds. */
export async function fetchStatus(api: string, server: string, milliseconds: number): Promise<ServerStatus> {
  let text: string
  try {
    const signal = AbortSignal.timeout(milliseconds)
    const response = await fetch(`${api}/servers/${encodeURIComponent(server)}`, { signal })
    text = await response.text()
    if (!response.ok) throw new StatusError('status', `the API answered ${response.status}`)
  } catch (error) {
    if (error instanceof StatusError) throw error
    const isLate = error instanceof DOMException && error.name === 'TimeoutError'
    if (isLate) throw new StatusError('timeout', `the API did not answer within ${milliseconds} ms`)
    throw new StatusError('unreachable', `the API is not there: ${String((error as Error).cause ?? error)}`)
  }
  return readStatus(text)
}

/** Reads an answer of the API. What is not as expected is no reason to show it: throws a `StatusError`. */
export function readStatus(text: string): ServerStatus {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch {
    throw new StatusError('json', `the API answered no JSON: ${text.slice(0, 60)}`)
  }
  const { state, region, map, version, players } = objectFrom(answer)
  const { online, max } = objectFrom(players)
  if (!isState(state)) throw new StatusError('shape', `\`state\` is none that is known: ${JSON.stringify(state)}`)
  for (const [name, value] of Object.entries({ online, max })) {
    if (!Number.isInteger(value) || (value as number) < 0) {
      throw new StatusError('shape', `\`players.${name}\` is no count: ${JSON.stringify(value)}`)
    }
  }
  const facts = { region, map, version }
  for (const [name, value] of Object.entries(facts)) {
    if (typeof value !== 'string') throw new StatusError('shape', `\`${name}\` is no text: ${JSON.stringify(value)}`)
  }
  return { state, ...(facts as Record<keyof typeof facts, string>), online: online as number, max: max as number }
}

function objectFrom(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  throw new StatusError('shape', `expected an object, got ${JSON.stringify(value)}`)
}

function isState(state: unknown): state is State {
  return STATES.includes(state as State)
}

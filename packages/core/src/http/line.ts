import { type IncomingMessage, OutgoingMessage, type ServerResponse } from 'node:http'
import type { Exchange } from './exchange.ts'
import { keepClassOf } from './kept-class.ts'

/** Shared by all copies of the package: a response is wrapped and counted once, whichever copy is asked. */
export const KEY: unique symbol = Symbol.for('@narthex/core/http/exchanges/v1')

/**
 * A response with the exchange that has followed it first, where its connection has none: a property more is dear where
 * a framework reshapes responses (`FrameworkView`). A Map by response would cost the collector 3 µs a request: it keeps
 * what was in the tables that it has outgrown (`express` in benchmarks).
 */
export interface Followed {
  [KEY]?: Exchange<unknown>
}

/** A connection of HTTP/1. */
export interface Connection {
  readonly server?: object
  readonly destroyed?: boolean
  /** The response whose turn it is. Node's own affair: where it is missing, exchanges are kept at their responses. */
  readonly _httpMessage?: ServerResponse | null
  once?(event: 'close', listener: (this: Connection) => void): void
  [KEY]?: Line
}

/** The connection that a request came on; with HTTP/2 there is none. It reads by name (`FrameworkView.reshapes`). */
export function connectionOf(raw: IncomingMessage): Connection | undefined {
  return raw.httpVersionMajor === 1 ? (raw.socket as Connection) : undefined
}

/** The connection that a response goes out on, once it has its turn and until it has ended; with HTTP/2 there is none. */
export function connectionAt(response: ServerResponse): Connection | null | undefined {
  return response instanceof OutgoingMessage ? (Reflect.get(response, 'socket') as Connection | null) : undefined
}

/** The exchange that has followed a response first, where its request's connection is known: to find that costs more. */
export function firstOn(
  connection: Connection | null | undefined,
  response: ServerResponse,
): Exchange<unknown> | undefined {
  const line = connection?.[KEY]
  return line === undefined ? (response as Followed)[KEY] : line.of(response)
}

/** What a connection has of exchanges. */
export class Line {
  /** The first one of the response whose turn it is; of one that is cut off, for good. */
  current: Exchange<unknown> | undefined = undefined
  /** Open ones whose turn it was not when they began, and those whose response an application has detached. */
  readonly others: Set<Exchange<unknown>> = new Set()
  /** Whether one was kept at its response. */
  hasKept = false
  /** Until the end of the connection was told. */
  isOpen = true

  /** It has its turn. */
  begin(exchange: Exchange<unknown>): void {
    exchange.line = this
    this.current = exchange
  }

  /** It is open, and not the connection's. */
  keep(exchange: Exchange<unknown>): void {
    exchange.line = this
    if (this.current === exchange) this.current = undefined
    this.others.add(exchange)
    keepAtResponse(exchange, this)
  }

  /** It has ended well. */
  drop(exchange: Exchange<unknown>): void {
    if (this.current === exchange) this.current = undefined
    else this.others.delete(exchange)
  }

  /** The first one of a response. */
  of(response: ServerResponse): Exchange<unknown> | undefined {
    if (this.current?.response === response) return this.current
    return this.hasKept === true ? (response as Followed)[KEY] : undefined
  }
}

keepClassOf(new Line())

/** Where there is no connection of HTTP/1, or it has another. */
export function keepAtResponse(exchange: Exchange<unknown>, line: Line | undefined): void {
  ;(exchange.response as Followed)[KEY] = exchange
  if (line !== undefined) line.hasKept = true
}

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as NetServer } from 'node:net'

/** The answers that a server has under way, so that it can close without cutting them off. */
export class OpenAnswers {
  readonly #open = new Set<ServerResponse>()
  #closing = false

  /** To be called for each request. */
  add(request: IncomingMessage, response: ServerResponse): void {
    this.#open.add(response)
    if (this.#closing) response.setHeader('Connection', 'close')
    response.once('close', () => {
      this.#open.delete(response)
      // Its connection would stay open for the next request.
      if (this.#closing) request.socket.destroySoon()
    })
  }

  /**
   * Stops listening, closes idle connections, and those with an answer under way when it is delivered, at most so many
   * milliseconds later. Resolves when all is closed.
   */
  async close(server: Server, milliseconds: number): Promise<void> {
    this.#closing = true
    // Not the server's own `close` yet: that takes a connection for idle when its answer is complete, though its last
    // bytes have not left.
    const closed = new Promise<void>((resolve) => {
      NetServer.prototype.close.call(server, () => resolve())
    })
    const force = setTimeout(() => server.closeAllConnections(), Math.min(milliseconds, 0x7fffffff))
    await Promise.race([closed, this.#written()])
    server.close()
    await closed
    clearTimeout(force)
  }

  async #written(): Promise<void> {
    const leaving = [...this.#open].filter((response) => response.writableEnded && !response.writableFinished)
    await Promise.all(leaving.map((response) => new Promise((resolve) => response.once('close', resolve))))
  }
}

import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { send, type SendResponse, type TlsOptions } from '@narthex/core/push'
import { snappyCompressor } from 'hysnappy'

interface ConnectionOptions {
  readonly url: URL
  readonly headers: { readonly [name: string]: string }
  readonly tls: TlsOptions | undefined
  /** Milliseconds. */
  readonly timeout: number
}

/** Prometheus Remote-Write 1.0, "Protocol". */
const HEADERS = {
  'Content-Type': 'application/x-protobuf',
  'Content-Encoding': 'snappy',
  'X-Prometheus-Remote-Write-Version': '0.1.0',
  'User-Agent': 'narthex-remote-write',
}

/** One connection to a server that takes remote writes, kept open between requests without keeping the process alive. */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #agent: HttpAgent
  #compress: ((input: Uint8Array) => Uint8Array) | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    const Agent = options.url.protocol === 'https:' ? HttpsAgent : HttpAgent
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 })
  }

  /** Sends a write request. Rejects where no answer came, half of one, or not in time. */
  async post(message: Uint8Array, abort: AbortSignal): Promise<SendResponse> {
    this.#compress ??= snappyCompressor()
    const { timeout } = this.#options
    const request = new AbortController()
    const giveUp = (): void => request.abort()
    let late = false
    const timer = setTimeout(() => {
      late = true
      giveUp()
    }, timeout)
    abort.addEventListener('abort', giveUp)
    try {
      const { url, headers, tls } = this.#options
      const body = this.#compress(message)
      const sent = { ...HEADERS, ...headers }
      return await send({ method: 'POST', url, headers: sent, body, tls, signal: request.signal, agent: this.#agent })
    } catch (error) {
      throw late ? new Error(`no answer within ${timeout} ms`) : error
    } finally {
      clearTimeout(timer)
      abort.removeEventListener('abort', giveUp)
    }
  }

  /** Gives up the connection; the next request opens another. */
  close(): void {
    this.#agent.destroy()
  }
}

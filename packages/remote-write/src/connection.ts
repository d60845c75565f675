import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { TlsOptions } from '@narthex/core/push'
import { snappyCompressor } from 'hysnappy'

/** What a server said to a request. */
export interface Answer {
  readonly status: number
  /** A header by its lower-case name. */
  header(name: string): string | undefined
  /** At most the first kilobyte of the body. */
  readonly text: string
}

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

const MAX_TEXT = 1_024

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
  async post(message: Uint8Array, abort: AbortSignal): Promise<Answer> {
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
      return await this.#send(this.#compress(message), request.signal)
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

  #send(body: Uint8Array, signal: AbortSignal): Promise<Answer> {
    const { url, headers, tls } = this.#options
    const start = url.protocol === 'https:' ? httpsRequest : httpRequest
    const sent = { ...HEADERS, ...headers, 'Content-Length': String(body.length) }
    const options = { method: 'POST', headers: sent, agent: this.#agent, auth: '', signal, ...tls }
    return new Promise((resolve, reject) => {
      const request = start(url, options, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          if (text.length < MAX_TEXT) text = (text + chunk).slice(0, MAX_TEXT)
        })
        response.on('error', reject)
        response.on('end', () => {
          const header = (name: string): string | undefined => String(response.headers[name] ?? '') || undefined
          resolve({ status: response.statusCode ?? 0, header, text })
        })
      })
      // Who speaks another protocol from here on has not answered.
      request.on('upgrade', (_, socket) => {
        socket.destroy()
        reject(new Error('the server switched protocols'))
      })
      request.on('error', reject)
      request.end(body)
    })
  }
}

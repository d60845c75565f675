import { type Agent, request as httpRequest } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'

/** Certificates and keys as `node:tls` takes them. */
export type TlsOptions = Pick<
  RequestOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'pfx' | 'rejectUnauthorized' | 'servername' | 'minVersion'
>

export interface SendRequest {
  readonly method: string
  readonly url: URL
  readonly headers: { readonly [name: string]: string }
  readonly body?: Uint8Array | undefined
  readonly tls?: TlsOptions | undefined
  readonly signal: AbortSignal
  /** Keeps connections; without it each request has one of its own. */
  readonly agent?: Agent
}

export interface SendResponse {
  readonly status: number
  /** A header by its lower-case name. */
  header(name: string): string | undefined
  /** At most the first kilobyte of the body. */
  readonly text: string
}

const MAX_TEXT = 1024

/**
 * One request and its answer, whatever its status. Rejects where there is none, half of one, or not in time; follows no
 * redirect.
 */
export function send(request: SendRequest): Promise<SendResponse> {
  const { method, url, headers, body, tls, signal, agent } = request
  return new Promise((resolve, reject) => {
    const start = url.protocol === 'https:' ? httpsRequest : httpRequest
    const framing = { 'Content-Length': String(body?.length ?? 0), ...(agent === undefined && { Connection: 'close' }) }
    const options = { method, headers: { ...headers, ...framing }, signal, agent: agent ?? false, auth: '', ...tls }
    const sent = start(url, options, (response) => {
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
    sent.on('upgrade', (response, socket) => {
      socket.destroy()
      reject(new Error(`answered ${response.statusCode ?? 101} to switch protocols`))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

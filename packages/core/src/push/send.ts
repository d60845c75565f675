import { request as httpRequest } from 'node:http'
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
 * redirect and keeps no connection open.
 */
export function send({ method, url, headers, body, tls, signal }: SendRequest): Promise<SendResponse> {
  return new Promise((resolve, reject) => {
    const start = url.protocol === 'https:' ? httpsRequest : httpRequest
    const length = { 'Content-Length': String(body?.length ?? 0), Connection: 'close' }
    const request = start(
      url,
      { method, headers: { ...headers, ...length }, signal, agent: false, auth: '', ...tls },
      (response) => {
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
      },
    )
    // Who speaks another protocol from here on has not answered.
    request.on('upgrade', (response, socket) => {
      socket.destroy()
      reject(new Error(`answered ${response.statusCode ?? 101} to switch protocols`))
    })
    request.on('error', reject)
    request.end(body)
  })
}

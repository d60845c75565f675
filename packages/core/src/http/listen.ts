import { lstat, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'

/** Where a server listens: a port, or a Unix socket. */
export type Address = { readonly port: number; readonly host?: string } | { readonly socket: string }

/**
 * Resolves when the server listens. Rejects with an `Error` that names the place and has Node's `code`. The socket of a
 * process that died is replaced; one that somebody listens on is not.
 */
export async function listen(server: Server, address: Address): Promise<void> {
  try {
    await tryToListen(server, address)
  } catch (error) {
    if (!('socket' in address) || !(await isAbandoned(address.socket))) throw failure(error, address)
    await unlink(address.socket)
    await tryToListen(server, address).catch((second: unknown) => {
      throw failure(second, address)
    })
  }
}

function tryToListen(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen('socket' in address ? { path: address.socket } : address, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another program',
  EACCES: 'is not this user’s to take',
  EADDRNOTAVAIL: 'is no address of this machine',
}

function failure(error: unknown, address: Address): Error {
  const { code = '', message } = error as NodeJS.ErrnoException
  const place = 'socket' in address ? `socket ${address.socket}` : `port ${address.port}${hostOf(address)}`
  const reason = code in REASONS ? `${REASONS[code]} (${code})` : `cannot be had: ${message}`
  return Object.assign(new Error(`startMetricsServer: ${place} ${reason}`, { cause: error }), { code })
}

function hostOf({ host }: { readonly host?: string }): string {
  return host === undefined ? '' : ` of ${host}`
}

/** Whether there is a socket that nobody answers. */
async function isAbandoned(socket: string): Promise<boolean> {
  try {
    if (!(await lstat(socket)).isSocket()) return false
  } catch {
    return false
  }
  return new Promise((resolve) => {
    const attempt = connect(socket)
    const settle = (abandoned: boolean): void => {
      attempt.destroy()
      resolve(abandoned)
    }
    attempt.once('connect', () => settle(false))
    attempt.once('error', ({ code }: NodeJS.ErrnoException) => settle(code === 'ECONNREFUSED'))
  })
}

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'

/**
 * Listens on the port that was asked for, or, `orNext`, on the first free one of the hundred from there on; 0 is any
 * free one. Resolves with the port. Throws where none is free.
 */
export async function listenFrom(server: Server, host: string, wanted: number, orNext: boolean): Promise<number> {
  const last = orNext ? Math.min(wanted + 99, 65_535) : wanted
  for (let port = wanted; port <= last; port++) {
    const taken = await tryPort(server, host, port)
    if (taken !== undefined) return taken
  }
  throw new Error(
    orNext ? `No port from ${wanted} to ${last} is free.` : `Port ${wanted} is taken: choose another with --port.`,
  )
}

/** The same for a program that has to be told its port, which may be taken again by the time that it opens it. */
export async function freePort(host: string, wanted: number, orNext: boolean): Promise<number> {
  const server = createServer()
  const port = await listenFrom(server, host, wanted, orNext)
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The port that it listens on; undefined where another program has that one. */
async function tryPort(server: Server, host: string, port: number): Promise<number | undefined> {
  try {
    await once(server.listen(port, host), 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined
    throw error
  }
  return (server.address() as AddressInfo).port
}

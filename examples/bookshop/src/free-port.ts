import { createServer } from 'node:net'

/**
 * The port that was asked for, or, `orNext`, the first free one of the hundred from there on. Throws where none is free.
 */
export async function freePort(host: string, wanted: number, orNext: boolean): Promise<number> {
  const last = orNext ? Math.min(wanted + 99, 65_535) : wanted
  for (let port = wanted; port <= last; port++) {
    const taken = await tryPort(host, port)
    if (taken !== undefined) return taken
  }
  throw new Error(
    orNext ? `No port from ${wanted} to ${last} is free.` : `Port ${wanted} is taken: choose another with --port.`,
  )
}

/** The port, 0 being any free one; undefined where another program has it. */
function tryPort(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen(port, host, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined))
    })
  })
}

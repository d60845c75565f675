import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below the ports that systems give to whoever asks for any: Linux begins at 32768, others at 49152. */
const [LOWEST, HIGHEST] = [10_000, 32_767]

/**
 * A port for a program that has to be told one. Between now and the moment when the program opens it, no server on a port
 * of the system's choice can get it, as it could where the system had chosen this one too.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    const server = createServer()
    const isFree = await once(server.listen(port), 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
  throw new Error(`No port from ${LOWEST} to ${HIGHEST} is free.`)
}

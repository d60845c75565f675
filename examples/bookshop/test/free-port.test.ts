import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { freePort } from '../../../test/free-port.ts'
import { listenFrom } from '../src/free-port.ts'

/** Listens on 127.0.0.1 until the test is over. */
function listening(wanted: number, orNext: boolean): Promise<number> {
  const server = createServer()
  onTestFinished(() => void server.close())
  return listenFrom(server, '127.0.0.1', wanted, orNext)
}

describe('The port of the bookshop', () => {
  it('is the next one where somebody has it', async () => {
    const wanted = await freePort()
    expect(await listening(wanted, true)).toBe(wanted)
    expect(await listening(wanted, true)).toBeGreaterThan(wanted)
  })

  it('is taken, which is said, where it has to be that one', async () => {
    const port = await listening(0, false)
    expect(port).toBeGreaterThan(0)
    await expect(listening(port, false)).rejects.toThrow(`Port ${port} is taken: choose another with --port.`)
  })
})

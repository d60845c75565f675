import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { freePort } from '../../../test/free-port.ts'

const READY = 45_000

/** A program that takes remote writes, with its data in a folder that goes with the test. */
export interface Receiver {
  readonly url: string
  /** Where samples go. */
  readonly writeUrl: string
  /** Starts it again, with the data that it had. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** Starts `prometheus` as a receiver, with more of its flags where given. */
export function startPrometheus(...flags: readonly string[]): Promise<Receiver> {
  return startReceiver('prometheus', '/-/ready', async (folder, address) => {
    await writeFile(join(folder, 'prometheus.yml'), '')
    const files = [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`]
    const own = ['--web.enable-remote-write-receiver', `--web.listen-address=${address}`, '--log.level=error']
    return [...files, ...own, ...flags]
  })
}

/** Starts `victoria-metrics`. */
export function startVictoriaMetrics(): Promise<Receiver> {
  return startReceiver('victoria-metrics', '/health', async (folder, address) => {
    return [
      `-storageDataPath=${folder}`,
      `-httpListenAddr=${address}`,
      '-search.latencyOffset=0s',
      '-loggerLevel=ERROR',
    ]
  })
}

async function startReceiver(
  program: string,
  readyPath: string,
  flagsFor: (folder: string, address: string) => Promise<string[]>,
): Promise<Receiver> {
  const folder = await mkdtemp(join(tmpdir(), 'remote-write-'))
  const address = `127.0.0.1:${await freePort()}`
  const url = `http://${address}`
  const flags = await flagsFor(folder, address)
  let stop: () => Promise<void> = async () => {}
  const start = async (): Promise<void> => {
    const child = spawn(program, flags, { stdio: ['ignore', 'ignore', 'inherit'] })
    const exited = once(child, 'exit')
    stop = async () => {
      child.kill('SIGTERM')
      await exited
    }
    for (const begin = performance.now(); performance.now() - begin < READY; await sleep(50)) {
      if (child.exitCode !== null) throw new Error(`${program} ended at once`)
      if (await isReady(url + readyPath)) return
    }
    throw new Error(`${program} was not ready within ${READY} ms`)
  }
  onTestFinished(async () => {
    await stop()
    await rm(folder, { recursive: true, force: true })
  })
  await start()
  return { url, writeUrl: `${url}/api/v1/write`, start, stop: () => stop() }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1_000) })).ok
  } catch {
    return false
  }
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../../test/free-port.ts'
import type { Reader } from './observation.ts'

const READY = 45_000

/** Milliseconds that it keeps samples to itself, more or less. */
const LAG = 2_500

/** Starts a VictoriaMetrics that scrapes `target` every second, with its data in a folder that goes when it stops. */
export async function startVictoriaMetrics(target: string): Promise<Reader> {
  const folder = await mkdtemp(join(tmpdir(), 'bookshop-victoria-metrics-'))
  const configFile = join(folder, 'scrape.yml')
  await writeFile(configFile, configurationFor(target))
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn(
    'victoria-metrics',
    [
      `-promscrape.config=${configFile}`,
      `-storageDataPath=${join(folder, 'data')}`,
      `-httpListenAddr=${address}`,
      // Otherwise it keeps the last 30 s to itself, in case that samples come late.
      '-search.latencyOffset=0s',
      '-loggerLevel=ERROR',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const exited = once(child, 'exit')
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    const force = setTimeout(() => child.kill('SIGKILL'), 10_000)
    await exited
    clearTimeout(force)
    await rm(folder, { recursive: true, force: true })
  }
  const url = `http://${address}`
  for (const start = performance.now(); performance.now() - start < READY; await sleep(100)) {
    if (await isReady(`${url}/health`)) return { url, lag: LAG, stop }
  }
  await stop()
  throw new Error(`VictoriaMetrics was not ready within ${READY / 1_000} s.`)
}

function configurationFor(target: string): string {
  return `global:
  scrape_interval: 1s
scrape_configs:
  - job_name: bookshop
    static_configs:
      - targets: ['${target}']
`
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1_000) })).ok
  } catch {
    return false
  }
}

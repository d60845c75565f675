import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type MetricFamily, samplesOf } from '@narthex/core'
import { parseText } from '@narthex/core/parse'
import { freePort } from '../../../../test/free-port.ts'

const READY = 45_000

/** A Pushgateway of this test's own, which keeps everything in memory. */
export interface RunningPushgateway {
  readonly url: string
  readonly address: string
  /** What Prometheus would scrape: `name{labels}` to value, without what the gateway tells of itself. */
  page(): Promise<Record<string, number>>
  families(): Promise<MetricFamily[]>
  /** The labels of every group. */
  groups(): Promise<Record<string, string>[]>
  stop(): Promise<void>
}

/** Starts `prometheus-pushgateway` on a free port, with more of its flags where given. */
export async function startPushgateway(...flags: readonly string[]): Promise<RunningPushgateway> {
  const address = `127.0.0.1:${await freePort()}`
  const own = [`--web.listen-address=${address}`, '--persistence.file=', '--log.level=error']
  const child = spawn('prometheus-pushgateway', [...own, ...flags], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  const url = `http://${address}`
  const families = async (): Promise<MetricFamily[]> => {
    const text = await (await fetch(`${url}/metrics`)).text()
    return parseText(text).filter(({ name }) => !/^(go|process|promhttp|push|pushgateway)_/.test(name))
  }
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  for (const start = performance.now(); performance.now() - start < READY; await sleep(50)) {
    if (await listens(address))
      return { url, address, page: async () => linesOf(await families()), families, groups, stop }
  }
  await stop()
  throw new Error(`The Pushgateway was not ready within ${READY / 1000} s.`)

  async function groups(): Promise<Record<string, string>[]> {
    const answer = (await (await fetch(`${url}/api/v1/metrics`)).json()) as {
      data: { labels: Record<string, string> }[]
    }
    return answer.data.map(({ labels }) => labels)
  }
}

/** Every line of families, its labels in the order of their names and without the empty `instance` of a gateway. */
function linesOf(families: readonly MetricFamily[]): Record<string, number> {
  const lines: Record<string, number> = {}
  for (const sample of families.flatMap((family) => [...samplesOf(family)])) {
    const labels = Object.entries(sample.labels).filter(([, value]) => value !== '')
    const sorted = labels.sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, value]) => `${name}="${value}"`)
    lines[sorted.length === 0 ? sample.name : `${sample.name}{${sorted.join(',')}}`] = sample.value
  }
  return lines
}

/** Whatever protocol it speaks. */
async function listens(address: string): Promise<boolean> {
  try {
    await fetch(`http://${address}/-/ready`, { signal: AbortSignal.timeout(1000) })
    return true
  } catch {
    return false
  }
}

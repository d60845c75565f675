import { describe, expect, it, onTestFinished } from 'vitest'
import { type Seen, seenAfterRequests } from './same-requests.ts'
import { Service } from './service.ts'
import { temporaryFolder } from './shared-folder.ts'

const PROCESSES = 3

/** Starts the service, and sends the requests. */
async function run(mode: string, processes: number, more: Record<string, string> = {}): Promise<Seen[]> {
  const service = new Service(temporaryFolder())
  const running = service.start(mode, processes, more)
  onTestFinished(() => running.stop())
  return seenAfterRequests(service, await service.placesOnce(processes), more['ENABLE'] !== 'no')
}

let seenAlone: Seen | undefined

/** What a single process shows. */
async function alone(): Promise<Seen> {
  seenAlone ??= (await run('alone', 1))[0] as Seen
  return seenAlone
}

describe('the same program', () => {
  it('has without other processes what it has without any of this, and how many there are', async () => {
    const { families, counted } = await alone()
    expect(counted).toMatchObject({
      'requests_total{kind="main"}': 6,
      'requests_total{kind="thread"}': 6,
      'seconds_sum{kind="main"}': 9,
      'seconds_bucket{kind="thread",le="1"}': 2,
      sizes_count: 12,
      waits_sum: 9.75,
      'build_info{version="1"}': 1,
      'state{state="on"}': 1,
    })
    const [without] = await run('alone', 1, { ENABLE: 'no' })
    expect(families.filter((name) => name !== 'gauge narthex_processes')).toEqual(without?.families)
    // What its thread has counted is on no page then.
    expect(without?.counted).toMatchObject({ 'requests_total{kind="main"}': 6, sizes_count: 6 })
  })

  it('has the same families and sums in several processes, whoever is asked', async () => {
    const single = await alone()
    const modes = ['cluster', 'workers', 'fork', 'threads']
    const seen = await Promise.all(modes.map(async (mode) => [mode, await run(mode, PROCESSES)]))
    expect(seen).toEqual(modes.map((mode) => [mode, Array.from({ length: PROCESSES }, () => single)]))
  }, 180_000)
})

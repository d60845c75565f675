import { parseText } from '@narthex/core/parse'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Place, Service } from './service.ts'
import { linesOf, temporaryFolder } from './shared-folder.ts'

/** Requests whose numbers are exact in binary, so that no order of adding them makes a difference. */
const NUMBERS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
const PROCESSES = 3

interface Seen {
  /** `type name` of every family. */
  readonly families: string[]
  /** The lines that count requests. */
  readonly counted: Record<string, number>
}

/** Starts the service, sends the requests to one of its processes after the other, and reads the page of each. */
async function run(mode: string, processes: number, more: Record<string, string> = {}): Promise<Seen[]> {
  const service = new Service(temporaryFolder())
  const running = service.start(mode, processes, more)
  onTestFinished(() => running.stop())
  const places = await service.placesOnce(processes)
  for (const [index, number] of NUMBERS.entries()) {
    const path = index % 2 === 0 ? '/' : '/thread'
    const { port } = places[index % places.length] as Place
    expect(await service.ask(port, `${path}?number=${number}`)).toMatchObject({ status: 200 })
  }
  const pages: string[] = []
  for (let seen = 0, start = performance.now(); performance.now() - start < 10_000;) {
    pages.length = 0
    for (const { port } of places) pages.push((await service.ask(port, '/metrics')).body)
    // The numbers of the others are as old as their last snapshot.
    seen = Math.min(...pages.map((page) => countedOn(page)['sizes_count'] ?? 0))
    if (more['ENABLE'] === 'no' || seen === NUMBERS.length) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return pages.map((page) => ({
    families: parseText(page)
      .map(({ type, name }) => `${type} ${name}`)
      .sort(),
    counted: countedOn(page),
  }))
}

function countedOn(page: string): Record<string, number> {
  return Object.fromEntries(
    Object.entries(linesOf(page)).filter(([name]) =>
      /^(requests|seconds|sizes|waits|open|build|state)(_|\{|$)/.test(name),
    ),
  )
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

  it.each(['cluster', 'workers', 'fork', 'threads'])(
    'has the same families and sums in several processes, whoever is asked: %s',
    async (mode) => {
      const single = await alone()
      const pages = await run(mode, PROCESSES)
      expect(pages).toHaveLength(PROCESSES)
      for (const { families, counted } of pages) {
        expect(families).toEqual(single.families)
        expect(counted).toEqual(single.counted)
      }
    },
    30_000,
  )
})

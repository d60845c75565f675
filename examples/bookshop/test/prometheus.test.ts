import { describe, expect, it, type TestContext } from 'vitest'
import { requireProgram } from '../../../packages/core/test/program.ts'
import { expectPromtoolAccepts } from '../../../packages/core/test/promtool.ts'
import { freePort } from '../../../test/free-port.ts'
import { Prometheus } from '../src/prometheus.ts'
import { expectSameCounts, expectSameMedian, expectSameRate } from './agreement.ts'
import { type Observation, observe, type Reader } from './observation.ts'

let observation: Promise<Observation> | undefined

/** One run of the shop under a Prometheus, for all the tests. */
function observed(context: TestContext): Promise<Observation> {
  requireProgram('prometheus', context)
  return (observation ??= observe(startPrometheus))
}

async function startPrometheus(target: string): Promise<Reader> {
  const prometheus = await Prometheus.start({ target, port: await freePort() })
  if (prometheus === undefined) throw new Error('There is no prometheus on the PATH.')
  return { url: prometheus.url, lag: 0, stop: () => prometheus.stop() }
}

describe('A real Prometheus that scrapes the bookshop', { timeout: 180_000 }, () => {
  it('finds it up', async (context) => {
    expect((await observed(context)).up).toBe(1)
  })

  it('sees the rate of requests that the customers measured', async (context) => {
    expectSameRate(await observed(context))
  })

  it('estimates the median latency that the customers measured', async (context) => {
    const { median, searchMedian } = await observed(context)
    expectSameMedian(median)
    expectSameMedian(searchMedian)
  })

  it('has counted each request once, under its route, when all have ended', async (context) => {
    expectSameCounts(await observed(context))
  })

  it('comes with a promtool that has nothing to say of the page', async (context) => {
    expectPromtoolAccepts((await observed(context)).page, context)
  })
})

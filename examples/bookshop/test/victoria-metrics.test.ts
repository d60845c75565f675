import { describe, expect, it, type TestContext } from 'vitest'
import { requireProgram } from '../../../packages/core/test/program.ts'
import { expectSameCounts, expectSameMedian, expectSameRate } from './agreement.ts'
import { type Observation, observe } from './observation.ts'
import { startVictoriaMetrics } from './victoria-metrics.ts'

let observation: Promise<Observation> | undefined

/** One run of the shop under a VictoriaMetrics, for all the tests. */
function observed(context: TestContext): Promise<Observation> {
  requireProgram('victoria-metrics', context)
  return (observation ??= observe(startVictoriaMetrics))
}

describe('A real VictoriaMetrics that scrapes the bookshop', { timeout: 180_000 }, () => {
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
})

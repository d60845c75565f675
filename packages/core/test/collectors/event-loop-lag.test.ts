import { describe, expect, it } from 'vitest'
import { runBuilt } from '../push/built-program.ts'

interface Blocked {
  /** Seconds that the loop was blocked in all. */
  readonly blocked: number
  /** By how much the lines of the histogram grew meanwhile: `count`, `sum`, `bucket{le="0.1"}`. */
  readonly grown: Readonly<Record<string, number>>
  readonly same: boolean
}

const RESOLUTION = 0.02

async function block(blocks: number, milliseconds: number, period: number, rest = 0): Promise<Blocked> {
  const args = [blocks, milliseconds, period, rest].map(String)
  const { output, errors } = await runBuilt(new URL('programs/lag.mjs', import.meta.url), args)
  expect(errors).toBe('')
  return JSON.parse(output) as Blocked
}

describe('event-loop lag', () => {
  it('sums up to the time that the loop was blocked, within its resolution', async () => {
    const { blocked, grown, same } = await block(10, 200, 300)
    // A block begins somewhere between two looks; on a busy machine, others come late as well.
    expect(grown['sum']).toBeGreaterThan(blocked - 10 * RESOLUTION)
    expect(between(grown, 0.1, 1)).toBeGreaterThanOrEqual(10)
    expect(between(grown, 0.1, 1) - 10).toBeLessThan(5)
    expect(same).toBe(true)
  })

  it('has the blocks in the quantiles: one look in three late by most of 60 ms', async () => {
    const { grown } = await block(30, 60, 110)
    const late = between(grown, 0.025, Infinity) / (grown['count'] as number)
    // Of 110 ms, one look sees the block, and 50 ms have room for two or three that do not.
    expect(late).toBeGreaterThan(0.2)
    expect(late).toBeLessThan(0.55)
  })

  it('sees a block after a rest, too', async () => {
    const { blocked, grown } = await block(1, 300, 1300, 2500)
    expect(grown['sum']).toBeGreaterThan(blocked - RESOLUTION)
    expect(between(grown, 0.25, Infinity)).toBe(1)
  })

  it('counts as many looks at rest as at work: 50 a second', async () => {
    const { grown } = await block(1, 1, 4000, 1500)
    expect(grown['count']).toBeGreaterThan(130)
    expect(grown['count']).toBeLessThanOrEqual(225)
    expect(between(grown, 0.25, Infinity)).toBe(0)
  })
})

/** How many observations were over `low` and at most `high` seconds. */
function between(grown: Readonly<Record<string, number>>, low: number, high: number): number {
  const atMost = (bound: number): number => grown[`bucket{le="${bound === Infinity ? '+Inf' : bound}"}`] as number
  return atMost(high) - atMost(low)
}

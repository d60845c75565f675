import { describe, expect, it } from 'vitest'
import { runBuilt } from '../push/built-program.ts'

interface Blocked {
  /** Seconds that the loop was blocked in all. */
  readonly blocked: number
  /** Seconds from the first page to the last. */
  readonly seconds: number
  /** By how many seconds a plain timer of the program's own was late, each time; none after a rest. */
  readonly control: readonly number[]
  /** How often the machine held up a thread with nothing to do for a tenth of a second. */
  readonly held: number
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

// What else the machine does makes a loop late as well: a timer beside the metric tells how often.
describe('event-loop lag', () => {
  it.concurrent('sums up to the time that the loop was blocked, within its resolution', async () => {
    const { blocked, grown, control, same } = await block(10, 200, 300)
    // A block begins somewhere between two looks.
    expect(grown['sum']).toBeGreaterThan(blocked - 10 * RESOLUTION)
    const late = between(grown, 0.1, Infinity)
    expect(late).toBeGreaterThanOrEqual(10)
    expect(late).toBeLessThan(lateIn(control, 0.1) + 5)
    expect(same).toBe(true)
  })

  it.concurrent('has the blocks in the quantiles: one look in three late by most of 60 ms', async () => {
    const { grown, control } = await block(30, 60, 110)
    const late = between(grown, 0.025, Infinity)
    expect(late).toBeGreaterThanOrEqual(30)
    // Of 110 ms, one look sees the block, and 50 ms have room for two or three that do not.
    const share = late / (grown['count'] as number)
    expect(Math.abs(share - lateIn(control, 0.025) / control.length)).toBeLessThan(0.1)
    expect(Math.abs((grown['count'] as number) - control.length)).toBeLessThan(0.2 * control.length)
  })
})

describe('event-loop lag at rest', () => {
  it.concurrent('sees a block after a rest, too', async () => {
    const { blocked, grown, held } = await block(1, 300, 1300, 2500)
    expect(grown['sum']).toBeGreaterThan(blocked - RESOLUTION)
    expect(between(grown, 0.25, Infinity)).toBeGreaterThanOrEqual(1)
    expect(between(grown, 0.25, Infinity)).toBeLessThanOrEqual(1 + held)
  })

  it.concurrent('counts as many looks at rest as at work: 50 a second', async () => {
    const { grown, seconds, held } = await block(1, 1, 4000, 1500)
    expect(grown['count']).toBeGreaterThan(0.65 * 50 * seconds)
    expect(grown['count']).toBeLessThanOrEqual(50 * seconds + 25)
    expect(between(grown, 0.25, Infinity)).toBeLessThanOrEqual(held)
  })
})

function lateIn(control: readonly number[], seconds: number): number {
  return control.filter((late) => late > seconds).length
}

/** How many observations were over `low` and at most `high` seconds. */
function between(grown: Readonly<Record<string, number>>, low: number, high: number): number {
  const atMost = (bound: number): number => grown[`bucket{le="${bound === Infinity ? '+Inf' : bound}"}`] as number
  return atMost(high) - atMost(low)
}

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SampleQueue } from '../src/sample-queue.ts'

const labels = new Uint8Array()

function filled(capacity: number, count: number): { queue: SampleQueue; dropped: number } {
  const queue = new SampleQueue(capacity)
  let dropped = 0
  for (let time = 0; time < count; time++) dropped += queue.add({ labels, value: 1, time })
  return { queue, dropped }
}

const timesOf = (queue: SampleQueue, count: number): number[] => queue.hold(count).map(({ time }) => time)

describe('A queue of samples', () => {
  it('drops the oldest', () => {
    const { queue, dropped } = filled(3, 5)
    expect([dropped, queue.length]).toEqual([2, 3])
    expect(timesOf(queue, 10)).toEqual([2, 3, 4])
  })

  it('keeps those that are held, and drops the next', () => {
    const { queue } = filled(3, 3)
    expect(timesOf(queue, 2)).toEqual([0, 1])
    expect(queue.add({ labels, value: 1, time: 3 })).toBe(1)
    expect(queue.remove()).toBe(2)
    expect(timesOf(queue, 10)).toEqual([3])
  })

  it('drops those that were let go', () => {
    const { queue } = filled(3, 3)
    queue.hold(2)
    queue.release()
    queue.add({ labels, value: 1, time: 3 })
    expect(timesOf(queue, 10)).toEqual([1])
  })

  it('delivers each sample once and in order, or drops it and says so', () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 3_000 }) }),
      fc.record({ hold: fc.integer({ min: 1, max: 500 }), delivered: fc.boolean() }),
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), fc.array(step, { maxLength: 40 }), (capacity, steps) => {
        const queue = new SampleQueue(capacity)
        const delivered: number[] = []
        let added = 0
        let dropped = 0
        const add = (count: number): void => {
          for (; count > 0; count--) dropped += queue.add({ labels, value: 1, time: added++ })
        }
        for (const { add: count = 0, hold = 0, delivered: arrives } of steps as {
          add?: number
          hold?: number
          delivered?: boolean
        }[]) {
          add(count)
          if (hold === 0) continue
          const held = queue.hold(hold).map(({ time }) => time)
          add(2)
          if (arrives) delivered.push(...held.slice(0, queue.remove()))
          else queue.release()
        }
        expect(queue.length).toBeLessThanOrEqual(capacity)
        expect(delivered).toEqual(delivered.toSorted((one, other) => one - other))
        expect(new Set(delivered).size + dropped + queue.length).toBe(added)
      }),
      { numRuns: 50 },
    )
  })
})

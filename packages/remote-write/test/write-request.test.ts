import { snappyCompress } from 'hysnappy'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeHistogram, encodeLabels, encodeMetadata, encodeWriteRequest } from '../src/write-request.ts'
import { packedSigned, readWriteRequest } from './write-request-reader.ts'

function read(message: Uint8Array): ReturnType<typeof readWriteRequest> {
  return readWriteRequest(snappyCompress(message))
}

describe('A write request', () => {
  it('has the bytes that protobuf asks for', () => {
    const labels = encodeLabels([['__name__', 'up']])
    expect(Buffer.from(encodeWriteRequest([{ labels, value: 1, time: 300 }], [])).toString('hex')).toBe(
      // Series: label { name "__name__", value "up" }, sample { value 1.0, timestamp 300 }.
      ['0a1e', '0a0e', '0a085f5f6e616d655f5f', '12027570', '120c', '09000000000000f03f', '10ac02'].join(''),
    )
  })

  it('gives back the samples that went in', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 300 })
    const sample = fc.record({
      labels: fc.array(fc.tuple(fc.string({ unit: 'grapheme', minLength: 1 }), text), { maxLength: 5 }),
      value: fc.double({ noNaN: true }),
      time: fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
    })
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 20 }), (samples) => {
        const queued = samples.map(({ labels, value, time }) => ({ labels: encodeLabels(labels), value, time }))
        const back = read(encodeWriteRequest(queued, [])).samples
        expect(back.map(({ order, value, time }) => ({ order, value, time }))).toEqual(
          samples.map(({ labels, value, time }) => ({
            order: labels.map(([name, label]) => `${name}=${label}`),
            value,
            time,
          })),
        )
      }),
    )
  })

  it('ends a series with the NaN that Prometheus knows, and only there', () => {
    const labels = encodeLabels([['__name__', 'up']])
    const foreign = new DataView(new ArrayBuffer(8))
    foreign.setBigUint64(0, 0x7ff0000000000002n)
    const values = [undefined, encodeHistogram(undefined), NaN, foreign.getFloat64(0)]
    const { samples } = read(
      encodeWriteRequest(
        values.map((value) => ({ labels, value, time: 1 })),
        [],
      ),
    )
    const [stale, normal] = [0x7ff0000000000002n, 0x7ff8000000000001n]
    expect(samples.map(({ bits }) => bits)).toEqual([stale, stale, normal, normal])
    expect(samples[1].histogram).toBeDefined()
  })

  it('describes families', () => {
    const family = { name: 'sent_bytes', type: 'counter', help: 'Bytes, sent.', unit: 'bytes', series: [] } as const
    const { metadata } = read(encodeWriteRequest([], [encodeMetadata('sent_bytes_total', family)]))
    expect(metadata).toEqual([{ type: 1, name: 'sent_bytes_total', help: 'Bytes, sent.', unit: 'bytes' }])
  })

  it('writes the differences of native buckets, however large', () => {
    const deltas = [5, -3, 2 ** 40, -(2 ** 40), 2 ** 53, 1 - 2 ** 53]
    const native = {
      schema: -4,
      zeroThreshold: 1e-128,
      zeroCount: 7,
      positive: { spans: [{ offset: -3, length: 6 }], deltas },
      negative: { spans: [], deltas: [] },
    }
    const value = encodeHistogram({ labels: {}, buckets: [], count: 2 ** 53, sum: -1.5, native })
    const [{ histogram, value: sum, time }] = read(
      encodeWriteRequest([{ labels: encodeLabels([]), value, time: -5 }], []),
    ).samples
    expect(packedSigned(histogram ?? new Map(), 12)).toEqual(deltas)
    expect([sum, time]).toEqual([-1.5, -5])
    expect([1, 4, 6].map((field) => histogram?.get(field)?.[0])).toEqual([2n ** 53n, 7n, 7n])
  })

  it('writes the counts of a float histogram as they are', () => {
    const native = {
      schema: 0,
      zeroThreshold: 0,
      zeroCount: 0.5,
      positive: { spans: [{ offset: 0, length: 2 }], deltas: [2, -1] },
      negative: { spans: [{ offset: 1, length: 1 }], counts: [0.25] },
    }
    const value = encodeHistogram({ labels: {}, buckets: [], count: 3.75, sum: 1, native })
    const [{ histogram }] = read(encodeWriteRequest([{ labels: encodeLabels([]), value, time: 1 }], [])).samples
    const doubles = (field: number): number[] => [
      ...new Float64Array(Uint8Array.from(histogram?.get(field)?.[0] as Uint8Array).buffer),
    ]
    expect([doubles(13), doubles(10)]).toEqual([[2, 1], [0.25]])
    expect([12, 9, 1, 6].filter((field) => histogram?.has(field))).toEqual([])
  })
})

import { Buffer } from 'node:buffer'
import { encode, encodeStream, type HistogramSeries, type MetricFamily, protobufFormat } from '@narthex/core'
import { parseProtobuf } from '@narthex/core/parse'
import { describe, expect, it } from 'vitest'

const NOTHING = { spans: [], deltas: [] }

function histogram(series: HistogramSeries): MetricFamily {
  return { name: 'h', help: '', type: 'histogram', series: [series] }
}

function roundTrip(family: MetricFamily): unknown[] {
  return parseProtobuf(encode([family], protobufFormat.withEscaping('allow-utf-8'))).map((one) => ({
    ...one,
    series: [...one.series],
  }))
}

async function chunksOf(families: Iterable<MetricFamily>, onError?: (error: unknown) => void): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of encodeStream(families, protobufFormat, { onError })) chunks.push(chunk)
  return chunks
}

function bytesOf(chunks: readonly Uint8Array[]): number[] {
  return chunks.flatMap((chunk) => [...chunk])
}

describe('protobufFormat', () => {
  it('names itself, and the escaping when one was chosen', () => {
    const type = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'
    expect(protobufFormat.contentType).toBe(type)
    expect(protobufFormat.withEscaping('values').contentType).toBe(`${type}; escaping=values`)
  })

  it('writes a counter as client_golang does', () => {
    const page = encode(
      [{ name: 'a', help: 'A', type: 'counter', series: [{ labels: { b: 'c' }, value: 1, created: 2 }] }],
      protobufFormat,
    )
    expect([...page]).toEqual([
      ...[39, 10, 7, ...new TextEncoder().encode('a_total'), 18, 1, 65, 24, 0],
      ...[34, 23, 10, 6, 10, 1, 98, 18, 1, 99, 26, 13, 9, 0, 0, 0, 0, 0, 0, 240, 63, 26, 2, 8, 2],
    ])
  })

  const EXEMPLAR = { labels: { trace_id: 'ü' }, value: 0.5, timestamp: 1700000000.123 }
  const FAMILIES: readonly [title: string, family: MetricFamily][] = [
    [
      'a counter',
      {
        name: 'a.b',
        help: 'ä',
        type: 'counter',
        series: [{ labels: { 'c d': 'é' }, value: 2, exemplar: EXEMPLAR, created: 1700000000.001 }],
      },
    ],
    [
      'a gauge',
      { name: 'a', help: 'A', type: 'gauge', unit: 'a', series: [{ labels: {}, value: -0.5, timestamp: -1.5 }] },
    ],
    ['an unknown', { name: 'a', help: 'A', type: 'unknown', series: [{ labels: {}, value: Infinity }] }],
    [
      'a summary',
      {
        name: 'a',
        help: 'A',
        type: 'summary',
        series: [{ labels: {}, count: 2 ** 53, sum: 1, quantiles: [{ quantile: 0.5, value: 3 }], created: 5 }],
      },
    ],
    [
      'a histogram',
      histogram({
        labels: {},
        count: 3,
        sum: 4,
        created: 7,
        buckets: [
          { le: 1, count: 1, exemplar: EXEMPLAR },
          { le: Infinity, count: 3 },
        ],
      }),
    ],
    [
      'fractions of observations',
      histogram({
        labels: {},
        count: 2.5,
        sum: 4,
        buckets: [
          { le: 1, count: 0.5 },
          { le: Infinity, count: 2.5 },
        ],
      }),
    ],
    [
      'a native histogram',
      histogram({
        labels: {},
        count: 9,
        sum: 4,
        buckets: [],
        native: {
          schema: -4,
          zeroThreshold: 2 ** -128,
          zeroCount: 1,
          positive: {
            spans: [
              { offset: -3, length: 2 },
              { offset: 5, length: 1 },
            ],
            deltas: [3, -2, 1],
          },
          negative: { spans: [{ offset: 0, length: 1 }], deltas: [2] },
          exemplars: [EXEMPLAR],
        },
      }),
    ],
    [
      'a native histogram of fractions',
      histogram({
        labels: {},
        count: 3,
        sum: 4,
        buckets: [],
        native: {
          schema: 8,
          zeroThreshold: 0,
          zeroCount: 0.5,
          positive: { spans: [{ offset: 1, length: 2 }], counts: [1, 1.5] },
          negative: { spans: [], counts: [] },
        },
      }),
    ],
  ]

  it.each(FAMILIES)('writes %s that reads back as it was', (_title, family) => {
    expect(roundTrip(family)).toEqual([
      expect.objectContaining({ name: family.name, type: family.type, series: family.series }),
    ])
  })

  it('marks an empty native histogram as native with a span of no length', () => {
    const native = { schema: 3, zeroThreshold: 0, zeroCount: 0, positive: NOTHING, negative: NOTHING }
    const page = encode([histogram({ labels: {}, count: 0, sum: 0, buckets: [], native })], protobufFormat)
    expect([...page.slice(-6)]).toEqual([(12 << 3) | 2, 4, 8, 0, 16, 0])
  })

  it('writes info and state sets as gauges', () => {
    const info: MetricFamily = { name: 'i', help: '', type: 'info', series: [{ labels: { a: 'b' } }] }
    const states = [
      { name: 'on', enabled: true },
      { name: 'off', enabled: false },
    ]
    const stateset: MetricFamily = { name: 's', help: '', type: 'stateset', series: [{ labels: { a: 'b' }, states }] }
    expect(roundTrip(info)).toEqual([
      expect.objectContaining({ name: 'i_info', type: 'gauge', series: [{ labels: { a: 'b' }, value: 1 }] }),
    ])
    expect(roundTrip(stateset)).toEqual([
      expect.objectContaining({
        name: 's',
        type: 'gauge',
        series: [
          { labels: { a: 'b', s: 'on' }, value: 1 },
          { labels: { a: 'b', s: 'off' }, value: 0 },
        ],
      }),
    ])
  })

  it('leaves out native buckets that their spans do not account for, and says so', async () => {
    const native = {
      schema: 3,
      zeroThreshold: 0,
      zeroCount: 0,
      positive: { spans: [], deltas: [1] },
      negative: NOTHING,
    }
    const errors: unknown[] = []
    const family = histogram({ labels: {}, count: 1, sum: 0, buckets: [], native })
    expect(await chunksOf([family], (error) => errors.push(error))).toEqual([])
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_NARTHEX_INVALID_FAMILY', metric: 'h' })])
  })

  it.each([0, 1, 100, 300, 3_000, 30_000])('streams a family of %d series as it encodes it', async (count) => {
    const series = Array.from({ length: count }, (_, n) => ({
      labels: { n: String(n), text: 'x'.repeat(n % 200) },
      value: n,
    }))
    const families: MetricFamily[] = [
      { name: 'before', help: '', type: 'gauge', series: [{ labels: {}, value: 1 }] },
      { name: 'big', help: '', type: 'gauge', unit: 'g', series },
      { name: 'after', help: '', type: 'gauge', series: [{ labels: {}, value: 1 }] },
    ]
    const chunks = await chunksOf(families)
    const page = encode(families, protobufFormat)
    expect(Buffer.compare(Buffer.concat(chunks), page)).toBe(0)
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThan(200_000)
    const read = parseProtobuf(page)
    expect(read.map(({ name }) => name)).toEqual(count === 0 ? ['before', 'after'] : ['before', 'big', 'after'])
    if (count > 0) expect([...(read[1] as MetricFamily).series]).toHaveLength(count)
  })

  it.each([1, 5_000])('keeps the %d series up to the one that throws', async (count) => {
    const broken: MetricFamily = {
      name: 'broken',
      help: '',
      type: 'gauge',
      series: {
        *[Symbol.iterator]() {
          for (let n = 0; n < count; n++) yield { labels: { n: String(n) }, value: n }
          throw new Error('no more')
        },
      },
    }
    const after: MetricFamily = { name: 'after', help: '', type: 'gauge', series: [{ labels: {}, value: 1 }] }
    const errors: unknown[] = []
    const bytes = bytesOf(await chunksOf([broken, after], (error) => errors.push(error)))
    const read = parseProtobuf(new Uint8Array(bytes))
    expect(read.map(({ name, series }) => [name, [...series].length])).toEqual([
      ['broken', count],
      ['after', 1],
    ])
    expect(errors).toEqual([new Error('no more')])
  })

  it('lets other work run while it collects a large family', async () => {
    const series = Array.from({ length: 200_000 }, (_, n) => ({ labels: { n: String(n) }, value: n }))
    let turns = 0
    const turn = (): void => {
      turns += 1
      timer = setImmediate(turn)
    }
    let timer = setImmediate(turn)
    await chunksOf([{ name: 'big', help: '', type: 'gauge', series }])
    clearImmediate(timer)
    expect(turns).toBeGreaterThan(1)
  })
})

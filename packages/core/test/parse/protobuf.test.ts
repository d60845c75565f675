import { parseProtobuf } from '@narthex/core/parse'
import { describe, expect, it } from 'vitest'
import { refusalOf } from './refusal.ts'

/** A field: bytes and strings with their length, numbers as a varint or, in an array of eight, as they are. */
function field(number: number, value: number | bigint | string | readonly number[] | Uint8Array): number[] {
  if (typeof value === 'number' || typeof value === 'bigint') return [...varint(number * 8), ...varint(value)]
  const bytes = typeof value === 'string' ? [...new TextEncoder().encode(value)] : [...value]
  return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes]
}

function double(number: number, value: number): number[] {
  return [...varint(number * 8 + 1), ...doubleBytes(value)]
}

function doubleBytes(value: number): number[] {
  return [...new Uint8Array(new Float64Array([value]).buffer)]
}

function varint(value: number | bigint): number[] {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return [...bytes, Number(rest)]
}

function page(...messages: readonly number[][]): Uint8Array {
  return new Uint8Array(messages.flatMap((message) => [...varint(message.length), ...message]))
}

const HISTOGRAM = 4
const NAMED = [...field(1, 'a')]

/** A page with one metric. */
function metricPage(type: number, ...metric: readonly number[][]): Uint8Array {
  return page([...NAMED, ...field(3, type), ...field(4, metric.flat())])
}

describe('parseProtobuf', () => {
  it('reads an empty page', () => {
    expect(parseProtobuf(new Uint8Array())).toEqual([])
  })

  it('reads fields in any order, and passes over those it does not know', () => {
    const unknown = [...field(99, 5), ...field(98, 'x'), ...double(97, 1), 0xc5, 0x02, 1, 2, 3, 4]
    const group = [0xa3, 0x06, ...field(1, 2), 0xa3, 0x06, 0xa4, 0x06, 0xa4, 0x06]
    const gauge = field(2, [...unknown, ...double(1, 2.5)])
    const label = field(1, [...field(2, 'c'), ...field(1, 'b')])
    const message = [
      ...field(4, [...gauge, ...group, ...label]),
      ...unknown,
      ...field(3, 1),
      ...NAMED,
      ...field(2, 'A'),
    ]
    expect(parseProtobuf(page(message))).toEqual([
      { name: 'a', help: 'A', type: 'gauge', series: [{ labels: { b: 'c' }, value: 2.5 }] },
    ])
  })

  it('takes what is not written for zero', () => {
    expect(parseProtobuf(page([...NAMED, ...field(4, field(3, []))]))).toEqual([
      { name: 'a', help: '', type: 'counter', totalSuffix: false, series: [{ labels: {}, value: 0 }] },
    ])
  })

  it('strips the suffix of a counter', () => {
    expect(parseProtobuf(page(field(1, 'a_total')))).toEqual([{ name: 'a', help: '', type: 'counter', series: [] }])
  })

  it('reads times, also before the epoch, and exemplars', () => {
    const time = field(3, [...field(1, 1625851153), ...field(2, 146848499)])
    const exemplar = field(2, [...field(1, [...field(1, 'id'), ...field(2, '7')]), ...double(2, 3), ...time])
    const before = field(3, [...field(1, -2n), ...field(2, 500_000_000)])
    const counter = field(3, [...double(1, 4), ...exemplar, ...before])
    expect(parseProtobuf(metricPage(0, counter, field(6, -1500n)))).toMatchObject([
      {
        series: [
          {
            timestamp: -1.5,
            created: -1.5,
            exemplar: { labels: { id: '7' }, value: 3, timestamp: 1625851153.1468484 },
          },
        ],
      },
    ])
  })

  it('reads counts beyond 2 ** 53 as the nearest number', () => {
    const summary = (count: bigint): unknown => parseProtobuf(metricPage(2, field(4, field(1, count))))
    expect(summary(2n ** 64n - 1n)).toMatchObject([{ series: [{ count: 2 ** 64 }] }])
    expect(summary(2n ** 53n + 1n)).toMatchObject([{ series: [{ count: 2 ** 53 }] }])
    expect(summary(2n ** 32n + 5n)).toMatchObject([{ series: [{ count: 2 ** 32 + 5 }] }])
  })

  it.each([
    ['one by one', [...field(13, 2), ...field(13, 1), ...field(13, 2n ** 54n)]],
    ['packed', field(13, [...varint(2), ...varint(1), ...varint(2n ** 54n)])],
    ['both', [...field(13, 2), ...field(13, [...varint(1), ...varint(2n ** 54n)])]],
  ])('reads native buckets %s', (_, deltas) => {
    const spans = [...field(12, [...field(1, 3), ...field(2, 2)]), ...field(12, [...field(1, 4), ...field(2, 1)])]
    const histogram = field(7, [...field(1, 9), ...field(5, 5), ...field(7, 1), ...double(6, 0.5), ...spans, ...deltas])
    expect(parseProtobuf(metricPage(HISTOGRAM, histogram))).toEqual([
      {
        name: 'a',
        help: '',
        type: 'histogram',
        series: [
          {
            labels: {},
            count: 9,
            sum: 0,
            buckets: [],
            native: {
              schema: -3,
              zeroThreshold: 0.5,
              zeroCount: 1,
              positive: {
                spans: [
                  { offset: -2, length: 2 },
                  { offset: 2, length: 1 },
                ],
                deltas: [1, -1, 2 ** 53],
              },
              negative: { spans: [], deltas: [] },
            },
          },
        ],
      },
    ])
  })

  it('reads float histograms, packed or not', () => {
    const span = field(9, field(2, 2))
    const packed = field(11, [...doubleBytes(0.5), ...doubleBytes(1.5)])
    const single = [...double(11, 0.5), ...double(11, 1.5)]
    for (const counts of [packed, single]) {
      const series = field(7, [...double(4, 2.5), ...double(8, 0.5), ...span, ...counts])
      expect(parseProtobuf(metricPage(5, series))).toMatchObject([
        {
          type: 'gaugehistogram',
          series: [
            {
              count: 2.5,
              native: {
                zeroCount: 0.5,
                negative: { spans: [{ offset: 0, length: 2 }], counts: [0.5, 1.5] },
                positive: { spans: [], counts: [] },
              },
            },
          ],
        },
      ])
    }
  })

  it('tells a native histogram without observations by its empty span', () => {
    const histogram = field(7, field(12, [...field(1, 0), ...field(2, 0)]))
    expect(parseProtobuf(metricPage(HISTOGRAM, histogram))).toMatchObject([
      { series: [{ count: 0, buckets: [], native: { positive: { spans: [], deltas: [] } } }] },
    ])
  })

  it('ends classic buckets in +Inf', () => {
    const bucket = field(3, [...field(1, 2), ...double(2, 0.5)])
    expect(parseProtobuf(metricPage(HISTOGRAM, field(7, [...field(1, 3), ...bucket])))).toMatchObject([
      {
        series: [
          {
            buckets: [
              { le: 0.5, count: 2 },
              { le: Infinity, count: 3 },
            ],
          },
        ],
      },
    ])
  })

  const label = (name: string, value: string): number[] => field(1, [...field(1, name), ...field(2, value)])
  const gauge = field(2, double(1, 1))
  it.each([
    ['a length that is not all there', new Uint8Array([0x80]), 0],
    ['a message that is not all there', new Uint8Array([5, 0x0a]), 0],
    ['a length beyond any page', new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), 0],
    ['a number of more than 64 bits', page([0x18, ...Array<number>(9).fill(0xff), 0x02]), 2],
    ['field 0', page([0x02, 0x00]), 1],
    ['wire type 6', page([0x0e]), 1],
    ['a group that ends before it begins', page([0x0c]), 1],
    ['a group that does not end', page([...NAMED, 0xa3, 0x06]), 6],
    ['a group that another ends', page([...NAMED, 0xa3, 0x06, 0xac, 0x06]), 6],
    ['a field longer than its message', page([...NAMED, 0x12, 5, 0x41]), 5],
    ['a double that is not all there', page([...NAMED, 0x11, 1, 2]), 5],
    ['a family without a name', page([0x18, 0x01]), 1],
    ['a type that does not exist', page([...NAMED, ...field(3, 6)]), 1],
    ['a name that is not UTF-8', page([0x0a, 1, 0xff]), 3],
    ['a label without a name', metricPage(1, label('', 'b'), gauge), 10],
    ['the name as a label', metricPage(1, label('__name__', 'b'), gauge), 10],
    ['a label twice', metricPage(1, label('b', 'c'), label('b', 'd'), gauge), 18],
    ['a metric without its value', metricPage(1, field(3, [])), 8],
    [
      'buckets out of order',
      metricPage(HISTOGRAM, field(7, [...field(3, double(2, 2)), ...field(3, double(2, 1))])),
      23,
    ],
    [
      'more native buckets than the spans say',
      metricPage(HISTOGRAM, field(7, [...field(12, field(2, 1)), ...field(13, [1, 1])])),
      10,
    ],
    [
      'fewer native buckets than the spans say',
      metricPage(HISTOGRAM, field(7, field(12, field(2, 4_294_967_295)))),
      10,
    ],
    ['a schema that does not exist', metricPage(HISTOGRAM, field(7, [...double(6, 1), ...field(5, 18)])), 10],
  ])('refuses %s', (_, bytes, offset) => {
    expect(refusalOf(() => parseProtobuf(bytes))).toMatchObject({ offset, line: undefined, column: undefined })
  })

  it('refuses each page that is cut off in a family', () => {
    const whole = metricPage(1, label('b', 'c'), gauge)
    for (let length = 1; length < whole.length; length++) {
      expect(refusalOf(() => parseProtobuf(whole.subarray(0, length))).offset).toBeGreaterThanOrEqual(0)
    }
  })
})

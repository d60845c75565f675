import {
  encode,
  encodeStream,
  Gauge,
  GaugeMetricFamily,
  Histogram,
  type MetricFamily,
  Registry,
  textFormat,
  textFormat1,
} from '@narthex/core'
import { describe, expect, it } from 'vitest'
import { recordWarnings } from '../warnings.ts'

async function chunksOf(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}

/** A family of many series that costs no memory. */
function longFamily(length: number, name = 'm'): MetricFamily {
  return {
    name,
    help: 'M',
    type: 'gauge',
    series: {
      *[Symbol.iterator]() {
        for (let index = 0; index < length; index++) yield { labels: { index: String(index) }, value: index }
      },
    },
  }
}

function longHistogram(length: number): Histogram<'route'> {
  const histogram = new Histogram({ name: 'h', help: 'H', labelNames: ['route'], maxSeries: Infinity, registry: null })
  for (let index = 0; index < length; index++) histogram.observe({ route: `/books/${index}` }, index % 12)
  return histogram
}

describe('encode()', () => {
  it('gives all families in one piece, by default in text 0.0.4', () => {
    const families = ['a', 'b'].map((name) => new GaugeMetricFamily({ name, help: 'X', value: 1 }))
    expect(Buffer.from(encode(families)).toString()).toBe(
      '# HELP a X\n# TYPE a gauge\na 1\n# HELP b X\n# TYPE b gauge\nb 1\n',
    )
    expect(encode(families)).toEqual(encode(families, textFormat))
    expect(encode([])).toHaveLength(0)
  })

  it('throws what the series throw', () => {
    const family = {
      ...longFamily(1),
      series: {
        [Symbol.iterator]: (): never => {
          throw new Error('no')
        },
      },
    }
    expect(() => encode([family])).toThrow('no')
  })
})

describe('encodeStream()', () => {
  it('gives the bytes that encode() gives', async () => {
    const histogram = longHistogram(2000)
    const gauge = new Gauge({ name: 'g', help: 'G', registry: null })
    const families = [histogram.family, gauge.family, longFamily(5000)]
    for (const format of [textFormat, textFormat1.withEscaping('allow-utf-8')]) {
      const chunks = await chunksOf(encodeStream(families, format))
      expect(Buffer.concat(chunks).equals(encode(families, format))).toBe(true)
    }
  })

  it('gives chunks of about 64 KiB, none of them empty', async () => {
    const chunks = await chunksOf(encodeStream([longFamily(50_000)], textFormat))
    const sizes = chunks.map(({ length }) => length)
    expect(sizes.length).toBeGreaterThan(10)
    for (const size of sizes.slice(0, -1)) {
      expect(size).toBeGreaterThanOrEqual(60 * 1024)
      expect(size).toBeLessThanOrEqual(65 * 1024)
    }
    expect(sizes.at(-1)).toBeGreaterThan(0)
  })

  it('gives no chunk where there is nothing', async () => {
    expect(await chunksOf(encodeStream([], textFormat))).toEqual([])
    expect(await chunksOf(encodeStream([longFamily(0)], textFormat))).toEqual([])
  })

  it('never writes again to a chunk once yielded', async () => {
    const copies: Buffer[] = []
    const chunks: Uint8Array[] = []
    for await (const chunk of encodeStream([longHistogram(3000).family], textFormat)) {
      chunks.push(chunk)
      copies.push(Buffer.from(chunk))
    }
    for (const [index, chunk] of chunks.entries()) expect(copies[index]!.equals(chunk)).toBe(true)
    expect(new Set(chunks.map(({ buffer }) => buffer)).size).toBe(chunks.length)
  })

  it('never cuts a series: its buckets, sum and count are in one chunk', async () => {
    const chunks = await chunksOf(encodeStream([longHistogram(3000).family], textFormat))
    expect(chunks.length).toBeGreaterThan(10)
    for (const chunk of chunks) {
      const lines = Buffer.from(chunk)
        .toString()
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
      expect(lines.length % 14).toBe(0)
      expect(lines[0]).toContain('le="0.005"')
      expect(lines.at(-1)).toMatch(/^h_count\{/)
    }
  })

  it('shows each series as it is when it is written, however long the page takes', async () => {
    const histogram = longHistogram(3000)
    let page = ''
    for await (const chunk of encodeStream([histogram.family], textFormat)) {
      page += Buffer.from(chunk).toString()
      for (let index = 0; index < 3000; index += 7) histogram.observe({ route: `/books/${index}` }, 100)
    }
    for (const [, route, infinite, count] of page.matchAll(
      /h_bucket\{route="([^"]*)",le="\+Inf"\} (\d+)\nh_sum.*\nh_count\{.*\} (\d+)/g,
    )) {
      expect([route, count]).toEqual([route, infinite])
    }
  })

  it('writes a series that is longer than a chunk', async () => {
    const value = 'x'.repeat(300_000)
    const family = new GaugeMetricFamily({ name: 'm', help: 'M' }).add({ a: value }, 1).add({ a: 'y' }, 2)
    const page = Buffer.concat(await chunksOf(encodeStream([family], textFormat))).toString()
    expect(page).toBe(`# HELP m M\n# TYPE m gauge\nm{a="${value}"} 1\nm{a="y"} 2\n`)
  })

  it('leaves turns to the event loop', async () => {
    let turns = 0
    let done = false
    const tick = (): void => {
      turns += 1
      if (!done) setImmediate(tick)
    }
    setImmediate(tick)
    let bytes = 0
    for await (const chunk of encodeStream([longFamily(100_000)], slowed(textFormat))) bytes += chunk.length
    done = true
    expect(bytes).toBeGreaterThan(2_000_000)
    expect(turns).toBeGreaterThan(5)
  })

  it('stops where its reader stops', async () => {
    let read = 0
    const family: MetricFamily = {
      ...longFamily(0),
      type: 'gauge',
      series: {
        *[Symbol.iterator]() {
          for (;;) yield { labels: { index: String(read++) }, value: 1 }
        },
      },
    }
    for await (const chunk of encodeStream([family], textFormat)) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    const readThen = read
    await new Promise((resolve) => void setImmediate(resolve))
    expect(read).toBe(readThen)
  })

  it('goes on after a family whose series throw midway, and says which', async () => {
    const failing: MetricFamily = {
      ...longFamily(0, 'failing'),
      type: 'gauge',
      series: {
        *[Symbol.iterator]() {
          yield { labels: { a: '1' }, value: 1 }
          throw new Error('no')
        },
      },
    }
    const errors: unknown[] = []
    const onError = (error: unknown, family: MetricFamily): void =>
      void errors.push([(error as Error).message, family.name])
    const chunks = await chunksOf(
      encodeStream([longFamily(1, 'a'), failing, longFamily(1, 'b')], textFormat, { onError }),
    )
    expect(Buffer.concat(chunks).toString()).toBe(
      '# HELP a M\n# TYPE a gauge\na{index="0"} 0\n# HELP failing M\n# TYPE failing gauge\nfailing{a="1"} 1\n' +
        '# HELP b M\n# TYPE b gauge\nb{index="0"} 0\n',
    )
    expect(errors).toEqual([['no', 'failing']])
  })

  it('leaves no line half written', async () => {
    const labels = {
      a: 'x',
      get b(): string {
        throw new Error('no')
      },
    }
    const family = {
      ...longFamily(0),
      series: [
        { labels: { a: 'w' }, value: 1 },
        { labels, value: 1 },
      ],
    } as MetricFamily
    const chunks = await chunksOf(encodeStream([family, longFamily(1, 'b')], textFormat, { onError: () => undefined }))
    expect(Buffer.concat(chunks).toString()).toBe(
      '# HELP m M\n# TYPE m gauge\nm{a="w"} 1\n# HELP b M\n# TYPE b gauge\nb{index="0"} 0\n',
    )
  })

  it('of a registry counts such a family under its collector, and warns once', async () => {
    const warnings = recordWarnings()
    const registry = new Registry({ prefix: 'p_' })
    registry.register({
      name: 'custom',
      collect: () => [
        {
          ...longFamily(0),
          type: 'gauge',
          series: {
            [Symbol.iterator]: (): never => {
              throw new Error('no')
            },
          },
        },
      ],
    })
    expect(await registry.metrics()).toContain('p_narthex_collector_errors_total{collector="custom"} 1\n')
    expect(await registry.metrics()).toContain('p_narthex_collector_errors_total{collector="custom"} 2\n')
    expect(warnings).toHaveLength(1)
  })

  it('reads families one after the other, from an async iterable too', async () => {
    const order: string[] = []
    async function* families(): AsyncGenerator<MetricFamily> {
      for (const name of ['a', 'b']) {
        order.push(`give ${name}`)
        const [read] = [...longFamily(1, name).series]
        yield {
          ...longFamily(0, name),
          series: {
            *[Symbol.iterator]() {
              order.push(`read ${name}`)
              yield read
            },
          },
        } as MetricFamily
      }
    }
    await chunksOf(encodeStream(families(), textFormat))
    expect(order).toEqual(['give a', 'read a', 'give b', 'read b'])
  })
})

/** A format whose series take long: so the clock matters, and not how fast this machine is. */
function slowed(format: typeof textFormat): typeof textFormat {
  let series = 0
  return {
    ...format,
    *write(family, page, ...rest) {
      for (const one of format.write(family, page, ...rest)) {
        if (++series % 1000 === 0) for (const end = performance.now() + 1; performance.now() < end;);
        yield one
      }
    },
  }
}

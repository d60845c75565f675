import type { Bucket, Exemplar, MetricFamily, NativeHistogram, Spans } from '@narthex/core'
import fc from 'fast-check'

/** What the format under test can carry. */
export interface Carried {
  readonly types: readonly MetricFamily['type'][]
  readonly unit: boolean
  readonly created: boolean
  readonly exemplars: boolean
  readonly native: boolean
  /** Text drops blanks before the help. */
  readonly leadingBlanks: boolean
}

export const TEXT: Carried = {
  types: ['counter', 'gauge', 'unknown', 'histogram', 'summary'],
  unit: false,
  created: false,
  exemplars: false,
  native: false,
  leadingBlanks: false,
}

export const OPENMETRICS: Carried = {
  types: ['counter', 'gauge', 'unknown', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset'],
  unit: true,
  created: true,
  exemplars: true,
  native: false,
  leadingBlanks: true,
}

export const PROTOBUF: Carried = {
  types: ['counter', 'gauge', 'unknown', 'histogram', 'gaugehistogram', 'summary'],
  unit: true,
  created: true,
  exemplars: true,
  native: true,
  leadingBlanks: true,
}

/** Pages of families that obey OpenMetrics, with names that do not clash, within what a format can carry. */
export function arbitraryFamilies(carried: Carried): fc.Arbitrary<MetricFamily[]> {
  const kind = fc.constantFrom(...carried.types)
  return fc
    .array(
      fc.tuple(kind, NAME).chain(([type, name]) => arbitraryFamily(carried, type, name)),
      { maxLength: 6 },
    )
    .map((families) => families.map((family, index) => ({ ...family, name: `f${index}_${family.name}` })))
}

const WORD = fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/)
const UTF8 = fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }).filter((text) => text.isWellFormed())
const NAME = fc.oneof({ weight: 3, arbitrary: WORD }, { weight: 1, arbitrary: UTF8 })
const TEXTS = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => text.isWellFormed())
/** Every number but -0, which text writes as 0. */
const NUMBER = fc.double().map((value) => (value === 0 ? 0 : value))
const POSITIVE = fc.double({ min: 0, noNaN: true }).map((value) => (value === 0 ? 0 : value))
const FINITE = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value))
const SECONDS = fc.integer({ min: 0, max: 4_000_000_000_000 }).map((milliseconds) => milliseconds / 1000)
const COUNT = fc.nat(1_000_000)

const LABELS = fc
  .dictionary(
    NAME,
    TEXTS.filter((text) => text !== ''),
    { maxKeys: 3 },
  )
  .map((labels) => Object.fromEntries(Object.entries(labels).map(([name, value]) => [`l_${name}`, value])))

function arbitraryFamily(carried: Carried, type: MetricFamily['type'], word: string): fc.Arbitrary<MetricFamily> {
  const unit =
    carried.unit && type !== 'info' && type !== 'stateset'
      ? fc.option(WORD, { nil: undefined })
      : fc.constant(undefined)
  const help = TEXTS.filter((text) => carried.leadingBlanks || !/^[ \t]/.test(text))
  return fc.tuple(help, unit).chain(([help, unit]) => {
    const name = unit === undefined ? `${word}_x` : `${word}_${unit}`
    const series = fc
      .uniqueArray(fc.tuple(LABELS, arbitrarySeries(carried, type)), {
        maxLength: 4,
        minLength: carried === OPENMETRICS ? 0 : 1,
        selector: ([labels]) => JSON.stringify(Object.entries(labels).sort()),
      })
      .map((all) => all.map(([labels, rest]) => ({ labels, ...rest })))
    return series.map((series) => ({ name, help, type, ...(unit && { unit }), series }) as MetricFamily)
  })
}

function arbitrarySeries(carried: Carried, type: MetricFamily['type']): fc.Arbitrary<object> {
  const times = fc.record({ timestamp: SECONDS }, { requiredKeys: [] })
  const created =
    carried.created && type !== 'gaugehistogram'
      ? fc.record({ created: SECONDS }, { requiredKeys: [] })
      : fc.constant({})
  const merged = (...parts: fc.Arbitrary<object>[]): fc.Arbitrary<object> =>
    fc.tuple(times, ...parts).map((objects) => Object.assign({}, ...objects) as object)
  switch (type) {
    case 'counter': {
      const exemplar = carried.exemplars
        ? fc.record({ exemplar: arbitraryExemplar(FINITE) }, { requiredKeys: [] })
        : fc.constant({})
      return merged(created, exemplar, fc.record({ value: POSITIVE }))
    }
    case 'gauge':
    case 'unknown':
      return merged(fc.record({ value: NUMBER }))
    case 'info':
      return times
    case 'stateset': {
      const state = fc.record({ name: TEXTS.filter((text) => text !== ''), enabled: fc.boolean() })
      return merged(
        fc.record({ states: fc.uniqueArray(state, { minLength: 1, maxLength: 4, selector: ({ name }) => name }) }),
      )
    }
    case 'summary': {
      const quantile = fc.record({
        quantile: fc.double({ min: 0, max: 1, noNaN: true }).map((value) => (value === 0 ? 0 : value)),
        value: fc.oneof(POSITIVE, fc.constant(Number.NaN)),
      })
      const quantiles = fc
        .uniqueArray(quantile, { maxLength: 3, selector: ({ quantile }) => quantile })
        .map((all) => all.sort((a, b) => a.quantile - b.quantile))
      return merged(created, fc.record({ quantiles, count: COUNT, sum: POSITIVE }))
    }
    default:
      return merged(created, arbitraryHistogram(carried))
  }
}

function arbitraryHistogram(carried: Carried): fc.Arbitrary<object> {
  const bounds = fc
    .uniqueArray(
      fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map((le) => (le === 0 ? 0 : le)),
      { maxLength: 5 },
    )
    .map((all) => [...all.sort((a, b) => a - b), Infinity])
  const buckets = bounds.chain((les) =>
    fc
      .tuple(
        fc.array(COUNT, { minLength: les.length, maxLength: les.length }),
        fc.array(fc.option(arbitraryExemplar(fc.constant(0)), { nil: undefined }), {
          minLength: les.length,
          maxLength: les.length,
        }),
      )
      .map(([counts, exemplars]) => bucketsOf(les, counts, carried.exemplars ? exemplars : [])),
  )
  const classic = fc.tuple(buckets, POSITIVE).map(([buckets, sum]) => ({ buckets, sum, count: buckets.at(-1)?.count }))
  if (!carried.native) return classic
  const native = fc.tuple(classic, arbitraryNative(), fc.boolean())
  return fc.oneof(
    classic,
    native.map(([histogram, native, only]) => {
      // Protobuf leaves out the bucket of +Inf: alone beside a native part it is as good as none.
      const buckets = only || histogram.buckets.length === 1 ? [] : histogram.buckets
      return { ...histogram, buckets, native }
    }),
  )
}

/** Cumulative counts, and exemplars whose value is the bucket's own bound. */
function bucketsOf(
  les: readonly number[],
  counts: readonly number[],
  exemplars: readonly (Exemplar | undefined)[],
): Bucket[] {
  let count = 0
  return les.map((le, index) => {
    count += counts[index] as number
    const exemplar = exemplars[index]
    const value = le === Infinity ? Number.MAX_VALUE : le
    return exemplar === undefined ? { le, count } : { le, count, exemplar: { ...exemplar, value } }
  })
}

function arbitraryNative(): fc.Arbitrary<NativeHistogram> {
  const spans = fc
    .array(fc.record({ offset: fc.nat(20), length: fc.integer({ min: 1, max: 3 }) }), { maxLength: 3 })
    .chain((spans) => {
      const length = spans.reduce((sum, span) => sum + span.length, 0)
      const deltas = fc.array(fc.nat(1000), { minLength: length, maxLength: length })
      return deltas.map((counts): Spans => ({
        spans,
        deltas: counts.map((count, index) => count - (counts[index - 1] ?? 0)),
      }))
    })
  return fc.record({
    schema: fc.integer({ min: -4, max: 8 }),
    zeroThreshold: fc.constantFrom(2 ** -128, 0.001),
    zeroCount: COUNT,
    positive: spans,
    negative: spans,
  })
}

function arbitraryExemplar(value: fc.Arbitrary<number>): fc.Arbitrary<Exemplar> {
  const labels = fc.dictionary(
    WORD,
    TEXTS.filter((text) => text !== ''),
    { maxKeys: 2 },
  )
  return fc
    .tuple(labels, value, fc.option(SECONDS, { nil: undefined }))
    .map(([labels, value, timestamp]) => (timestamp === undefined ? { labels, value } : { labels, value, timestamp }))
}

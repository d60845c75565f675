import { Buffer } from 'node:buffer'
import { type BucketSpan, type MetricFamily, type Spans, samplesOf } from '@narthex/core'
import { parseOpenMetrics, parseProtobuf, parseText } from '@narthex/core/parse'
import { describe, expect, it } from 'vitest'
import { ConformanceFolder } from '../conformance-folder.ts'
import { conformanceCases } from '../conformance.ts'
import { refusalOf } from './refusal.ts'

interface Case {
  readonly name: string
  readonly expect: 'ok' | 'error'
  readonly input?: string | null
  readonly input_b64?: string
  readonly families?: readonly unknown[]
  /** Successive pages of one target. */
  readonly exports?: readonly string[]
  readonly samples?: readonly { metric: Record<string, string>; value: number | string }[]
  readonly family?: ProtoFamily
}

/** A family as the Python client tells it. */
interface PythonFamily {
  readonly name: string
  readonly help?: string
  readonly type: string
  readonly unit?: string
  readonly samples: readonly {
    name: string
    labels: Record<string, string>
    value: number | string
    timestamp?: Time
    exemplar?: { labels: Record<string, string>; value: number; timestamp?: Time }
  }[]
}

type Time = number | { sec: number; nsec: number }

/** A family as JSON of `io.prometheus.client`. */
interface ProtoFamily {
  readonly name: string
  readonly help?: string
  readonly type: string
  readonly metric: readonly ProtoMetric[]
}

type Num = number | string

interface ProtoMetric {
  readonly label?: readonly { name: string; value: string }[]
  readonly timestamp_ms?: number
  readonly counter?: ProtoValue
  readonly gauge?: ProtoValue
  readonly untyped?: ProtoValue
  readonly summary?: ProtoDistribution & { quantile?: readonly { quantile: Num; value: Num }[] }
  readonly histogram?: ProtoDistribution & ProtoHistogram
}

interface ProtoValue {
  readonly value: Num
  readonly exemplar?: ProtoExemplar
}

interface ProtoExemplar {
  readonly label?: readonly { name: string; value: string }[]
  readonly value: number
  readonly timestamp?: ProtoTime
}

interface ProtoTime {
  readonly seconds: number
  readonly nanos?: number
}

interface ProtoDistribution {
  readonly sample_count?: Num
  readonly sample_count_float?: Num
  readonly sample_sum?: Num
  readonly start_timestamp?: ProtoTime
}

interface ProtoHistogram {
  readonly bucket?: readonly {
    upper_bound: Num
    cumulative_count?: Num
    cumulative_count_float?: Num
    exemplar?: ProtoExemplar
  }[]
  readonly schema?: number
  readonly zero_threshold?: number
  readonly zero_count?: number
  readonly zero_count_float?: number
  readonly positive_span?: readonly BucketSpan[]
  readonly negative_span?: readonly BucketSpan[]
  readonly positive_delta?: readonly number[]
  readonly negative_delta?: readonly number[]
  readonly positive_count?: readonly number[]
  readonly negative_count?: readonly number[]
  readonly exemplars?: readonly ProtoExemplar[]
}

type Read = (page: string | Uint8Array) => MetricFamily[]
type Check = (families: readonly MetricFamily[], test: Case) => void

/** Judges a case by its verdict, and what was read by `check`. */
function judged(read: Read, check?: Check): (test: Case) => void {
  return (test) => {
    const pages = test.exports ?? [test.input ?? new Uint8Array(Buffer.from(test.input_b64 ?? '', 'base64'))]
    const readAll = (): MetricFamily[] => pages.flatMap((page) => read(page))
    if (test.expect === 'error') {
      refusalOf(readAll)
    } else {
      const families = readAll()
      check?.(families, test)
    }
  }
}

function checkPython(families: readonly MetricFamily[], test: Case): void {
  const expected = test.families as readonly PythonFamily[]
  expect(families.map(({ name, help, type, unit }) => ({ name, help, type, unit: unit ?? '' }))).toEqual(
    expected.map(({ name, help, type, unit }) => ({ name, help: help ?? '', type, unit: unit ?? '' })),
  )
  for (const [index, family] of families.entries()) {
    const { samples } = expected[index] as PythonFamily
    const isCreated = ({ name }: { name: string }): boolean => name === `${family.name}_created`
    expect([...family.series].flatMap((series) => series.created ?? [])).toEqual(
      samples.filter(isCreated).map(({ value }) => value),
    )
    const actual = [...samplesOf(family)].map((sample) => ({
      ...sample,
      // The Python client calls every counter as OpenMetrics does.
      name: family.type === 'counter' ? `${family.name}_total` : sample.name,
      labels: plainLabels(sample.labels),
    }))
    const wanted = samples
      .filter((sample) => !isCreated(sample))
      .map(({ name, labels, value, timestamp, exemplar }) => ({
        name,
        labels: plainLabels(labels),
        value: numberFrom(value),
        timestamp: secondsFrom(timestamp),
        exemplar: exemplar && { ...exemplar, timestamp: secondsFrom(exemplar.timestamp) },
      }))
    expect(inOrder(actual)).toEqual(inOrder(wanted))
  }
}

/** The lines of a page may stand in any order within a series. */
function inOrder<Line extends { name: string }>(lines: readonly Line[]): Line[] {
  return [...lines].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

function checkSamples(families: readonly MetricFamily[], test: Case): void {
  const lines = families.flatMap((family) => [...samplesOf(family)])
  const keyOf = ({ name, labels, value }: { name: string; labels: object; value: number }): string =>
    JSON.stringify([name, Object.entries(labels).sort(), String(value)])
  const wanted = (test.samples ?? []).map(({ metric: { __name__: name = '', ...labels }, value }) =>
    keyOf({ name, labels, value: numberFrom(value) }),
  )
  expect(lines.map(keyOf).sort()).toEqual(wanted.sort())
}

function checkProto(families: readonly MetricFamily[], test: Case): void {
  const expected = (test.family === undefined ? test.families : [test.family]) as readonly ProtoFamily[]
  const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  // In protobuf what is not written is zero; in text it is not there.
  const absent = test.family === undefined ? undefined : 0
  const wanted = expected.map((family) => familyFrom(family, absent)) as { name: string }[]
  expect([...families].sort(byName)).toEqual(wanted.sort(byName))
}

function familyFrom({ name, help = '', type, metric }: ProtoFamily, absent?: number): object {
  const word = type === 'UNTYPED' ? 'unknown' : type.toLowerCase().replace('_', '')
  const total = word === 'counter' && name.endsWith('_total')
  return {
    name: total ? name.slice(0, -6) : name,
    help,
    type: word,
    ...(word === 'counter' && !total ? { totalSuffix: false } : undefined),
    series: metric.map((one) => seriesFrom(one, absent)),
  }
}

function seriesFrom({ label, timestamp_ms, summary, histogram, ...values }: ProtoMetric, absent?: number): object {
  const simple = values.counter ?? values.gauge ?? values.untyped
  const base = {
    labels: labelsFrom(label),
    timestamp: timestamp_ms === undefined ? undefined : timestamp_ms / 1000,
    ...(simple && { value: numberFrom(simple.value), exemplar: exemplarFrom(simple.exemplar) }),
  }
  const distribution = summary ?? histogram
  if (distribution === undefined) return base
  const float = distribution.sample_count_float
  const count = optionalNumber(float ?? distribution.sample_count ?? absent)
  const common = {
    ...base,
    count,
    sum: optionalNumber(distribution.sample_sum ?? absent),
    created: distribution.start_timestamp && timeFrom(distribution.start_timestamp),
  }
  if (summary !== undefined) {
    const quantiles = (summary.quantile ?? []).map(({ quantile, value }) => ({
      quantile: numberFrom(quantile),
      value: numberFrom(value),
    }))
    return { ...common, quantiles }
  }
  const buckets = (histogram?.bucket ?? []).map((bucket) => ({
    le: numberFrom(bucket.upper_bound),
    count: numberFrom(bucket.cumulative_count_float ?? bucket.cumulative_count ?? 0),
    exemplar: exemplarFrom(bucket.exemplar),
  }))
  const native = histogram && nativeFrom(histogram, float !== undefined)
  const open = buckets.at(-1)?.le !== Infinity && (native === undefined || buckets.length > 0) && count !== undefined
  return { ...common, buckets: open ? [...buckets, { le: Infinity, count, exemplar: undefined }] : buckets, native }
}

function nativeFrom(histogram: ProtoHistogram, float: boolean): object | undefined {
  const { positive_span, negative_span, zero_count_float, zero_count } = histogram
  const native = positive_span ?? negative_span ?? (histogram.zero_threshold ?? 0) > 0
  if (native === false) return undefined
  const sign = (
    spans: readonly BucketSpan[] = [],
    deltas: readonly number[] = [],
    counts?: readonly number[],
  ): Spans => {
    const kept = spans.length === 1 && spans[0]?.length === 0 ? [] : spans
    return float ? { spans: kept, counts: counts ?? [] } : { spans: kept, deltas }
  }
  return {
    schema: histogram.schema ?? 0,
    zeroThreshold: histogram.zero_threshold ?? 0,
    zeroCount: zero_count_float ?? zero_count ?? 0,
    positive: sign(positive_span, histogram.positive_delta, histogram.positive_count),
    negative: sign(negative_span, histogram.negative_delta, histogram.negative_count),
    exemplars: histogram.exemplars?.map(exemplarFrom),
  }
}

function exemplarFrom(exemplar: ProtoExemplar | undefined): object | undefined {
  if (exemplar === undefined) return undefined
  const { label, value, timestamp } = exemplar
  return { labels: labelsFrom(label), value, timestamp: timestamp && timeFrom(timestamp) }
}

function labelsFrom(pairs: readonly { name: string; value: string }[] = []): Record<string, string> {
  return Object.fromEntries(pairs.map(({ name, value }) => [name, value]))
}

/** Without empty labels, and with numbers instead of their many spellings. */
function plainLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(labels).filter(([, value]) => value !== '')
  return Object.fromEntries(
    kept.map(([name, value]) => [name, name === 'le' || name === 'quantile' ? String(numberFrom(value)) : value]),
  )
}

function timeFrom({ seconds, nanos = 0 }: ProtoTime): number {
  return seconds + nanos / 1e9
}

function secondsFrom(time: Time | undefined): number | undefined {
  return typeof time === 'object' ? time.sec + time.nsec / 1e9 : time
}

function optionalNumber(value: Num | undefined): number | undefined {
  return value === undefined ? undefined : numberFrom(value)
}

function numberFrom(value: Num): number {
  return typeof value === 'string' ? Number(value.replace('Inf', 'Infinity')) : value
}

describe('the data of the official projects', () => {
  const lenient: Read = (page) => parseOpenMetrics(page, { lenient: true })
  const protobuf: Read = (page) => parseProtobuf(page as Uint8Array)
  const openMetrics: Read = (page) => parseOpenMetrics(page)
  const text: Read = (page) => parseText(page)

  const om = new ConformanceFolder('openmetrics-1.0')
  const native = 'ABNF: a value is a number'
  om.file(
    'client_python_openmetrics_parser.json',
    {
      native_histogram_three_pos_spans_no_neg_spans_or_deltas: native,
      native_histogram_utf8: native,
      native_plus_classic_histogram_two_labelsets: native,
    },
    judged(openMetrics, checkPython),
  )
  om.file('openmetrics_repo_parsers.json', {}, judged(openMetrics))
  const successive = 'a rule about two pages of one target, of which a parser sees one'
  om.file(
    'openmetrics_repo_validator.json',
    {
      bad_must_not_counter_decreasing: successive,
      bad_must_not_timestamp_decrease_between_metric_sets: successive,
    },
    judged(openMetrics),
  )
  om.file('prometheus_textparse_om_ok.json', {}, judged(lenient))
  om.file('prometheus_textparse_om_errors.json', {}, judged(lenient))

  const texts = new ConformanceFolder('prometheus-text')
  texts.file(
    'client_python_text_parser.json',
    {
      commas: 'a comma stands behind a label',
      label_escaping_1: 'label values have three escapes',
    },
    judged(text, checkPython),
  )
  texts.file('common_text_parse_error.json', {}, judged(text))
  texts.file('common_text_parse_ok.json', {}, judged(text, checkProto))
  texts.file(
    'prometheus_textparse_prom_errors.json',
    { TestPromNullByteHandling_0: 'the last line must end with a line feed' },
    judged(text),
  )
  texts.file(
    'prometheus_textparse_prom_ok.json',
    { TestPromParse: 'a comma stands between labels, and the last line must end with a line feed' },
    judged(text),
  )

  const protobufs = new ConformanceFolder('protobuf', 'parsing')
  protobufs.file(
    'common_proto_decoder.json',
    { proto_decode_1: 'label names may be any UTF-8' },
    judged(protobuf, checkSamples),
  )
  protobufs.file('common_testdata_protobuf-multimessage.json', {}, judged(protobuf, checkProto))
  protobufs.file('common_testdata_protobuf.json', {}, judged(protobuf, checkProto))
  protobufs.file('prometheus_protobuf_families.json', {}, judged(protobuf, checkProto))
  protobufs.file('prometheus_protobuf_span_mismatch.json', {}, judged(protobuf))

  new ConformanceFolder('floats', 'parsing').file(
    'float_parse.json',
    {},
    judged((value) => parseText(`# TYPE a summary\na{quantile="${value as string}"} 1\n`)),
  )

  it('reads leniently what the Prometheus server reads of text', (context) => {
    const file = 'prometheus-text/prometheus_textparse_prom_ok.json'
    for (const test of conformanceCases<Case & { entries: readonly { m?: string; value?: number; labels?: object }[] }>(
      file,
      context,
    )) {
      const samples = parseText(test.input as string, { lenient: true }).flatMap((family) => [...samplesOf(family)])
      expect(samples.map(({ value }) => value).sort()).toEqual(test.entries.flatMap(({ value }) => value ?? []).sort())
    }
  })

  it('reads leniently what the Prometheus server reads in tests of refusals', (context) => {
    const file = 'prometheus-text/prometheus_textparse_prom_errors.json'
    const pages = conformanceCases<Case>(file, context).filter((test) => test.expect === 'ok')
    for (const test of pages) expect(parseText(test.input as string, { lenient: true })).toHaveLength(1)
    expect(pages.length).toBeGreaterThan(0)
  })
})

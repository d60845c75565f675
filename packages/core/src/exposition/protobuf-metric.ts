import type {
  Bucket,
  Exemplar,
  HistogramSeries,
  MetricFamily,
  NativeHistogram,
  Series,
  Spans,
  StateSetSeries,
  SummarySeries,
  ValueSeries,
} from '../family.ts'
import type { Labels } from '../labels.ts'
import type { EscapingScheme } from '../names.ts'
import { isWritableExemplar } from './exemplar.ts'
import { LabelNames } from './label-names.ts'
import { createdOf, timestampRule } from './refusal.ts'
import {
  beginBytes,
  BYTES,
  endBytes,
  FIXED64,
  VARINT,
  writeDouble,
  writeInt64,
  writeString,
  writeVarint,
  writeZigzag,
} from './wire.ts'
import { ByteWriter } from './writer.ts'

/** Tags of the messages of io.prometheus.client (client_model, metrics.proto): field number and wire type. */
const FAMILY_METRIC = (4 << 3) | BYTES
const LABEL = (1 << 3) | BYTES
const LABEL_NAME = (1 << 3) | BYTES
const LABEL_VALUE = (2 << 3) | BYTES
const METRIC_GAUGE = (2 << 3) | BYTES
const METRIC_COUNTER = (3 << 3) | BYTES
const METRIC_SUMMARY = (4 << 3) | BYTES
const METRIC_UNTYPED = (5 << 3) | BYTES
const METRIC_TIMESTAMP_MS = (6 << 3) | VARINT
const METRIC_HISTOGRAM = (7 << 3) | BYTES
const VALUE = (1 << 3) | FIXED64
const COUNTER_EXEMPLAR = (2 << 3) | BYTES
const COUNTER_CREATED = (3 << 3) | BYTES
const SAMPLE_COUNT = (1 << 3) | VARINT
const SAMPLE_SUM = (2 << 3) | FIXED64
const SUMMARY_QUANTILE = (3 << 3) | BYTES
const SUMMARY_CREATED = (4 << 3) | BYTES
const QUANTILE_QUANTILE = (1 << 3) | FIXED64
const QUANTILE_VALUE = (2 << 3) | FIXED64
const HISTOGRAM_BUCKET = (3 << 3) | BYTES
const SAMPLE_COUNT_FLOAT = (4 << 3) | FIXED64
const SCHEMA = (5 << 3) | VARINT
const ZERO_THRESHOLD = (6 << 3) | FIXED64
const ZERO_COUNT = (7 << 3) | VARINT
const ZERO_COUNT_FLOAT = (8 << 3) | FIXED64
const NEGATIVE = { span: (9 << 3) | BYTES, delta: (10 << 3) | VARINT, count: (11 << 3) | FIXED64 }
const POSITIVE = { span: (12 << 3) | BYTES, delta: (13 << 3) | VARINT, count: (14 << 3) | FIXED64 }
const HISTOGRAM_CREATED = (15 << 3) | BYTES
const HISTOGRAM_EXEMPLARS = (16 << 3) | BYTES
const CUMULATIVE_COUNT = (1 << 3) | VARINT
const UPPER_BOUND = (2 << 3) | FIXED64
const BUCKET_EXEMPLAR = (3 << 3) | BYTES
const CUMULATIVE_COUNT_FLOAT = (4 << 3) | FIXED64
const SPAN_OFFSET = (1 << 3) | VARINT
const SPAN_LENGTH = (2 << 3) | VARINT
const EXEMPLAR_VALUE = (2 << 3) | FIXED64
const EXEMPLAR_TIMESTAMP = (3 << 3) | BYTES
const SECONDS = (1 << 3) | VARINT
const NANOS = (2 << 3) | VARINT

/** Writes the series of one family as messages `Metric`. */
export class MetricWriter {
  readonly #type: MetricFamily['type']
  readonly #escaping: EscapingScheme
  readonly #labels: LabelWriter
  #exemplarLabels: LabelWriter | undefined

  /** `own` is the label that the family adds to those of its series. */
  constructor(family: MetricFamily, escaping: EscapingScheme, own: string | undefined) {
    this.#type = family.type
    this.#escaping = escaping
    this.#labels = new LabelWriter(escaping, own)
  }

  /** Appends a series. Leaves nothing behind and gives the rule where it breaks one that readers insist on. */
  write(page: ByteWriter, series: Series): string | undefined {
    const rule = timestampRule(series) ?? this.#typeRule(series)
    if (rule !== undefined) return rule
    const start = page.length
    if (this.#type === 'stateset') {
      for (const state of (series as StateSetSeries).states) {
        this.#metric(page, series, state.name, state.enabled ? 1 : 0)
      }
    } else this.#metric(page, series)
    const labelRule = this.#labels.ruleFor(series.labels)
    if (labelRule !== undefined) page.length = start
    return labelRule
  }

  #typeRule(series: Series): string | undefined {
    if (this.#isHistogram()) return spansRule(series as HistogramSeries)
    if (this.#type !== 'summary') return undefined
    const { count = 0 } = series as SummarySeries
    return isCount(count) ? undefined : 'to have a whole count >= 0'
  }

  #isHistogram(): boolean {
    return this.#type === 'histogram' || this.#type === 'gaugehistogram'
  }

  /** `state` and `value` are those of a state set, whose states are metrics of their own. */
  #metric(page: ByteWriter, series: Series, state?: string, value = 1): void {
    const metric = beginBytes(page, FAMILY_METRIC)
    this.#labels.write(page, series.labels)
    if (state !== undefined) this.#labels.writeOwn(page, state)
    switch (this.#type) {
      case 'counter':
        this.#counter(page, series as ValueSeries)
        break
      case 'gauge':
        writeValue(page, METRIC_GAUGE, (series as ValueSeries).value)
        break
      case 'unknown':
        writeValue(page, METRIC_UNTYPED, (series as ValueSeries).value)
        break
      case 'info':
      case 'stateset':
        writeValue(page, METRIC_GAUGE, value)
        break
      case 'summary':
        writeSummary(page, series as SummarySeries)
        break
      default:
    }
    if (series.timestamp !== undefined) {
      page.byte(METRIC_TIMESTAMP_MS)
      writeInt64(page, Math.round(series.timestamp * 1000))
    }
    if (this.#isHistogram()) this.#histogram(page, series as HistogramSeries)
    endBytes(page, metric)
  }

  #counter(page: ByteWriter, series: ValueSeries): void {
    const start = beginBytes(page, METRIC_COUNTER)
    writeDouble(page, VALUE, series.value)
    if (series.exemplar !== undefined) this.#exemplar(page, COUNTER_EXEMPLAR, series.exemplar)
    writeTime(page, COUNTER_CREATED, createdOf(series))
    endBytes(page, start)
  }

  #histogram(page: ByteWriter, series: HistogramSeries): void {
    const { count, sum, buckets, native } = series
    const float = isFloat(series)
    const start = beginBytes(page, METRIC_HISTOGRAM)
    if (count !== undefined && !float) {
      page.byte(SAMPLE_COUNT)
      writeVarint(page, count)
    }
    if (sum !== undefined) writeDouble(page, SAMPLE_SUM, sum)
    for (const bucket of buckets) {
      const implied = bucket.le === Infinity && bucket.count === count && bucket.exemplar === undefined
      if (!implied) this.#bucket(page, bucket, float)
    }
    if (count !== undefined && float) writeDouble(page, SAMPLE_COUNT_FLOAT, count)
    if (native !== undefined) writeNative(page, native, float)
    writeTime(page, HISTOGRAM_CREATED, createdOf(series))
    for (const exemplar of native?.exemplars ?? []) this.#exemplar(page, HISTOGRAM_EXEMPLARS, exemplar)
    endBytes(page, start)
  }

  #bucket(page: ByteWriter, bucket: Bucket, float: boolean): void {
    const start = beginBytes(page, HISTOGRAM_BUCKET)
    if (!float) {
      page.byte(CUMULATIVE_COUNT)
      writeVarint(page, bucket.count)
    }
    writeDouble(page, UPPER_BOUND, bucket.le)
    if (bucket.exemplar !== undefined) this.#exemplar(page, BUCKET_EXEMPLAR, bucket.exemplar, bucket.le)
    if (float) writeDouble(page, CUMULATIVE_COUNT_FLOAT, bucket.count)
    endBytes(page, start)
  }

  /** An exemplar that breaks a rule is left out. */
  #exemplar(page: ByteWriter, tag: number, exemplar: Exemplar, le?: number): void {
    if (!isWritableExemplar(exemplar, this.#escaping, le)) return
    const labels = (this.#exemplarLabels ??= new LabelWriter(this.#escaping, undefined))
    const before = page.length
    const start = beginBytes(page, tag)
    labels.write(page, exemplar.labels)
    writeDouble(page, EXEMPLAR_VALUE, exemplar.value)
    writeTime(page, EXEMPLAR_TIMESTAMP, exemplar.timestamp)
    endBytes(page, start)
    if (labels.ruleFor(exemplar.labels) !== undefined) page.length = before
  }
}

/** Writes labels as messages `LabelPair`, field 1 of a metric as of an exemplar. Names are encoded once. */
class LabelWriter {
  readonly #names: LabelNames
  readonly #encoded = new Map<string, Uint8Array>()

  constructor(escaping: EscapingScheme, own: string | undefined) {
    this.#names = new LabelNames(escaping, own)
  }

  write(page: ByteWriter, labels: Labels): void {
    for (const label in labels) {
      const value = labels[label] as string
      if (value === '') continue
      const pair = beginBytes(page, LABEL)
      const name = this.#encoded.get(label) ?? this.#encode(label)
      const { length } = name
      page.reserve(length)
      const { bytes } = page
      // A loop: a call of `set` costs more than so few bytes.
      for (let index = 0, at = page.length; index < length; index++, at++) bytes[at] = name[index]
      page.length += length
      writeString(page, LABEL_VALUE, value)
      endBytes(page, pair)
    }
  }

  /** The label that the family adds to those of its series. */
  writeOwn(page: ByteWriter, value: string): void {
    const pair = beginBytes(page, LABEL)
    writeString(page, LABEL_NAME, this.#names.own as string)
    writeString(page, LABEL_VALUE, value)
    endBytes(page, pair)
  }

  /** What labels break that were just written, undefined where they are fine. */
  ruleFor(labels: Labels): string | undefined {
    return this.#names.suspicious ? this.#names.ruleFor(labels) : undefined
  }

  #encode(label: string): Uint8Array {
    const written = this.#names.write(label)
    const writer = new ByteWriter(() => new Uint8Array(written.length * 3 + 8))
    writeString(writer, LABEL_NAME, written)
    const encoded = writer.take()
    this.#encoded.set(label, encoded)
    return encoded
  }
}

/** Prometheus refuses the page for spans that do not account for their buckets. */
function spansRule({ native }: HistogramSeries): string | undefined {
  if (native === undefined || (accountsFor(native.positive) && accountsFor(native.negative))) return undefined
  return 'to have native buckets that its spans account for'
}

function accountsFor(buckets: Spans): boolean {
  let length = 0
  for (const span of buckets.spans) length += span.length
  return length === ('deltas' in buckets ? buckets.deltas : buckets.counts).length
}

function writeValue(page: ByteWriter, tag: number, value: number): void {
  const start = beginBytes(page, tag)
  writeDouble(page, VALUE, value)
  endBytes(page, start)
}

function writeSummary(page: ByteWriter, series: SummarySeries): void {
  const { count, sum, quantiles } = series
  const start = beginBytes(page, METRIC_SUMMARY)
  if (count !== undefined) {
    page.byte(SAMPLE_COUNT)
    writeVarint(page, count)
  }
  if (sum !== undefined) writeDouble(page, SAMPLE_SUM, sum)
  for (const { quantile, value } of quantiles) {
    const part = beginBytes(page, SUMMARY_QUANTILE)
    writeDouble(page, QUANTILE_QUANTILE, quantile)
    writeDouble(page, QUANTILE_VALUE, value)
    endBytes(page, part)
  }
  writeTime(page, SUMMARY_CREATED, createdOf(series))
  endBytes(page, start)
}

/** Whether counts must be written as doubles: where the native ones are, or where one is no whole number. */
function isFloat({ count, buckets, native }: HistogramSeries): boolean {
  if (native !== undefined) {
    if ('counts' in native.positive || 'counts' in native.negative) return true
    if (!isCount(native.zeroCount)) return true
  }
  if (count !== undefined && !isCount(count)) return true
  for (const bucket of buckets) if (!isCount(bucket.count)) return true
  return false
}

function isCount(value: number): boolean {
  return value >= 0 && value < 2 ** 64 && Number.isInteger(value)
}

function writeNative(page: ByteWriter, native: NativeHistogram, float: boolean): void {
  const { schema, zeroThreshold, zeroCount, positive, negative } = native
  page.byte(SCHEMA)
  writeZigzag(page, schema)
  writeDouble(page, ZERO_THRESHOLD, zeroThreshold)
  if (float) writeDouble(page, ZERO_COUNT_FLOAT, zeroCount)
  else {
    page.byte(ZERO_COUNT)
    writeVarint(page, zeroCount)
  }
  writeSpans(page, NEGATIVE, negative, float)
  writeSpans(page, POSITIVE, positive, float)
  // Without any of these a reader would not see that the histogram is native (client_golang, `Write`).
  const bare = zeroThreshold === 0 && zeroCount === 0 && positive.spans.length === 0 && negative.spans.length === 0
  if (bare) writeSpan(page, POSITIVE.span, 0, 0)
}

function writeSpans(page: ByteWriter, tags: typeof POSITIVE, buckets: Spans, float: boolean): void {
  for (const { offset, length } of buckets.spans) writeSpan(page, tags.span, offset, length)
  if (!float && 'deltas' in buckets) {
    for (const delta of buckets.deltas) {
      page.byte(tags.delta)
      writeZigzag(page, delta)
    }
    return
  }
  for (const count of countsOf(buckets)) writeDouble(page, tags.count, count)
}

/** Counts as they are: those of a histogram that is float for another reason are added up from its differences. */
function* countsOf(buckets: Spans): Generator<number> {
  if ('counts' in buckets) {
    yield* buckets.counts
    return
  }
  let count = 0
  for (const delta of buckets.deltas) yield (count += delta)
}

function writeSpan(page: ByteWriter, tag: number, offset: number, length: number): void {
  const start = beginBytes(page, tag)
  page.byte(SPAN_OFFSET)
  writeZigzag(page, offset)
  page.byte(SPAN_LENGTH)
  writeVarint(page, length)
  endBytes(page, start)
}

/** Appends a google.protobuf.Timestamp. */
function writeTime(page: ByteWriter, tag: number, time: number | undefined): void {
  if (time === undefined) return
  const [seconds, nanos] = secondsAndNanos(time)
  const start = beginBytes(page, tag)
  page.byte(SECONDS)
  writeInt64(page, seconds)
  if (nanos !== 0) {
    page.byte(NANOS)
    writeVarint(page, nanos)
  }
  endBytes(page, start)
}

/** The microsecond where that is what the number means, else the nearest nanosecond: both read back as the number. */
function secondsAndNanos(time: number): [seconds: number, nanos: number] {
  const seconds = Math.floor(time)
  const micros = Math.round((time - seconds) * 1e6)
  const nanos = seconds + micros / 1e6 === time ? micros * 1000 : Math.round((time - seconds) * 1e9)
  return nanos < 1e9 ? [seconds, nanos] : [seconds + 1, 0]
}

import {
  ByteWriter,
  type HistogramSeries,
  type MetricFamily,
  type MetricType,
  type NativeHistogram,
  type Spans,
} from '@narthex/core'
import type { QueuedSample } from './sample-queue.ts'
import {
  writeBytes,
  writeDouble,
  writeMessage,
  writePackedDoubles,
  writePackedZigzag,
  writeSigned,
  writeString,
  writeUnsigned,
  writeZigzag,
} from './wire.ts'

/** A label's name and value. */
export type LabelPair = readonly [name: string, value: string]

/** Fields of the messages of package prometheus (prompb, remote.proto and types.proto). */
const REQUEST = { timeseries: 1, metadata: 3 }
const SERIES = { labels: 1, samples: 2, exemplars: 3, histograms: 4 }
const EXEMPLAR = { labels: 1, value: 2, timestamp: 3 }
const LABEL = { name: 1, value: 2 }
const SAMPLE = { value: 1, timestamp: 2 }
const METADATA = { type: 1, family: 2, help: 4, unit: 5 }
const HISTOGRAM = {
  countInt: 1,
  countFloat: 2,
  sum: 3,
  schema: 4,
  zeroThreshold: 5,
  zeroCountInt: 6,
  zeroCountFloat: 7,
  negative: { spans: 8, deltas: 9, counts: 10 },
  positive: { spans: 11, deltas: 12, counts: 13 },
  timestamp: 15,
}
const SPAN = { offset: 1, length: 2 }

/** prompb.MetricMetadata.MetricType. */
const TYPES: Readonly<Record<MetricType, number>> = {
  unknown: 0,
  counter: 1,
  gauge: 2,
  histogram: 3,
  gaugehistogram: 4,
  summary: 5,
  info: 6,
  stateset: 7,
}

/** Encodes a prompb.WriteRequest: each sample as a series of its own, then what is known about families. */
export function encodeWriteRequest(samples: readonly QueuedSample[], metadata: readonly Uint8Array[]): Uint8Array {
  const out = new ByteWriter()
  for (const sample of samples) writeMessage(out, REQUEST.timeseries, () => writeSeries(out, sample))
  for (const bytes of metadata) writeBytes(out, REQUEST.metadata, bytes)
  return out.take()
}

/** Encodes labels, which must be in the order of their names, as the fields of a series that never change. */
export function encodeLabels(labels: readonly LabelPair[]): Uint8Array {
  const out = new ByteWriter(small)
  writeLabels(out, SERIES.labels, labels)
  return out.take()
}

/** Encodes a prompb.Exemplar; `time` is when it was observed, in milliseconds since the epoch. */
export function encodeExemplar(labels: readonly LabelPair[], value: number, time: number): Uint8Array {
  const out = new ByteWriter(small)
  writeLabels(out, EXEMPLAR.labels, labels)
  writeDouble(out, EXEMPLAR.value, value)
  writeSigned(out, EXEMPLAR.timestamp, time)
  return out.take()
}

function writeLabels(out: ByteWriter, field: number, labels: readonly LabelPair[]): void {
  for (const [name, value] of labels) {
    writeMessage(out, field, () => {
      writeString(out, LABEL.name, name)
      writeString(out, LABEL.value, value)
    })
  }
}

/** Encodes a prompb.MetricMetadata; `name` is the family's as its samples bear it. */
export function encodeMetadata(name: string, { type, help, unit }: MetricFamily): Uint8Array {
  const out = new ByteWriter(small)
  writeUnsigned(out, METADATA.type, TYPES[type])
  writeString(out, METADATA.family, name)
  if (help !== '') writeString(out, METADATA.help, help)
  if (unit !== undefined && unit !== '') writeString(out, METADATA.unit, unit)
  return out.take()
}

/** Encodes a prompb.Histogram but for its time, which is the sample's; none is the marker that ends a series. */
export function encodeHistogram(series: HistogramSeries | undefined): Uint8Array {
  const out = new ByteWriter(small)
  if (series?.native === undefined) {
    writeDouble(out, HISTOGRAM.sum, undefined)
    return out.take()
  }
  const { count = 0, sum = 0, native } = series
  const float = isFloat(count, native)
  if (float) writeDouble(out, HISTOGRAM.countFloat, count)
  else writeUnsigned(out, HISTOGRAM.countInt, count)
  writeDouble(out, HISTOGRAM.sum, sum)
  writeZigzag(out, HISTOGRAM.schema, native.schema)
  writeDouble(out, HISTOGRAM.zeroThreshold, native.zeroThreshold)
  if (float) writeDouble(out, HISTOGRAM.zeroCountFloat, native.zeroCount)
  else writeUnsigned(out, HISTOGRAM.zeroCountInt, native.zeroCount)
  writeSpans(out, HISTOGRAM.negative, native.negative, float)
  writeSpans(out, HISTOGRAM.positive, native.positive, float)
  return out.take()
}

function small(): Uint8Array {
  return new Uint8Array(256)
}

function writeSeries(out: ByteWriter, { labels, value, time, exemplars = [] }: QueuedSample): void {
  out.copy(labels)
  for (const exemplar of exemplars) writeBytes(out, SERIES.exemplars, exemplar)
  if (value instanceof Uint8Array) {
    writeMessage(out, SERIES.histograms, () => {
      out.copy(value)
      writeSigned(out, HISTOGRAM.timestamp, time)
    })
    return
  }
  writeMessage(out, SERIES.samples, () => {
    writeDouble(out, SAMPLE.value, value)
    writeSigned(out, SAMPLE.timestamp, time)
  })
}

/** Whether a histogram counts in doubles: it then does so throughout. */
function isFloat(count: number, { positive, negative, zeroCount }: NativeHistogram): boolean {
  return 'counts' in positive || 'counts' in negative || !isCount(zeroCount) || !isCount(count)
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 64
}

function writeSpans(out: ByteWriter, fields: typeof HISTOGRAM.positive, buckets: Spans, float: boolean): void {
  for (const { offset, length } of buckets.spans) {
    writeMessage(out, fields.spans, () => {
      writeZigzag(out, SPAN.offset, offset)
      writeUnsigned(out, SPAN.length, length)
    })
  }
  if (float) writePackedDoubles(out, fields.counts, countsOf(buckets))
  else if ('deltas' in buckets) writePackedZigzag(out, fields.deltas, buckets.deltas)
}

function countsOf(buckets: Spans): readonly number[] {
  if ('counts' in buckets) return buckets.counts
  let count = 0
  return buckets.deltas.map((delta) => (count += delta))
}

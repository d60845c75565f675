import type { Exemplar, MetricFamily, MetricType, StateSetSeries, SummarySeries, ValueSeries } from '../family.ts'
import { histogramOf } from './finished-family.ts'
import { type Labels, NO_LABELS, setLabel } from '../labels.ts'
import { NativeDraft } from './native-draft.ts'
import type { SeriesDraft } from './sample-part.ts'
import { WireReader } from './wire-reader.ts'

/** `io.prometheus.client.MetricType` (prometheus/client_model, metrics.proto). */
const TYPES: readonly MetricType[] = ['counter', 'gauge', 'summary', 'unknown', 'histogram', 'gaugehistogram']

/** The field of `Metric` that holds the value of each type. */
const VALUE_FIELDS: Readonly<Partial<Record<MetricType, number>>> = {
  counter: 3,
  gauge: 2,
  summary: 4,
  unknown: 5,
  histogram: 7,
  gaugehistogram: 7,
}

/**
 * Reads delimited messages `io.prometheus.client.MetricFamily`, each behind its length, as written by proto2 and proto3
 * (prometheus/client_model; repeated numbers packed or not). Fields that are not known are passed over. Whole numbers
 * beyond 2 ** 53 come as the nearest number. Times are in seconds. Buckets end in `+Inf`, which the format may leave out.
 *
 * Throws {@link ParseError} with `offset` for anything else, also for native buckets that are not as many as their spans
 * say. Takes time in proportion to the page.
 */
export function parseProtobuf(bytes: Uint8Array): MetricFamily[] {
  const families: MetricFamily[] = []
  const pageReader = new WireReader(bytes)
  while (pageReader.at < bytes.length) {
    const end = pageReader.readLength()
    families.push(readFamily(new WireReader(bytes, pageReader.at, end)))
    pageReader.at = end
  }
  return families
}

function readFamily(reader: WireReader): MetricFamily {
  const start = reader.at
  let name = ''
  let help = ''
  let unit = ''
  let typeIndex = 0
  /** Starts and ends of the metrics, which cannot be read before the type is known. */
  const metrics: number[] = []
  while (reader.next()) {
    if (reader.isBytes && reader.field === 1) name = reader.readString()
    else if (reader.isBytes && reader.field === 2) help = reader.readString()
    else if (reader.isBytes && reader.field === 5) unit = reader.readString()
    else if (reader.isVarint && reader.field === 3) typeIndex = reader.readUnsigned()
    else if (reader.isBytes && reader.field === 4) {
      const end = reader.readLength()
      metrics.push(reader.at, end)
      reader.at = end
    } else reader.skip()
  }
  const type = TYPES[typeIndex]
  if (name === '') throw reader.error('expected a family with a name', start)
  if (type === undefined) throw reader.error('expected one of the types of io.prometheus.client', start)
  const series: SeriesDraft[] = []
  for (let index = 0; index < metrics.length; index += 2) {
    reader.at = metrics[index] as number
    reader.end = metrics[index + 1] as number
    series.push(readMetric(reader, type))
  }
  const head = unit === '' ? { name, help } : { name, help, unit }
  switch (type) {
    case 'counter':
      return name.length > 6 && name.endsWith('_total')
        ? { ...head, name: name.slice(0, -6), type, series: series as ValueSeries[] }
        : { ...head, type, totalSuffix: false, series: series as ValueSeries[] }
    case 'histogram':
    case 'gaugehistogram':
      return { ...head, type, series: series as (SeriesDraft & { buckets: [] })[] }
    case 'summary':
      return { ...head, type, series: series as SummarySeries[] }
    default:
      return { ...head, type, series: series as (ValueSeries & StateSetSeries)[] }
  }
}

function readMetric(reader: WireReader, type: MetricType): SeriesDraft {
  const start = reader.at
  const series: SeriesDraft = { labels: NO_LABELS }
  let labels: Record<string, string> | undefined
  let found = false
  while (reader.next()) {
    if (reader.isBytes && reader.field === 1) {
      within(reader, () => {
        labels = readLabel(reader, labels ?? {})
      })
    } else if (reader.isVarint && reader.field === 6) {
      series.timestamp = reader.readSigned() / 1000
    } else if (reader.isBytes && reader.field === VALUE_FIELDS[type]) {
      found = true
      within(reader, () => readValue(reader, type, series))
    } else {
      reader.skip()
    }
  }
  if (!found) throw reader.error(`expected the value of a ${type}`, start)
  if (labels !== undefined) series.labels = withoutEmpty(labels)
  return series
}

function readValue(reader: WireReader, type: MetricType, series: SeriesDraft): void {
  if (type === 'histogram' || type === 'gaugehistogram') readHistogram(reader, series)
  else if (type === 'summary') readSummary(reader, series)
  else readSimple(reader, type, series)
}

/** Gauge, Counter or Untyped. */
function readSimple(reader: WireReader, type: MetricType, series: SeriesDraft): void {
  series.value ??= 0
  while (reader.next()) {
    if (reader.isDouble && reader.field === 1) series.value = reader.readDouble()
    else if (type === 'counter' && reader.isBytes && reader.field === 2) series.exemplar = readExemplar(reader)
    else if (type === 'counter' && reader.isBytes && reader.field === 3) series.created = readTimestamp(reader)
    else reader.skip()
  }
}

function readSummary(reader: WireReader, series: SeriesDraft): void {
  const quantiles = (series.quantiles ??= [])
  series.count ??= 0
  series.sum ??= 0
  while (reader.next()) {
    if (reader.isVarint && reader.field === 1) series.count = reader.readUnsigned()
    else if (reader.isDouble && reader.field === 2) series.sum = reader.readDouble()
    else if (reader.isBytes && reader.field === 3) within(reader, () => quantiles.push(readQuantile(reader)))
    else if (reader.isBytes && reader.field === 4) series.created = readTimestamp(reader)
    else reader.skip()
  }
}

function readQuantile(reader: WireReader): { quantile: number; value: number } {
  let quantile = 0
  let value = 0
  while (reader.next()) {
    if (reader.isDouble && reader.field === 1) quantile = reader.readDouble()
    else if (reader.isDouble && reader.field === 2) value = reader.readDouble()
    else reader.skip()
  }
  return { quantile, value }
}

function readHistogram(reader: WireReader, series: SeriesDraft): void {
  const start = reader.at
  const buckets = (series.buckets ??= [])
  const native = new NativeDraft()
  let count = series.count ?? 0
  let floatCount = 0
  series.sum ??= 0
  while (reader.next()) {
    const { field } = reader
    if (field === 1 && reader.isVarint) count = reader.readUnsigned()
    else if (field === 2 && reader.isDouble) series.sum = reader.readDouble()
    else if (field === 3 && reader.isBytes) within(reader, () => buckets.push(readBucket(reader, buckets.at(-1)?.le)))
    else if (field === 4 && reader.isDouble) floatCount = reader.readDouble()
    else if (field === 15 && reader.isBytes) series.created = readTimestamp(reader)
    else if (field === 16 && reader.isBytes) native.exemplars.push(readExemplar(reader))
    else if (!native.read(reader, within)) reader.skip()
  }
  // A count that is not whole takes the other one's place (metrics.proto, "sample_count_float").
  series.count = floatCount > 0 ? floatCount : count
  const refusal = native.refusal
  if (refusal !== undefined) throw reader.error(refusal, start)
  if (native.isPresent) series.native = native.finish(floatCount > 0)
  if (!native.isPresent || buckets.length > 0) histogramOf(series)
}

/** One classic bucket. They come in increasing order of their bounds (metrics.proto, "Bucket"). */
function readBucket(
  reader: WireReader,
  before: number | undefined,
): { le: number; count: number; exemplar?: Exemplar } {
  const start = reader.at
  let le = 0
  let count = 0
  let floatCount = 0
  let exemplar: Exemplar | undefined
  while (reader.next()) {
    if (reader.isVarint && reader.field === 1) count = reader.readUnsigned()
    else if (reader.isDouble && reader.field === 2) le = reader.readDouble()
    else if (reader.isBytes && reader.field === 3) exemplar = readExemplar(reader)
    else if (reader.isDouble && reader.field === 4) floatCount = reader.readDouble()
    else reader.skip()
  }
  if (le !== le || (before !== undefined && le <= before)) throw reader.error('expected buckets in order', start)
  if (floatCount > 0) count = floatCount
  return exemplar === undefined ? { le, count } : { le, count, exemplar }
}

function readExemplar(reader: WireReader): Exemplar {
  let labels: Record<string, string> | undefined
  let value = 0
  let timestamp: number | undefined
  within(reader, () => {
    while (reader.next()) {
      if (reader.isBytes && reader.field === 1) {
        within(reader, () => {
          labels = readLabel(reader, labels ?? {})
        })
      } else if (reader.isDouble && reader.field === 2) value = reader.readDouble()
      else if (reader.isBytes && reader.field === 3) timestamp = readTimestamp(reader)
      else reader.skip()
    }
  })
  const kept = labels === undefined ? {} : withoutEmpty(labels)
  return timestamp === undefined ? { labels: kept, value } : { labels: kept, value, timestamp }
}

/** `google.protobuf.Timestamp`, in seconds. */
function readTimestamp(reader: WireReader): number {
  let seconds = 0
  let nanos = 0
  within(reader, () => {
    while (reader.next()) {
      if (reader.isVarint && reader.field === 1) seconds = reader.readSigned()
      else if (reader.isVarint && reader.field === 2) nanos = reader.readSigned()
      else reader.skip()
    }
  })
  // By way of its decimal spelling, which gives the nearest number; a sum would round twice.
  return seconds >= 0 && nanos >= 0 ? Number(`${seconds}.${String(nanos).padStart(9, '0')}`) : seconds + nanos / 1e9
}

function readLabel(reader: WireReader, labels: Record<string, string>): Record<string, string> {
  const start = reader.at
  let name = ''
  let value = ''
  while (reader.next()) {
    if (reader.isBytes && reader.field === 1) name = reader.readString()
    else if (reader.isBytes && reader.field === 2) value = reader.readString()
    else reader.skip()
  }
  if (name === '' || name === '__name__') throw reader.error('expected the name of a label', start)
  if (Object.hasOwn(labels, name)) throw reader.error('expected each label once', start)
  setLabel(labels, name, value)
  return labels
}

/** A label with an empty value is none (Prometheus data model). */
function withoutEmpty(labels: Record<string, string>): Labels {
  let empty = true
  let some = false
  for (const name in labels) {
    if (labels[name] === '') some = true
    else empty = false
  }
  if (empty) return NO_LABELS
  if (!some) return labels
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(labels)) if (value !== '') setLabel(kept, name, value)
  return kept
}

/** Reads the message in the field at hand. */
function within(reader: WireReader, read: () => void): void {
  const outer = reader.end
  const end = reader.readLength()
  reader.end = end
  read()
  reader.at = end
  reader.end = outer
}

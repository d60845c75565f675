import type { Exemplar, MetricFamily, MetricType, StateSetSeries, SummarySeries, ValueSeries } from '../family.ts'
import { checkPoint, MAX_EXEMPLAR_CODE_POINTS, refusalOf } from './openmetrics-rules.ts'
import type { PageReader } from './page-reader.ts'
import type { ParseError } from './parse-error.ts'
import { Bounds } from './number.ts'
import {
  OPENMETRICS_PARTS,
  partLabel,
  partOf,
  SAMPLE_SUFFIXES,
  type SamplePart,
  type SeriesDraft,
} from './sample-part.ts'
import { hasColumns, type LabelColumns, labelColumns, SeriesKeys } from './series-key.ts'

/** The suffixes of each type's samples. */
const SUFFIXES_OF: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries(OPENMETRICS_PARTS).map(([type, parts]) => [type, Object.keys(parts)]),
)

/** The family whose lines are coming in. */
interface OpenFamily {
  readonly name: string
  readonly start: number
  type: MetricType
  help: string
  unit: string
  /** The keywords that have come, in one string. */
  described: string
  readonly series: SeriesDraft[]
  /** Metrics that have come: none may come again after another. Made for the second one. */
  metrics: Set<string> | undefined
  keys: SeriesKeys | undefined
}

/** The metric point whose lines are coming in. */
interface OpenPoint {
  readonly key: string
  readonly columns: LabelColumns
  readonly series: SeriesDraft
  readonly start: number
  /** Quantiles or states so far. */
  seen: Set<string | number> | undefined
}

/**
 * Collects the lines of an OpenMetrics page into families, each of which is one group of lines, its metrics and their
 * points in turn (OpenMetrics 1.0, "MetricFamily", "Metric", "MetricPoint": none may be interleaved), and refuses what
 * the specification forbids.
 */
export class GroupedFamilies {
  readonly #reader: PageReader
  readonly #families: MetricFamily[] = []
  readonly #types = new Map<string, MetricType>()
  readonly #bounds = new Bounds()
  #family: OpenFamily | undefined
  #point: OpenPoint | undefined
  #sampleName = ''
  #part: SamplePart | undefined

  constructor(reader: PageReader) {
    this.#reader = reader
  }

  /** Takes in a line of metadata that began at `start`. */
  describe(start: number, keyword: 'TYPE' | 'HELP' | 'UNIT', name: string, text: string): void {
    const family = this.#family?.name === name ? this.#family : this.#begin(name, 'unknown', start)
    if (family.series.length > 0) throw this.#error('expected metadata before the samples of its family', start)
    if (family.described.includes(keyword)) throw this.#error(`expected one ${keyword} for a family`, start)
    family.described += keyword
    this.#sampleName = ''
    if (keyword === 'TYPE') family.type = text as MetricType
    else if (keyword === 'HELP') family.help = text
    else family.unit = text
  }

  /** Takes in the sample whose name and labels the reader holds. */
  add(
    start: number,
    value: number,
    timestamp: number | undefined,
    exemplar: Exemplar | undefined,
    exemplarCodePoints: number,
  ): void {
    const reader = this.#reader
    const part = this.#partOf(reader.name, start)
    const family = this.#family as OpenFamily
    const label = partLabel(part, family.name)
    const skip = label === undefined ? -1 : reader.indexOfLabel(label)
    if (label !== undefined && (skip < 0 || reader.labelValues[skip] === '')) {
      throw this.#error(`expected the label \`${label}\``, start)
    }
    const text = skip < 0 ? '' : (reader.labelValues[skip] as string)
    const bound = part === 'bucket' || part === 'quantile' ? this.#bounds.numberOf(text) : 0
    const refusal = refusalOf(family.type, part, value, bound, text)
    if (refusal !== undefined) throw this.#error(refusal, start)
    if (exemplar !== undefined) this.#checkExemplar(family.type, part, exemplar, exemplarCodePoints, bound, start)
    const point = this.#pointOf(family, part, skip, timestamp, start)
    if (point !== undefined) this.#fill(point, part, value, bound ?? 0, text, exemplar, start)
  }

  /** The families, in the order of the page. */
  finish(): MetricFamily[] {
    this.#close()
    return this.#families
  }

  #partOf(name: string, start: number): SamplePart {
    if (name === this.#sampleName && this.#part !== undefined) return this.#part
    const family = this.#family
    let part =
      family !== undefined && name.startsWith(family.name)
        ? partOf(OPENMETRICS_PARTS, family.type, name.slice(family.name.length))
        : undefined
    if (part === undefined) {
      this.#begin(name, 'unknown', start)
      part = 'value'
    }
    this.#sampleName = name
    this.#part = part
    return part
  }

  #begin(name: string, type: MetricType, start: number): OpenFamily {
    this.#close()
    this.#family = {
      name,
      start,
      type,
      help: '',
      unit: '',
      described: '',
      series: [],
      metrics: undefined,
      keys: undefined,
    }
    this.#sampleName = ''
    return this.#family
  }

  /** The point that the line belongs to; `undefined` for a line that repeats what is there at the same time. */
  #pointOf(
    family: OpenFamily,
    part: SamplePart,
    skip: number,
    timestamp: number | undefined,
    start: number,
  ): OpenPoint | undefined {
    const reader = this.#reader
    const open = this.#point
    family.keys ??= new SeriesKeys()
    const same = open !== undefined && hasColumns(reader, skip, open.columns)
    const key = same ? open.key : family.keys.keyOf(reader, skip)
    if (open !== undefined && key === open.key) {
      const before = open.series.timestamp
      if ((before === undefined) !== (timestamp === undefined)) {
        throw this.#error('expected a time on each line of a metric, or on none', start)
      }
      if (before === timestamp) {
        if (timestamp !== undefined && part === 'value' && open.series.value !== undefined) return undefined
        return open
      }
      if ((timestamp as number) < (before as number)) throw this.#error('expected times that do not go back', start)
      this.#closePoint()
      return this.#openPoint(family, key, open.columns, timestamp, skip, start)
    }
    this.#closePoint()
    if (open !== undefined) {
      family.metrics ??= new Set([open.key])
      if (family.metrics.size === family.metrics.add(key).size) {
        throw this.#error('expected the lines of a metric in one group', start)
      }
    }
    return this.#openPoint(family, key, labelColumns(reader, skip), timestamp, skip, start)
  }

  #openPoint(
    family: OpenFamily,
    key: string,
    columns: LabelColumns,
    timestamp: number | undefined,
    skip: number,
    start: number,
  ): OpenPoint {
    const series: SeriesDraft = { labels: this.#reader.labels(skip) }
    if (timestamp !== undefined) series.timestamp = timestamp
    family.series.push(series)
    this.#point = { key, columns, series, start, seen: undefined }
    return this.#point
  }

  #fill(
    point: OpenPoint,
    part: SamplePart,
    value: number,
    bound: number,
    text: string,
    exemplar: Exemplar | undefined,
    start: number,
  ): void {
    const { series } = point
    let twice = false
    switch (part) {
      case 'created':
        twice = series.created !== undefined
        series.created = value
        break
      case 'sum':
        twice = series.sum !== undefined
        series.sum = value
        break
      case 'count':
        twice = series.count !== undefined
        series.count = value
        break
      case 'bucket': {
        const buckets = (series.buckets ??= [])
        const last = buckets.at(-1)
        if (last !== undefined && bound <= last.le) throw this.#error('expected buckets in increasing order', start)
        if (last !== undefined && value < last.count) throw this.#error('expected buckets that are cumulative', start)
        buckets.push(exemplar === undefined ? { le: bound, count: value } : { le: bound, count: value, exemplar })
        break
      }
      case 'quantile':
        twice = isSeen(point, bound)
        ;(series.quantiles ??= []).push({ quantile: bound, value })
        break
      case 'state':
        twice = isSeen(point, text)
        ;(series.states ??= []).push({ name: text, enabled: value === 1 })
        break
      case 'info':
        twice = isSeen(point, text)
        break
      default:
        twice = series.value !== undefined
        series.value = value
        if (exemplar !== undefined) series.exemplar = exemplar
    }
    if (twice) throw this.#error('expected each sample once', start)
  }

  #checkExemplar(
    type: MetricType,
    part: SamplePart,
    exemplar: Exemplar,
    codePoints: number,
    bound: number | undefined,
    start: number,
  ): void {
    if (part !== 'bucket' && !(type === 'counter' && part === 'value')) {
      throw this.#error('expected exemplars on counters and buckets only', start)
    }
    if (codePoints > MAX_EXEMPLAR_CODE_POINTS) {
      throw this.#error(`expected an exemplar of at most ${MAX_EXEMPLAR_CODE_POINTS} code points`, start)
    }
    if (part === 'bucket' && !(exemplar.value <= (bound as number))) {
      throw this.#error('expected an exemplar within its bucket', start)
    }
  }

  #closePoint(): void {
    const point = this.#point
    if (point === undefined) return
    this.#point = undefined
    const refusal = checkPoint((this.#family as OpenFamily).type, point.series)
    if (refusal !== undefined) throw this.#error(refusal, point.start)
  }

  #close(): void {
    const family = this.#family
    if (family === undefined) return
    this.#closePoint()
    this.#family = undefined
    this.#checkName(family)
    const { name, help, type, unit, series } = family
    if (unit !== '') {
      if (type === 'info' || type === 'stateset') throw this.#error(`expected no unit for an ${type}`, family.start)
      if (!name.endsWith(`_${unit}`)) throw this.#error('expected a unit that the name ends in', family.start)
    }
    const head = unit === '' ? { name, help } : { name, help, unit }
    switch (type) {
      case 'info':
        this.#families.push({ ...head, type, series })
        return
      case 'stateset':
        this.#families.push({ ...head, type, series: series as StateSetSeries[] })
        return
      case 'summary':
        for (const draft of series) draft.quantiles ??= []
        this.#families.push({ ...head, type, series: series as SummarySeries[] })
        return
      case 'histogram':
      case 'gaugehistogram':
        this.#families.push({ ...head, type, series: series as (SeriesDraft & { buckets: [] })[] })
        return
      default:
        this.#families.push({ ...head, type, series: series as ValueSeries[] })
    }
  }

  /**
   * Refuses a name that is there already, and one whose samples could be taken for another family's ("Suffixes").
   * Looks up what could clash instead of keeping every sample name of every family.
   */
  #checkName({ name, type, start }: OpenFamily): void {
    const types = this.#types
    let clash = types.has(name)
    for (const suffix of SUFFIXES_OF[type] ?? []) if (types.has(name + suffix)) clash = true
    for (const suffix of SAMPLE_SUFFIXES) {
      if (!name.endsWith(suffix)) continue
      const base = types.get(name.slice(0, -suffix.length))
      if (base !== undefined && partOf(OPENMETRICS_PARTS, base, suffix) !== undefined) clash = true
    }
    if (clash) throw this.#error('expected a family whose name clashes with no other', start)
    types.set(name, type)
  }

  #error(message: string, start: number): ParseError {
    return this.#reader.error(message, start)
  }
}

function isSeen(point: OpenPoint, entry: string | number): boolean {
  point.seen ??= new Set()
  return point.seen.size === point.seen.add(entry).size
}

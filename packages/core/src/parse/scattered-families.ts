import type { Exemplar, MetricFamily, MetricType } from '../family.ts'
import { finishFamily } from './finished-family.ts'
import { Bounds } from './number.ts'
import type { PageReader } from './page-reader.ts'
import {
  partLabel,
  partOf,
  SAMPLE_SUFFIXES,
  type SamplePart,
  type SampleParts,
  type SeriesDraft,
} from './sample-part.ts'
import { hasColumns, type LabelColumns, labelColumns, SeriesKeys } from './series-key.ts'

/** How a format reads its samples. */
export interface ScatteredOptions {
  readonly parts: SampleParts
  /** Text: a counter is called as its samples are, and a family without samples is none (prometheus/common). */
  readonly text: boolean
  /** Takes a bucket without a usable `le` for a sample of its own instead of refusing it, and counts as they come. */
  readonly lenient: boolean
}

/** A family while its lines come in. */
export interface ScatteredFamily {
  readonly name: string
  type: MetricType
  help: string
  unit: string
  hasHelp: boolean
  hasType: boolean
  /** Whether a sample has come: its type is settled. */
  used: boolean
  readonly series: SeriesDraft[]
  /** Lines under the family's name that its type has no place for. */
  readonly bare: SeriesDraft[]
  group: Group | undefined
  groups: Map<string, Group> | undefined
  keys: SeriesKeys | undefined
}

/** The series that lines with one label set belong to. */
interface Group {
  readonly columns: LabelColumns
  series: SeriesDraft
  /** The bounds, quantiles or states so far, made when they stop being in increasing order. */
  seen: Set<number | string> | undefined
  sorted: boolean
}

interface Target {
  readonly family: ScatteredFamily
  readonly part: SamplePart
}

/**
 * Collects samples into families wherever on the page they stand, as the readers of text do: a sample joins the family
 * of its name, or that of its name without a suffix where the type has that suffix, or begins one of unknown type.
 */
export class ScatteredFamilies {
  readonly #options: ScatteredOptions
  readonly #families = new Map<string, ScatteredFamily>()
  readonly #targets = new Map<string, Target>()
  readonly #bounds = new Bounds()
  #lastName = ''
  #lastTarget: Target | undefined

  constructor(options: ScatteredOptions) {
    this.#options = options
  }

  /** The family that a line of metadata speaks of. */
  family(name: string): ScatteredFamily {
    const known = this.#families.get(name)
    if (known !== undefined) return known
    const family: ScatteredFamily = {
      name,
      type: 'unknown',
      help: '',
      unit: '',
      hasHelp: false,
      hasType: false,
      used: false,
      series: [],
      bare: [],
      group: undefined,
      groups: undefined,
      keys: undefined,
    }
    this.#families.set(name, family)
    this.#targets.delete(name)
    this.#lastTarget = undefined
    return family
  }

  /** Takes in the sample whose name and labels the reader holds; `start` is where its line began. */
  add(reader: PageReader, start: number, value: number, timestamp?: number, exemplar?: Exemplar): void {
    const { family, part } = this.#target(reader.name)
    family.used = true
    switch (part) {
      case 'value':
        // Only an OpenMetrics counter has a second line, its created time, to be put together with the first.
        if (this.#options.text || family.type !== 'counter') {
          family.series.push(valueDraft(reader, value, timestamp, exemplar))
        } else {
          this.#addPart(family, part, reader, -1, value, value, timestamp, exemplar)
        }
        return
      case 'bare':
        if (this.#options.text) this.#addPart(family, part, reader, -1, value, value, timestamp)
        else family.bare.push(valueDraft(reader, value, timestamp))
        return
      case 'bucket':
      case 'quantile': {
        const skip = reader.indexOfLabel(part === 'bucket' ? 'le' : 'quantile')
        const bound = skip < 0 ? undefined : this.#bounds.numberOf(reader.labelValues[skip] as string)
        const usable = bound !== undefined && (part === 'quantile' || bound === bound)
        if (part === 'bucket') this.#checkCount(reader, start, value)
        if (usable) this.#addPart(family, part, reader, skip, bound, value, timestamp, exemplar)
        else this.#addWithoutBound(family, part, reader, start, skip, value, timestamp)
        return
      }
      case 'state':
        family.series.push(valueDraft(reader, value, timestamp))
        return
      case 'count':
        this.#checkCount(reader, start, value)
        this.#addPart(family, part, reader, -1, value, value, timestamp)
        return
      default:
        this.#addPart(family, part, reader, -1, value, value, timestamp)
    }
  }

  /** The families in the order of the page. */
  finish(): MetricFamily[] {
    const families: MetricFamily[] = []
    for (const family of this.#families.values()) {
      if (this.#options.text && family.series.length === 0) continue
      finishFamily(family, this.#options.text, families)
    }
    return families
  }

  #target(name: string): Target {
    if (name === this.#lastName && this.#lastTarget !== undefined) return this.#lastTarget
    let target = this.#targets.get(name)
    if (target === undefined) {
      target = this.#resolve(name)
      this.#targets.set(name, target)
    }
    this.#lastName = name
    this.#lastTarget = target
    return target
  }

  #resolve(name: string): Target {
    const { parts } = this.#options
    const exact = this.#families.get(name)
    if (exact !== undefined) return { family: exact, part: partOf(parts, exact.type, '') ?? 'bare' }
    for (const suffix of SAMPLE_SUFFIXES) {
      if (!name.endsWith(suffix)) continue
      const base = this.#families.get(name.slice(0, -suffix.length))
      const part = base === undefined ? undefined : partOf(parts, base.type, suffix)
      if (base !== undefined && part !== undefined) return { family: base, part }
    }
    return { family: this.family(name), part: 'value' }
  }

  #addPart(
    family: ScatteredFamily,
    part: SamplePart,
    reader: PageReader,
    skip: number,
    bound: number,
    value: number,
    timestamp?: number,
    exemplar?: Exemplar,
  ): void {
    const group = groupOf(family, reader, skip)
    if (isTaken(group, part, bound)) {
      // Another point of the same series: an entry of its own.
      group.series = { labels: group.series.labels }
      group.seen = undefined
      group.sorted = true
      family.series.push(group.series)
    }
    const { series } = group
    if (timestamp !== undefined) series.timestamp = timestamp
    switch (part) {
      case 'value':
        series.value = value
        if (exemplar !== undefined) series.exemplar = exemplar
        return
      case 'created':
        series.created = value
        return
      case 'count':
        series.count = value
        return
      case 'sum':
        series.sum = value
        return
      case 'bucket': {
        const bucket = exemplar === undefined ? { le: bound, count: value } : { le: bound, count: value, exemplar }
        ;(series.buckets ??= []).push(bucket)
        return
      }
      case 'quantile':
        ;(series.quantiles ??= []).push({ quantile: bound, value })
        return
      default:
        if (part === 'info') series.value = value
    }
  }

  #addWithoutBound(
    family: ScatteredFamily,
    part: 'bucket' | 'quantile',
    reader: PageReader,
    start: number,
    skip: number,
    value: number,
    timestamp?: number,
  ): void {
    const { lenient, text } = this.#options
    if (lenient) {
      if (part === 'quantile') family.bare.push(valueDraft(reader, value, timestamp))
      else this.family(reader.name).series.push(valueDraft(reader, value, timestamp))
      return
    }
    // prometheus/common takes a summary's line without a quantile for an empty summary, which lint has words for.
    if (text && part === 'quantile' && skip < 0) this.#addPart(family, 'bare', reader, -1, value, value, timestamp)
    else throw reader.error(`expected a number as the label \`${partLabel(part, '')}\``, start)
  }

  #checkCount(reader: PageReader, start: number, value: number): void {
    if (value < 0 && !this.#options.lenient) throw reader.error('expected a count that is not negative', start)
  }
}

function valueDraft(reader: PageReader, value: number, timestamp?: number, exemplar?: Exemplar): SeriesDraft {
  const draft: SeriesDraft = { labels: reader.labels(-1), value }
  if (timestamp !== undefined) draft.timestamp = timestamp
  if (exemplar !== undefined) draft.exemplar = exemplar
  return draft
}

function groupOf(family: ScatteredFamily, reader: PageReader, skip: number): Group {
  if (family.group !== undefined && hasColumns(reader, skip, family.group.columns)) return family.group
  family.keys ??= new SeriesKeys()
  family.groups ??= new Map()
  const key = family.keys.keyOf(reader, skip)
  let group = family.groups.get(key)
  if (group === undefined) {
    const series: SeriesDraft = { labels: reader.labels(skip) }
    group = { columns: labelColumns(reader, skip), series, seen: undefined, sorted: true }
    family.groups.set(key, group)
    family.series.push(series)
  }
  family.group = group
  return group
}

/** Whether the series has this part already, so that the line begins another point. */
function isTaken(group: Group, part: SamplePart, bound: number): boolean {
  const { series } = group
  switch (part) {
    case 'value':
    case 'info':
      return series.value !== undefined
    case 'created':
      return series.created !== undefined
    case 'count':
      return series.count !== undefined
    case 'sum':
      return series.sum !== undefined
    case 'bucket':
      return isSeen(group, series.buckets ?? [], bound)
    case 'quantile':
      return isSeen(group, series.quantiles ?? [], bound)
    default:
      return false
  }
}

type Bounded = { readonly le: number } | { readonly quantile: number }

/** Costs a comparison while bounds increase, as they should, and a look into a set from there on. */
function isSeen(group: Group, entries: readonly Bounded[], bound: number): boolean {
  const last = entries.at(-1)
  if (last === undefined) return false
  if (group.seen === undefined) {
    if (bound > boundOf(last)) return false
    group.seen = new Set(entries.map(boundOf))
    group.sorted = false
  }
  return group.seen.size === group.seen.add(bound).size
}

function boundOf(entry: Bounded): number {
  return 'le' in entry ? entry.le : entry.quantile
}

import {
  type Exemplar,
  type HistogramSeries,
  type Labels,
  type MetricFamily,
  samplesOf,
  type Series,
} from '@narthex/core'
import type { QueuedSample } from './sample-queue.ts'
import { encodeExemplar, encodeHistogram, encodeLabels, type LabelPair } from './write-request.ts'

interface BookOptions {
  /** Labels that every series gets where it has none of that name itself. */
  readonly labels: ReadonlyMap<string, string>
  readonly nativeHistograms: boolean
  readonly exemplars: boolean
}

/** A series that was written before. */
interface KnownSeries {
  readonly labels: Uint8Array
  readonly isNative: boolean
  /** The collection it was last in. */
  round: number
  /** When its source has stamped its last sample: milliseconds since the epoch. */
  stamped: number | undefined
  /** When its latest exemplar was observed that was written: milliseconds since the epoch. */
  exemplified: number
}

/** The marker that ends a native histogram. */
const STALE_HISTOGRAM = encodeHistogram(undefined)

/** Between names and values in keys: no label can hold half of a surrogate pair. */
const SEPARATOR = '\ud800'

/**
 * Turns series into samples as a scrape would have stored them, and remembers which there are: to encode their labels
 * once, and to end those that are gone.
 */
export class SeriesBook {
  readonly #options: BookOptions
  readonly #known = new Map<string, KnownSeries>()
  #round = 0
  #unwritable = 0

  constructor(options: BookOptions) {
    this.#options = options
  }

  /** Begins a collection. */
  begin(): void {
    this.#round += 1
    this.#unwritable = 0
  }

  /** Samples of this collection that the protocol cannot carry. */
  get unwritable(): number {
    return this.#unwritable
  }

  /**
   * The samples of one series; `time` is for those without a timestamp of their own, in milliseconds. A series that was
   * in this collection already, or whose stamped sample was written already, has none.
   */
  *samples(family: MetricFamily, series: Series, time: number): Generator<QueuedSample> {
    const { native } = series as HistogramSeries
    if (native !== undefined && this.#options.nativeHistograms) {
      const known = this.#seen(family.name, series.labels, true, series.timestamp)
      const value = encodeHistogram(series as HistogramSeries)
      if (known !== undefined) yield this.#sample(known, value, time, native.exemplars)
      return
    }
    const single = { ...family, series: [series] } as unknown as MetricFamily
    for (const { name, labels, value, timestamp, exemplar } of samplesOf(single)) {
      const known = this.#seen(name, labels, false, timestamp)
      if (known !== undefined) yield this.#sample(known, value, time, exemplar && [exemplar])
    }
  }

  /** Ends the series that were in the collection before and are not in this one. */
  *gone(time: number): Generator<QueuedSample> {
    for (const [key, known] of this.#known) {
      if (known.round === this.#round) continue
      this.#known.delete(key)
      if (known.stamped === undefined) yield staleMarker(known, time)
    }
  }

  /** Ends every series. */
  *all(time: number): Generator<QueuedSample> {
    this.begin()
    yield* this.gone(time)
  }

  #sample(
    known: KnownSeries,
    value: number | Uint8Array,
    time: number,
    exemplars: readonly Exemplar[] | undefined,
  ): QueuedSample {
    const sample = { labels: known.labels, value, time: known.stamped ?? time }
    if (exemplars === undefined || !this.#options.exemplars) return sample
    const encoded = this.#newExemplars(known, exemplars, sample.time)
    return encoded.length === 0 ? sample : { ...sample, exemplars: encoded }
  }

  /** Those that were not written before, oldest first: a server takes none that is older than the one it has. */
  #newExemplars(known: KnownSeries, exemplars: readonly Exemplar[], time: number): Uint8Array[] {
    const encoded: Uint8Array[] = []
    const timeOf = ({ timestamp }: Exemplar): number => (timestamp === undefined ? time : Math.round(timestamp * 1_000))
    for (const exemplar of [...exemplars].sort((one, other) => timeOf(one) - timeOf(other))) {
      const observed = timeOf(exemplar)
      if (!(observed > known.exemplified)) continue
      known.exemplified = observed
      encoded.push(encodeExemplar(exemplarPairs(exemplar.labels), exemplar.value, observed))
    }
    return encoded
  }

  #seen(name: string, labels: Labels, isNative: boolean, timestamp: number | undefined): KnownSeries | undefined {
    const pairs = this.#pairs(name, labels)
    if (pairs === undefined || (timestamp !== undefined && !Number.isFinite(timestamp))) {
      this.#unwritable += 1
      return undefined
    }
    const key = pairs.flat().join(SEPARATOR)
    const stamped = timestamp === undefined ? undefined : Math.round(timestamp * 1_000)
    const known = this.#known.get(key)
    if (known === undefined || known.isNative !== isNative) {
      const added = { labels: encodeLabels(pairs), isNative, round: this.#round, stamped, exemplified: -Infinity }
      this.#known.set(key, added)
      return added
    }
    const isRepeated = known.round === this.#round || (stamped !== undefined && stamped === known.stamped)
    known.round = this.#round
    known.stamped = stamped
    return isRepeated ? undefined : known
  }

  /** Names and values in the order that the protocol asks for; undefined where two names become the same. */
  #pairs(name: string, labels: Labels): LabelPair[] | undefined {
    const pairs: LabelPair[] = [['__name__', written(name, /[^a-zA-Z0-9_:]/gu)]]
    for (const label in labels) {
      if (labels[label] !== '') pairs.push([written(label, /[^a-zA-Z0-9_]/gu), labels[label] as string])
    }
    for (const [label, value] of this.#options.labels) {
      if (value !== '' && !pairs.some(([taken]) => taken === label)) pairs.push([label, value])
    }
    pairs.sort(([one], [other]) => (one < other ? -1 : 1))
    return pairs.some(([label], index) => label === pairs[index - 1]?.[0]) ? undefined : pairs
  }
}

function exemplarPairs(labels: Labels): LabelPair[] {
  const pairs = Object.entries(labels).map(([name, value]) => [written(name, /[^a-zA-Z0-9_]/gu), value] as const)
  return pairs.sort(([one], [other]) => (one < other ? -1 : 1))
}

/** The name that a family's samples bear, as what is known about it is looked up by. */
export function writtenFamilyName(family: MetricFamily): string {
  const isTotal = family.type === 'counter' && family.totalSuffix !== false
  const suffix = isTotal ? '_total' : family.type === 'info' ? '_info' : ''
  return written(family.name + suffix, /[^a-zA-Z0-9_:]/gu)
}

/** A name in the letters that every server knows, as in text for readers that know no others. */
function written(name: string, foreign: RegExp): string {
  return name.replace(/^[0-9]/, '_').replace(foreign, '_')
}

function staleMarker({ labels, isNative }: KnownSeries, time: number): QueuedSample {
  return { labels, value: isNative ? STALE_HISTOGRAM : undefined, time }
}

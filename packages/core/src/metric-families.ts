import { MetricError, refuseUnknownOptions } from './errors.ts'
import {
  type Aggregation,
  AGGREGATIONS,
  type Bucket,
  type Exemplar,
  type HistogramSeries,
  type InfoSeries,
  type MetricType,
  type NativeHistogram,
  type Quantile,
  type SeriesOf,
  type StateSetSeries,
  type SummarySeries,
  type ValueSeries,
} from './family.ts'
import { type Labels, labelsFrom, type LabelValue, labelValueOf, NO_LABELS } from './labels.ts'
import { isValidName } from './names.ts'

/** What every family that a collector builds begins with. */
export interface MetricFamilyOptions {
  /** A trailing `_total` of a counter and `_info` of an info is taken as its sample's suffix. */
  readonly name: string
  readonly help: string
  readonly unit?: string
  /** Names for the values that `add` takes as an array; not needed where it is given objects. */
  readonly labelNames?: readonly string[]
}

/** Label values in the order of `labelNames`, or an object of any names. */
export type FamilyLabels = readonly LabelValue[] | { readonly [name: string]: LabelValue }

/** When a sample was taken and when its counting began, both in seconds since the epoch. */
export interface SeriesTimes {
  readonly timestamp?: number
  readonly created?: number
}

/** The part that is the same for every type. */
abstract class BuiltFamily<Type extends MetricType> {
  readonly name: string
  readonly help: string
  abstract readonly type: Type
  readonly unit: string | undefined
  readonly series: SeriesOf[Type][] = []
  readonly #labelNames: readonly string[]

  constructor(options: MetricFamilyOptions, suffix = '', more: readonly string[] = [], unitless = false) {
    const subject = this.constructor.name
    const refuse = (argument: string, rule: string, value: unknown): never => {
      throw new MetricError('ERR_NARTHEX_INVALID_FAMILY', { subject, argument, rule, value })
    }
    if (typeof options !== 'object' || options === null)
      refuse('options', 'to be an object with `name` and `help`', options)
    refuseUnknownOptions(subject, String(options.name), options, ['name', 'help', 'unit', 'labelNames', ...more])
    const { name, help, unit = '', labelNames = [] } = options
    if (!isValidName(name)) refuse('name', 'to be a non-empty, well-formed string', name)
    if (typeof help !== 'string') refuse('help', 'to be a string', help)
    if (!Array.isArray(labelNames) || !labelNames.every(isValidName) || new Set(labelNames).size < labelNames.length) {
      refuse('labelNames', 'to be an array of distinct, non-empty, well-formed strings', labelNames)
    }
    if (unit !== '' && !isValidName(unit)) refuse('unit', 'to be a well-formed string', unit)
    if (unit !== '' && unitless) refuse('unit', 'to be absent: an info or a state set has none', unit)
    const bare =
      suffix !== '' && name.endsWith(suffix) && name.length > suffix.length ? name.slice(0, -suffix.length) : name
    this.name = unit === '' || bare.endsWith(`_${unit}`) ? bare : `${bare}_${unit}`
    this.help = help.toWellFormed()
    this.unit = unit === '' ? undefined : unit
    this.#labelNames = [...labelNames]
  }

  protected labelsOf(labels: FamilyLabels): Labels {
    const subject = this.constructor.name
    const names = this.#labelNames
    if (Array.isArray(labels)) {
      if (labels.length !== names.length) {
        this.refuse('labels', `to be ${names.length} value(s), one for each of \`${names.join('`, `')}\``, labels)
      }
      const texts = labels.map((value, index) => labelValueOf(value, names[index] as string, subject, this.name))
      return labelsFrom(names, texts)
    }
    if (typeof labels !== 'object' || labels === null) this.refuse('labels', 'to be an array or an object', labels)
    const own = Object.keys(labels)
    const named = labels as { readonly [name: string]: LabelValue }
    for (const name of own) {
      if (!isValidName(name) || (names.length > 0 && !names.includes(name))) {
        this.refuse(
          'labels',
          names.length > 0 ? `to hold only ${names.join(', ')}` : 'to have well-formed names',
          labels,
        )
      }
    }
    if (own.length === 0) return NO_LABELS
    return labelsFrom(
      own,
      own.map((name) => labelValueOf(named[name], name, subject, this.name)),
    )
  }

  /** The times among `more`, checked. */
  protected timesOf(more: SeriesTimes): SeriesTimes {
    const { timestamp, created } = more
    const check = (argument: string, time: number | undefined): void => {
      if (time !== undefined && !Number.isFinite(time)) this.refuse(argument, 'to be a finite number of seconds', time)
    }
    check('timestamp', timestamp)
    check('created', created)
    return { ...(timestamp !== undefined && { timestamp }), ...(created !== undefined && { created }) }
  }

  /** What a series is made of, once it is known to be an object. */
  protected valuesOf<Values extends object>(values: Values): Values {
    if (typeof values !== 'object' || values === null) this.refuse('value', 'to be an object', values)
    return values
  }

  protected number(argument: string, value: unknown): number {
    if (typeof value !== 'number') this.refuse(argument, 'to be a number', value)
    return value as number
  }

  protected refuse(argument: string, rule: string, value: unknown): never {
    const subject = this.constructor.name
    throw new MetricError('ERR_NARTHEX_INVALID_FAMILY', { subject, metric: this.name, argument, rule, value })
  }
}

/** Options of the families whose series are one number. */
export interface ValueMetricFamilyOptions extends MetricFamilyOptions {
  /** The number of the only series, where there are no labels. */
  readonly value?: number
}

abstract class ValueFamily<Type extends 'counter' | 'gauge' | 'unknown'> extends BuiltFamily<Type> {
  constructor(options: ValueMetricFamilyOptions, suffix?: string, more: readonly string[] = []) {
    super(options, suffix, ['value', ...more])
    if (options.value !== undefined) this.add([], options.value)
  }

  /** Adds a series; returns the family. Throws `ERR_NARTHEX_INVALID_FAMILY` for what is no number. */
  add(labels: FamilyLabels, value: number, more: SeriesTimes & { readonly exemplar?: Exemplar } = {}): this {
    const series: ValueSeries = {
      labels: this.labelsOf(labels),
      value: this.number('value', value),
      ...this.timesOf(more),
      ...(more.exemplar !== undefined && { exemplar: more.exemplar }),
    }
    ;(this.series as ValueSeries[]).push(series)
    return this
  }
}

/** A gauge family for a custom collector: `new GaugeMetricFamily({ name, help, value: 7 })`. */
export class GaugeMetricFamily extends ValueFamily<'gauge'> {
  readonly type = 'gauge'
  /** How those of several processes make one, for a collector that is not `shared`. */
  declare readonly aggregation?: Aggregation

  constructor(options: ValueMetricFamilyOptions & { readonly aggregation?: Aggregation }) {
    super(options, '', ['aggregation'])
    const { aggregation } = options
    if (aggregation === undefined) return
    if (!AGGREGATIONS.includes(aggregation)) {
      this.refuse('aggregation', `to be one of ${AGGREGATIONS.join(', ')}`, aggregation)
    }
    this.aggregation = aggregation
  }
}

/** A family of unknown type, for numbers whose meaning the collector cannot know. */
export class UnknownMetricFamily extends ValueFamily<'unknown'> {
  readonly type = 'unknown'
}

/** A counter family for a custom collector: `new CounterMetricFamily({ name, help, labelNames: ['foo'] }).add(['bar'], 1.7)`. */
export class CounterMetricFamily extends ValueFamily<'counter'> {
  readonly type = 'counter'
  declare readonly totalSuffix?: false

  constructor(options: ValueMetricFamilyOptions & { readonly totalSuffix?: boolean }) {
    const bare = options?.totalSuffix === false
    super(options, bare ? '' : '_total', ['totalSuffix'])
    if (bare) this.totalSuffix = false
  }

  override add(labels: FamilyLabels, value: number, more?: SeriesTimes & { readonly exemplar?: Exemplar }): this {
    if (!(value >= 0)) this.refuse('value', 'to be a number >= 0', value)
    return super.add(labels, value, more)
  }
}

/** What a histogram's series is made of. */
export interface HistogramValue extends SeriesTimes {
  /** Cumulative; +Inf is added from `count` where it is missing. */
  readonly buckets?: readonly Bucket[]
  readonly sum?: number
  /** @default the count of the last bucket */
  readonly count?: number
  readonly native?: NativeHistogram
}

abstract class HistogramFamily<Type extends 'histogram' | 'gaugehistogram'> extends BuiltFamily<Type> {
  /** Adds a series; returns the family. Throws `ERR_NARTHEX_INVALID_FAMILY` for bounds that do not increase. */
  add(labels: FamilyLabels, value: HistogramValue): this {
    const { buckets = [], sum, native } = this.valuesOf(value)
    const complete = [...buckets]
    for (const [index, bucket] of complete.entries()) {
      this.number('buckets[].count', bucket.count)
      this.number('buckets[].le', bucket.le)
      if (!(bucket.le > (complete[index - 1]?.le ?? -Infinity))) this.refuse('buckets', 'to increase in `le`', buckets)
    }
    const count = value.count ?? complete.at(-1)?.count
    if (complete.length > 0 && complete.at(-1)?.le !== Infinity) complete.push({ le: Infinity, count: count as number })
    const series: HistogramSeries = {
      labels: this.labelsOf(labels),
      ...this.timesOf(value),
      ...(count !== undefined && { count: this.number('count', count) }),
      ...(sum !== undefined && { sum: this.number('sum', sum) }),
      buckets: complete,
      ...(native !== undefined && { native }),
    }
    ;(this.series as HistogramSeries[]).push(series)
    return this
  }
}

/** A histogram family for a custom collector. */
export class HistogramMetricFamily extends HistogramFamily<'histogram'> {
  readonly type = 'histogram'
}

/** A gauge histogram family: a distribution as it stands now, such as the ages of what is queued. */
export class GaugeHistogramMetricFamily extends HistogramFamily<'gaugehistogram'> {
  readonly type = 'gaugehistogram'
}

/** A summary family for a custom collector. */
export class SummaryMetricFamily extends BuiltFamily<'summary'> {
  readonly type = 'summary'

  /** Adds a series; returns the family. */
  add(
    labels: FamilyLabels,
    value: SeriesTimes & { readonly count?: number; readonly sum?: number; readonly quantiles?: readonly Quantile[] },
  ): this {
    const { quantiles = [], count, sum } = this.valuesOf(value)
    for (const { quantile, value: at } of quantiles) {
      this.number('quantiles[].value', at)
      if (!(this.number('quantiles', quantile) >= 0 && quantile <= 1)) {
        this.refuse('quantiles', 'to be numbers from 0 to 1', quantile)
      }
    }
    const series: SummarySeries = {
      labels: this.labelsOf(labels),
      ...this.timesOf(value),
      ...(count !== undefined && { count: this.number('count', count) }),
      ...(sum !== undefined && { sum: this.number('sum', sum) }),
      quantiles: [...quantiles],
    }
    this.series.push(series)
    return this
  }
}

/** An info family for a custom collector. */
export class InfoMetricFamily extends BuiltFamily<'info'> {
  readonly type = 'info'

  constructor(options: MetricFamilyOptions) {
    super(options, '_info', [], true)
  }

  /** Adds a series; `facts` join its labels. Returns the family. */
  add(labels: FamilyLabels, facts: { readonly [name: string]: LabelValue } = {}): this {
    const names = Object.keys(this.valuesOf(facts))
    const values = names.map((name) => labelValueOf(facts[name], name, this.constructor.name, this.name))
    const own = this.labelsOf(labels)
    const clash = names.find((name) => Object.hasOwn(own, name))
    if (clash !== undefined) this.refuse('facts', `to leave \`${clash}\` to the labels`, facts)
    const series: InfoSeries = { labels: Object.freeze({ ...own, ...labelsFrom(names, values) }) }
    this.series.push(series)
    return this
  }
}

/** A state set family for a custom collector. */
export class StateSetMetricFamily extends BuiltFamily<'stateset'> {
  readonly type = 'stateset'

  constructor(options: MetricFamilyOptions) {
    super(options, '', [], true)
  }

  /** Adds a series: which states there are, and which of them hold. Returns the family. */
  add(labels: FamilyLabels, states: { readonly [state: string]: boolean }): this {
    const entries = Object.entries(this.valuesOf(states)).map(([name, enabled]) => ({
      name,
      enabled: enabled === true,
    }))
    const series: StateSetSeries = { labels: this.labelsOf(labels), states: entries }
    this.series.push(series)
    return this
  }
}

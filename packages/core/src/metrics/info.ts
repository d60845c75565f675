import { MetricError } from '../errors.ts'
import type { InfoSeries } from '../family.ts'
import { checkLabelNames, type Labels, labelsFrom, type LabelValue, labelValueOf, type LabelValues } from '../labels.ts'
import { Metric, type MetricChild, type MetricOptions, type WithLabels } from './metric.ts'

export type InfoOptions<L extends string = never> = MetricOptions<L, Info<L>>

/** Facts that rarely change, told as labels of a constant 1: a version, a commit (OpenMetrics 1.0, "Info"). */
export class Info<L extends string = never> extends Metric<L, InfoChild> {
  constructor(options: InfoOptions<L>) {
    super(options, {
      type: 'info',
      options: [],
      create: (labels) => new InfoChild(labels, this),
      updates: ['info'],
    })
    this.start(options.registry)
  }

  /** Replaces the facts of a series. Throws for a fact that is named like a label of the metric. */
  info(...args: WithLabels<L, [facts: { readonly [name: string]: LabelValue }]>): void
  info(first: LabelValues, second?: LabelValues): void {
    if (second === undefined) this.child(undefined).info(first)
    else this.children.get(first).info(second)
  }
}

/** One series of an {@link Info}. */
export class InfoChild implements MetricChild {
  readonly labels: Labels
  #facts: Labels
  readonly #metric: { readonly name: string; readonly labelNames: readonly string[] }

  constructor(labels: Labels, metric: { readonly name: string; readonly labelNames: readonly string[] }) {
    this.labels = labels
    this.#facts = labels
    this.#metric = metric
  }

  /** See {@link Info.info}. */
  info(facts: { readonly [name: string]: LabelValue }): void {
    const { name: metric, labelNames } = this.#metric
    if (typeof facts !== 'object' || facts === null || Array.isArray(facts)) {
      this.#refuse('to be an object of facts', facts)
    }
    const names = checkLabelNames(Object.keys(facts), 'info', 'Info', metric)
    const clash = names.find((name) => labelNames.includes(name))
    if (clash !== undefined) this.#refuse(`to leave \`${clash}\` to the metric's own labels`, facts)
    const values = names.map((name) => labelValueOf(facts[name], name, 'Info', metric))
    this.#facts = Object.freeze({ ...this.labels, ...labelsFrom(names, values) })
  }

  zero(): void {
    this.#facts = this.labels
  }

  snapshot(): InfoSeries {
    return { labels: this.#facts }
  }

  #refuse(rule: string, value: unknown): never {
    const { name: metric } = this.#metric
    throw new MetricError('ERR_NARTHEX_INVALID_LABELS', { subject: 'Info', metric, argument: 'facts', rule, value })
  }
}

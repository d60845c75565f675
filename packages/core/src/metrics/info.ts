import { unixSeconds } from '../clock.ts'
import { MetricError } from '../errors.ts'
import type { InfoSeries } from '../family.ts'
import { checkLabelNames, type Labels, labelsFrom, type LabelValue, labelValueOf, type LabelValues } from '../labels.ts'
import { aside } from './aside.ts'
import { Metric, type MetricChild, type MetricOptions, type WithLabels } from './metric.ts'

export type InfoOptions<L extends string = never> = MetricOptions<L, Info<L>>

/** Facts that rarely change, told as labels of a constant 1: a version, a commit (OpenMetrics 1.0, "Info"). */
export class Info<L extends string = never> extends Metric<L, InfoChild> {
  constructor(options: InfoOptions<L>) {
    super(options, {
      type: 'info',
      options: [],
      create: (labels) => new InfoChild(labels, { name: this.givenName, labelNames: this.labelNames }),
      updates: ['info'],
    })
    this.start(options.registry)
  }

  /** Replaces the facts of a series. Throws for a fact that is named like a label of the metric. */
  info(...args: WithLabels<L, [facts: { readonly [name: string]: LabelValue }]>): void
  info(first: LabelValues, second?: LabelValues): void {
    if (this.labelNames.length === 0 && second === undefined) {
      this.child(undefined).info(first)
      return
    }
    // Before the look-up, which makes a series where there is none.
    factsFrom(second, { name: this.givenName, labelNames: this.labelNames })
    this.children.get(first).info(second as LabelValues)
  }
}

/** One series of an {@link Info}. */
export class InfoChild implements MetricChild {
  readonly labels: Labels
  #facts: Labels
  #updated = 0
  readonly #metric: { readonly name: string; readonly labelNames: readonly string[] }

  constructor(labels: Labels, metric: { readonly name: string; readonly labelNames: readonly string[] }) {
    this.labels = labels
    this.#facts = labels
    this.#metric = metric
  }

  /** See {@link Info.info}. */
  info(facts: { readonly [name: string]: LabelValue }): void {
    this.#facts = Object.freeze({ ...this.labels, ...factsFrom(facts, this.#metric) })
    this.#updated = unixSeconds()
  }

  zero(): void {
    this.#facts = this.labels
  }

  snapshot(): InfoSeries {
    const series: InfoSeries = { labels: this.#facts }
    return aside(series, { identity: this.labels, updated: this.#updated })
  }
}

/** Facts as labels; throws for one that is named like a label of the metric. */
function factsFrom(
  facts: { readonly [name: string]: LabelValue } | undefined,
  { name: metric, labelNames }: { readonly name: string; readonly labelNames: readonly string[] },
): Labels {
  const refuse = (rule: string): never => {
    const code = 'ERR_NARTHEX_INVALID_LABELS'
    throw new MetricError(code, { subject: 'Info', metric, argument: 'facts', rule, value: facts })
  }
  if (typeof facts !== 'object' || facts === null || Array.isArray(facts)) return refuse('to be an object of facts')
  const names = checkLabelNames(Object.keys(facts), 'info', 'Info', metric, 'facts')
  const clash = names.find((name) => labelNames.includes(name))
  if (clash !== undefined) refuse(`to leave \`${clash}\` to the metric's own labels`)
  return labelsFrom(
    names,
    names.map((name) => labelValueOf(facts[name], name, 'Info', metric)),
  )
}

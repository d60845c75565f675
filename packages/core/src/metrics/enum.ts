import { unixSeconds } from '../clock.ts'
import { MetricError } from '../errors.ts'
import type { StateSetSeries } from '../family.ts'
import type { Labels, LabelValues } from '../labels.ts'
import { aside } from './aside.ts'
import { Metric, type MetricChild, type MetricOptions, type WithLabels } from './metric.ts'

export interface EnumOptions<L extends string = never, S extends string = string> extends MetricOptions<L, Enum<L, S>> {
  /** The states, one of which holds at a time; the first one holds at the start. */
  readonly states: readonly S[]
}

/** Which of a few states something is in: `starting`, `running`, `stopped` (OpenMetrics 1.0, "StateSet"). */
export class Enum<L extends string = never, S extends string = string> extends Metric<L, EnumChild<S>> {
  readonly states: readonly S[]

  constructor(options: EnumOptions<L, S>) {
    const states: S[] = []
    super(options, {
      type: 'stateset',
      options: ['states'],
      create: (labels) => new EnumChild(labels, this),
      updates: ['state'],
      definition: states,
    })
    states.push(...this.#checkStates(options.states))
    this.states = Object.freeze(states)
    this.start(options.registry)
  }

  /** Enters a state. Throws `ERR_NARTHEX_INVALID_STATE` for one that was not declared. */
  state(...args: WithLabels<L, [state: S]>): void
  state(first: LabelValues | S, second?: S): void {
    if (typeof first === 'object' && first !== null) {
      // Before the look-up, which makes a series where there is none.
      indexOfState(second, this)
      this.children.get(first).state(second as S)
    } else this.child(undefined).state(first)
  }

  #checkStates(states: unknown): readonly S[] {
    const rule = 'to be a non-empty array of distinct, non-empty strings'
    if (!Array.isArray(states) || states.length === 0 || new Set(states).size !== states.length) {
      return this.refuseOption('states', rule, states)
    }
    for (const state of states) {
      if (typeof state !== 'string' || state === '' || !state.isWellFormed()) this.refuseOption('states', rule, states)
    }
    return states
  }
}

/** One series of an {@link Enum}. */
export class EnumChild<S extends string = string> implements MetricChild {
  readonly labels: Labels
  #state = 0
  #updated = 0
  readonly #metric: { readonly name: string; readonly states: readonly S[] }

  constructor(labels: Labels, metric: { readonly name: string; readonly states: readonly S[] }) {
    this.labels = labels
    this.#metric = metric
  }

  /** See {@link Enum.state}. */
  state(state: S): void {
    this.#state = indexOfState(state, this.#metric)
    this.#updated = unixSeconds()
  }

  zero(): void {
    this.#state = 0
  }

  snapshot(): StateSetSeries {
    const states = this.#metric.states.map((name, index) => ({ name, enabled: index === this.#state }))
    const series: StateSetSeries = { labels: this.labels, states }
    return aside(series, { updated: this.#updated })
  }
}

/** Throws for a state that was not declared. */
function indexOfState(state: unknown, { name: metric, states }: { name: string; states: readonly unknown[] }): number {
  const index = states.indexOf(state)
  if (index >= 0) return index
  const rule = `to be one of ${states.join(', ')}`
  throw new MetricError('ERR_NARTHEX_INVALID_STATE', { subject: 'Enum', metric, argument: 'state', rule, value: state })
}

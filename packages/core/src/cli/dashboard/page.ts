import type { MetricFamily } from '../../family.ts'

/** The families of a page, of which each is shown once: by the first who takes it. */
export class Page {
  readonly #families: Map<string, MetricFamily>

  constructor(families: Iterable<MetricFamily>) {
    this.#families = new Map()
    for (const family of families) this.#families.set(family.name, family)
  }

  /** The family of that name and one of these types, if it is there and nobody has taken it. */
  take<Type extends MetricFamily['type']>(
    name: string,
    ...types: readonly Type[]
  ): Extract<MetricFamily, { type: Type }> | undefined {
    const family = this.#families.get(name)
    if (family === undefined || !types.some((type) => type === family.type)) return undefined
    this.#families.delete(name)
    return family as Extract<MetricFamily, { type: Type }>
  }

  /** All families that are still there and fit, in the order of the page. */
  takeAll(fits: (family: MetricFamily) => boolean): MetricFamily[] {
    const taken = [...this.#families.values()].filter(fits)
    for (const { name } of taken) this.#families.delete(name)
    return taken
  }
}

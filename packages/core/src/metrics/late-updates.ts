/** Somebody who puts updates of series off, to make many of them at once. Nothing here may throw. */
export interface UpdateHolder {
  /** Makes the updates: somebody is about to look. */
  settle(): void
  /** Makes them and finds its series anew from now on: some are being removed, or look for exemplars. */
  drop(): void
}

/**
 * The updates of a metric's series that are put off: they are made before anybody reads the series, sets them back or
 * removes them, and cost nothing where a series is updated at once.
 */
export class LateUpdates {
  readonly #holders = new Set<UpdateHolder>()

  add(holder: UpdateHolder): void {
    this.#holders.add(holder)
  }

  delete(holder: UpdateHolder): void {
    this.#holders.delete(holder)
  }

  settle(): void {
    for (const holder of this.#holders) holder.settle()
  }

  drop(): void {
    for (const holder of this.#holders) holder.drop()
  }
}

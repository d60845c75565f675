/** Milliseconds that work may keep the event loop for itself. */
const TURN_MILLISECONDS = 2

/** Long work in turns: between them, whatever waits in this thread runs. */
export class Turn {
  #end = performance.now() + TURN_MILLISECONDS

  /** Whether the turn is over. Reads the clock: ask after some dozens of series. */
  get isOver(): boolean {
    return performance.now() >= this.#end
  }

  /** Waits for the next turn. */
  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#end = performance.now() + TURN_MILLISECONDS
  }
}

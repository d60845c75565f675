import type { Labels } from '../labels.ts'
import { escapeLabelName, type EscapingScheme, isValidName } from '../names.ts'

/**
 * The label names of one family as a page spells them. Two that escaping makes one, a name that the family writes
 * itself (`le`) and names that are none would make a page unreadable: a series with such labels is refused. Names are
 * judged when they are first seen; a family without suspects never looks at them again.
 */
export class LabelNames {
  /** The label that the family's lines add themselves, as written: `le`, `quantile`, a state set's name. */
  readonly own: string | undefined
  /** Whether series must be judged one by one with {@link LabelNames.ruleFor}. */
  suspicious = false
  readonly #escaping: EscapingScheme
  readonly #written = new Set<string>()

  constructor(escaping: EscapingScheme, own: string | undefined) {
    this.#escaping = escaping
    this.own = own === undefined ? undefined : escapeLabelName(own, escaping)
  }

  /** The name as written. To be called once for each name: the caller keeps what it makes of it. */
  write(label: string): string {
    const written = escapeLabelName(label, this.#escaping)
    if (!isValidName(label) || this.#isTaken(written) || this.#written.has(written)) this.suspicious = true
    this.#written.add(written)
    return written
  }

  /** What a series with these labels breaks, undefined where they are fine. Costs an escaping of each name. */
  ruleFor(labels: Labels): string | undefined {
    const written = new Set<string>()
    for (const label in labels) {
      if (labels[label] === '') continue
      const name = escapeLabelName(label, this.#escaping)
      if (!isValidName(label)) return 'to have labels with non-empty, well-formed names'
      if (this.#isTaken(name)) return `to leave the label \`${name}\` to the family itself`
      if (written.has(name)) return `to have labels that stay distinct when escaped, unlike \`${name}\``
      written.add(name)
    }
    return undefined
  }

  #isTaken(written: string): boolean {
    return written === this.own || written === '__name__'
  }
}

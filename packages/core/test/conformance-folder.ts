import { afterAll, expect, it } from 'vitest'
import { conformanceCases } from './conformance.ts'

/** Judges the files of one folder of the conformance data and prints `conformance encode/: 41 passed, 3 listed`. */
export class ConformanceFolder {
  readonly #folder: string
  #passed = 0
  #listed = 0

  /** `part` tells apart the test files that share a folder. */
  constructor(folder: string, part = '') {
    this.#folder = folder
    afterAll(() => {
      if (this.#passed + this.#listed === 0) return
      console.log(`conformance ${folder}/${part && ` (${part})`}: ${this.#passed} passed, ${this.#listed} listed`)
    })
  }

  /**
   * Runs `check`, which throws where it disagrees, over the cases of a file. `listed` names those that contradict a
   * clause, which docs/conformance.md has too: one that agrees after all fails, so the list stays true.
   */
  file<Case extends { readonly name: string }>(
    file: string,
    listed: Readonly<Record<string, string>>,
    check: (one: Case) => void,
  ): void {
    it(`agrees with ${this.#folder}/${file}`, (context) => {
      const cases = conformanceCases<Case>(`${this.#folder}/${file}`, context)
      const names = new Set(cases.map(({ name }) => name))
      const wrong = Object.keys(listed).flatMap((name) => (names.has(name) ? [] : [`${name}: listed, but not there`]))
      for (const one of cases) {
        const disagreement = disagreementOf(check, one)
        const isListed = listed[one.name] !== undefined
        if (isListed) this.#listed += 1
        else this.#passed += 1
        if (isListed && disagreement === undefined) wrong.push(`${one.name}: agrees, though listed`)
        if (!isListed && disagreement !== undefined) wrong.push(`${one.name}: ${disagreement}`)
      }
      expect(wrong.join('\n')).toBe('')
      expect(cases.length).toBeGreaterThan(0)
    })
  }
}

function disagreementOf<Case>(check: (one: Case) => void, one: Case): string | undefined {
  try {
    check(one)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

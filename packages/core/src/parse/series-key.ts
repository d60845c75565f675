import type { PageReader } from './page-reader.ts'

/** The labels of a series, kept to recognise its next line. */
export interface LabelColumns {
  readonly names: readonly string[]
  readonly values: readonly string[]
}

/** Copies the labels of the reader's line, but for the one at `skip`. */
export function labelColumns(reader: PageReader, skip: number): LabelColumns {
  const names: string[] = []
  const values: string[] = []
  for (let index = 0; index < reader.labelCount; index++) {
    if (index === skip) continue
    names.push(reader.labelNames[index] as string)
    values.push(reader.labelValues[index] as string)
  }
  return { names, values }
}

/** Whether the reader's line has exactly these labels in this order: the quick test for a line of the same series. */
export function hasColumns(reader: PageReader, skip: number, { names, values }: LabelColumns): boolean {
  const { labelNames, labelValues, labelCount } = reader
  if (names.length !== labelCount - (skip < 0 ? 0 : 1)) return false
  let column = 0
  for (let index = 0; index < labelCount; index++) {
    if (index === skip) continue
    if (values[column] !== labelValues[index] || names[column] !== labelNames[index]) return false
    column += 1
  }
  return true
}

/**
 * Makes a string of each label set of a family: the same for two lines if and only if their sets are, whatever the
 * order of the labels. Lengths keep values apart, so no value can imitate another set. The order of the first line is
 * that of all keys, so lines written alike need no sorting.
 */
export class SeriesKeys {
  #order: readonly string[] | undefined

  /** The key of the reader's line; the label at `skip` and those without a value do not count. */
  keyOf(reader: PageReader, skip: number): string {
    this.#order ??= reader.labelNames.slice(0, reader.labelCount).filter((_, index) => index !== skip)
    const { labelNames, labelValues, labelCount } = reader
    const order = this.#order
    if (order.length !== labelCount - (skip < 0 ? 0 : 1)) return keyInOrder(reader, skip, order)
    let key = ''
    let column = 0
    for (let index = 0; index < labelCount; index++) {
      if (index === skip) continue
      if (labelNames[index] !== order[column]) return keyInOrder(reader, skip, order)
      column += 1
      const value = labelValues[index] as string
      key += `${value.length}:${value}`
    }
    return key
  }
}

/** Values of the labels in `order`, none for those that the line lacks, then its other labels by name. */
function keyInOrder(
  { labelNames, labelValues, labelCount }: PageReader,
  skip: number,
  order: readonly string[],
): string {
  const rest = new Map<string, string>()
  for (let index = 0; index < labelCount; index++) {
    if (index !== skip) rest.set(labelNames[index] as string, labelValues[index] as string)
  }
  const pieces: string[] = []
  for (const name of order) {
    const value = rest.get(name) ?? ''
    rest.delete(name)
    pieces.push(`${value.length}:${value}`)
  }
  for (const [name, value] of [...rest].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (value !== '') pieces.push(`${name.length}:${name}${value.length}:${value}`)
  }
  return pieces.join('')
}

import { encode } from '../exposition/encode.ts'
import { textFormat1 } from '../exposition/text.ts'
import { counterSampleName, type MetricFamily, samplesOf } from '../family.ts'
import { formatFloat } from '../float.ts'
import { parseText } from '../parse/text.ts'
import { lint } from './lint.ts'
import { familiesOf, type MetricSource } from './metric-source.ts'

/** What can be expected of metrics. Each throws an `Error` that shows what differs, in any test framework. */
export interface MetricsExpectation {
  /**
   * Compares with a page in text format: the same metrics, series, values, types and help, in whatever order and
   * however spelled. With `names`, only the metrics called so on either side.
   */
  toEqualText(expected: string, ...names: readonly string[]): Promise<void>
  /** Refuses what {@link lint} finds. With `names`, in the metrics called so. */
  toHaveNoLintProblems(...names: readonly string[]): Promise<void>
}

/**
 * Starts an expectation: `await expectMetrics(registry).toEqualText('…', 'http_requests_total')`. The metrics are
 * gathered when the expectation is checked. A metric is called by the name of its family or by that on a text page.
 */
export function expectMetrics(source: MetricSource): MetricsExpectation {
  return {
    toEqualText: (expected, ...names) => compareText(source, expected, names),
    toHaveNoLintProblems: (...names) => refuseProblems(source, names),
  }
}

/** Short for `expectMetrics(source).toHaveNoLintProblems()`. */
export function expectNoLintProblems(source: MetricSource): Promise<void> {
  return refuseProblems(source, [])
}

async function compareText(source: MetricSource, expected: string, names: readonly string[]): Promise<void> {
  const page = expected === '' || expected.endsWith('\n') ? expected : `${expected}\n`
  const wanted = linesOf(selected(parseText(page), names))
  // By way of the page, so that both sides have only what text can tell.
  const written = encode(selected(await familiesOf(source), names), textFormat1.withEscaping('allow-utf-8'))
  const actual = linesOf(parseText(written))
  const differences = [...differencesOf(wanted, actual)]
  if (differences.length > 0) {
    throw new Error(`expected other metrics (- expected, + actual):\n${differences.join('\n')}`)
  }
}

async function refuseProblems(source: MetricSource, names: readonly string[]): Promise<void> {
  const problems = lint(selected(await familiesOf(source), names))
  if (problems.length === 0) return
  throw new Error(
    `expected metrics without lint problems:\n${problems.map(({ metric, text }) => `${metric}: ${text}`).join('\n')}`,
  )
}

function selected(families: readonly MetricFamily[], names: readonly string[]): readonly MetricFamily[] {
  if (names.length === 0) return families
  return families.filter((family) => names.includes(family.name) || names.includes(pageName(family)))
}

function pageName(family: MetricFamily): string {
  return family.type === 'counter' ? counterSampleName(family) : family.name
}

/** A line under what it is about, so that two values of one sample meet. Several lines may be about the same. */
type Lines = ReadonlyMap<string, readonly string[]>

function linesOf(families: Iterable<MetricFamily>): Lines {
  const lines = new Map<string, string[]>()
  const add = (about: string, line: string): void => {
    const known = lines.get(about)
    if (known === undefined) lines.set(about, [line])
    else known.push(line)
  }
  for (const family of families) {
    const name = pageName(family)
    // Sorts before `name{`: a metric's head stands above its samples.
    add(`${name} 1`, `# HELP ${name} ${family.help.replaceAll('\n', '\\n')}`)
    add(`${name} 2`, `# TYPE ${name} ${family.type}`)
    for (const sample of samplesOf(family)) {
      const labels = Object.entries(sample.labels)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([label, value]) => `${label}=${JSON.stringify(value)}`)
      const time = sample.timestamp === undefined ? '' : ` ${sample.timestamp * 1000}`
      const series = `${sample.name}{${labels.join(',')}}`
      add(`${name} 3 ${series}`, `${series} ${formatFloat(sample.value)}${time}`)
    }
  }
  for (const about of lines.values()) about.sort()
  return lines
}

function* differencesOf(wanted: Lines, actual: Lines): Generator<string> {
  for (const about of [...new Set([...wanted.keys(), ...actual.keys()])].sort()) {
    const missing = [...(wanted.get(about) ?? [])]
    for (const line of actual.get(about) ?? []) {
      const at = missing.indexOf(line)
      if (at < 0) yield `+ ${line}`
      else missing.splice(at, 1)
    }
    for (const line of missing) yield `- ${line}`
  }
}

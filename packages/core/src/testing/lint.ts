import { counterSampleName, type MetricFamily, type MetricType } from '../family.ts'
import type { Labels } from '../labels.ts'
import { hasAbbreviatedUnit, hasWord, unitOfName } from './units.ts'

/** Something about a metric that will annoy its users. */
export interface LintProblem {
  /** The metric, as a text page calls it: `http_requests_total`. */
  readonly metric: string
  /** What is wrong with it, in promtool's words. */
  readonly text: string
}

/**
 * Finds what `promtool check metrics` finds, in its words: missing help, units that are no base units or abbreviated,
 * suffixes and labels that belong to other types, types in names, colons, camelCase, series that come twice. Problems
 * are sorted by metric, then by text; one that several series have is told once. Goes over every series.
 */
export function lint(families: Iterable<MetricFamily>): LintProblem[] {
  const problems: LintProblem[] = []
  for (const family of families) {
    const metric = pageName(family)
    const texts = new Set(problemsOf(family, metric))
    for (const text of texts) problems.push({ metric, text })
  }
  return problems.sort((a, b) => compare(a.metric, b.metric) || compare(a.text, b.text))
}

/** The words that text 0.0.4 has for the types, `untyped` being none of them. */
type TextType = 'counter' | 'gauge' | 'histogram' | 'gauge_histogram' | 'summary' | undefined

const TEXT_TYPES: Readonly<Record<MetricType, TextType>> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  gaugehistogram: 'gauge_histogram',
  summary: 'summary',
  info: 'gauge',
  stateset: 'gauge',
  unknown: undefined,
}

const TYPE_WORDS = ['counter', 'gauge', 'summary', 'histogram', 'gauge_histogram'] as const

const CAMEL_CASE = /[a-z][A-Z]/

function* problemsOf(family: MetricFamily, metric: string): Generator<string> {
  if (family.help === '') yield 'no help text'
  const unit = unitOfName(metric)
  if (unit !== undefined && unit.unit !== unit.base) yield `use base unit "${unit.base}" instead of "${unit.unit}"`
  const type = TEXT_TYPES[family.type]
  if (type !== undefined) yield* suffixProblems(metric, type)
  for (const word of TYPE_WORDS) if (hasWord(metric, word)) yield `metric name should not include type '${word}'`
  if (metric.includes(':')) yield "metric names should not contain ':'"
  if (CAMEL_CASE.test(metric)) yield "metric names should be written in 'snake_case' not 'camelCase'"
  if (hasAbbreviatedUnit(metric)) yield 'metric names should not contain abbreviated units'
  yield* seriesProblems(family, type)
}

function* suffixProblems(metric: string, type: TextType): Generator<string> {
  const total = metric.endsWith('_total')
  if (type === 'counter' && !total) yield 'counter metrics should have "_total" suffix'
  if (type !== 'counter' && total) yield 'non-counter metrics should not have "_total" suffix'
  if (type === 'histogram') return
  if (metric.endsWith('_bucket')) yield 'non-histogram metrics should not have "_bucket" suffix'
  if (type === 'summary') return
  for (const suffix of ['_count', '_sum']) {
    if (metric.endsWith(suffix)) yield `non-histogram and non-summary metrics should not have "${suffix}" suffix`
  }
}

function* seriesProblems(family: MetricFamily, type: TextType): Generator<string> {
  const seen = new Set<string>()
  for (const { labels, timestamp } of family.series) {
    for (const name in labels) {
      if (CAMEL_CASE.test(name)) yield "label names should be written in 'snake_case' not 'camelCase'"
      if (type === undefined) continue
      if (name === 'le' && type !== 'histogram') yield 'non-histogram metrics should not have "le" label'
      if (name === 'quantile' && type !== 'summary') yield 'non-summary metrics should not have "quantile" label'
    }
    const key = `${timestamp ?? ''} ${identityOf(labels)}`
    if (seen.size === seen.add(key).size) yield 'metric not unique'
  }
}

function identityOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => compare(a, b)))
}

function pageName(family: MetricFamily): string {
  if (family.type === 'counter') return counterSampleName(family)
  return family.type === 'info' ? `${family.name}_info` : family.name
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

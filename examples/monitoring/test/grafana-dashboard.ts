import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { QueryApi, Value } from '../../bookshop/test/query-api.ts'

const program = fileURLToPath(new URL('../node_modules/@narthex/core/dist/cli/main.js', import.meta.url))

/** As much of Grafana's format as matters here. */
export interface Dashboard {
  readonly title: string
  readonly uid?: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { name: string; type: string; definition?: string }[] }
}

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly targets?: readonly { readonly expr: string; readonly legendFormat?: string }[]
}

/** What `narthex dashboard` prints, run as a user runs it. */
export async function printedDashboard(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, 'dashboard', ...args], {
    maxBuffer: 64 * 1_024 * 1_024,
  })
  return stdout
}

/** Puts in what Grafana puts in for somebody who has chosen everything, of targets that are scraped each second. */
export function asGrafanaSends(expression: string): string {
  return expression.replaceAll('$__rate_interval', '4s').replaceAll('$job', '.*').replaceAll('$instance', '.*')
}

/**
 * The queries that find nothing but NaN, and those that name a label in their legend that no series has: with what is
 * wrong with them. All of them, or those that `isAsked`.
 */
export async function poorQueries(
  dashboard: Dashboard,
  api: QueryApi,
  isAsked: (expression: string) => boolean = () => true,
): Promise<Map<string, string>> {
  const poor = new Map<string, string>()
  for (const { title, targets = [] } of dashboard.panels) {
    for (const { expr, legendFormat = '' } of targets) {
      if (!isAsked(expr)) continue
      const values = await api.query(asGrafanaSends(expr))
      if (values.every(({ value }) => Number.isNaN(value))) poor.set(expr, `${title}: nothing for ${expr}`)
      else
        for (const label of labelsLacking(legendFormat, values))
          poor.set(expr, `${title}: no label ${label} for ${expr}`)
    }
  }
  return poor
}

function labelsLacking(legend: string, values: readonly Value[]): string[] {
  const labels = [...legend.matchAll(/\{\{(.+?)\}\}/g)].map(([, label]) => label)
  return labels.filter((label) => !values.some((value) => label in value.labels))
}

/** What each choice of the dashboard offers: the values of a label, as `label_values(selector, label)` finds them. */
export async function choicesOf(dashboard: Dashboard, url: string): Promise<Map<string, readonly string[]>> {
  const choices = new Map<string, readonly string[]>()
  for (const { name, type, definition = '' } of dashboard.templating.list) {
    if (type !== 'query') continue
    const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(definition)!
    const query = new URLSearchParams({ 'match[]': asGrafanaSends(selector) })
    const answer = await fetch(`${url}/api/v1/label/${label}/values?${query}`)
    choices.set(name, ((await answer.json()) as { data: string[] }).data)
  }
  return choices
}

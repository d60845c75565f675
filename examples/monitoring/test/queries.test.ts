import { afterAll, describe, expect, it, type TestContext } from 'vitest'
import { requireProgram } from '../../../packages/core/test/program.ts'
import { QueryApi } from '../../bookshop/test/query-api.ts'
import { eventually, until } from '../../../test/until.ts'
import { type MonitoredShop, startMonitoredShop } from './monitored-shop.ts'

/** A rule as Prometheus itself tells of it. */
interface Rule {
  readonly name: string
  readonly query: string
  readonly type: 'alerting' | 'recording'
  readonly health: string
  readonly lastError?: string
  readonly state?: string
}

/** After so many scrapes every window has two samples. */
const SCRAPES = 6

let watched: Promise<MonitoredShop> | undefined

function watchedShop(context: TestContext): Promise<MonitoredShop> {
  requireProgram('prometheus', context)
  return (watched ??= startMonitoredShop().then(async (shop) => {
    await shop.scraped(SCRAPES)
    const areEvaluated = async (): Promise<boolean> => (await rulesOf(shop)).every(({ health }) => health !== 'unknown')
    await until('every rule is evaluated', areEvaluated, { interval: 200 })
    return shop
  }))
}

afterAll(async () => (await watched)?.stop())

async function rulesOf({ url }: MonitoredShop): Promise<readonly Rule[]> {
  const { data } = (await (await fetch(`${url}/api/v1/rules`)).json()) as { data: { groups: { rules: Rule[] }[] } }
  return data.groups.flatMap(({ rules }) => rules)
}

/** What an alert compares with its thresholds: must have data at all times, not only when something is wrong. */
function comparedIn(query: string): string[] {
  return query.split(' and ').map((condition) => condition.split(/\s(?:>|<|==)\s/)[0])
}

describe('A real Prometheus with this configuration', { timeout: 400_000 }, () => {
  it('scrapes the shop and the exporter', async (context) => {
    const api = new QueryApi((await watchedShop(context)).url)
    const up = await api.query('up')
    expect(up.map(({ labels, value }) => [labels['job'], value]).sort()).toEqual([
      ['bookshop', 1],
      ['game-servers', 1],
    ])
  })

  it('evaluates every rule without an error', async (context) => {
    const rules = await rulesOf(await watchedShop(context))
    expect(rules).toHaveLength(27)
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([])
  })

  it('finds data for every rule', async (context) => {
    const shop = await watchedShop(context)
    const api = new QueryApi(shop.url)
    const rules = await rulesOf(shop)
    const empty = new Set(
      rules.flatMap(({ type, name, query }) => (type === 'recording' ? [query, name] : comparedIn(query))),
    )
    const haveData = async (): Promise<boolean> => {
      for (const expression of empty) {
        const values = await api.query(expression)
        if (values.some(({ value }) => !Number.isNaN(value))) empty.delete(expression)
      }
      return empty.size === 0
    }
    await eventually(haveData, { interval: 500, milliseconds: 120_000 })
    expect([...empty]).toEqual([])
  })

  it('records rates and ratios that are possible', async (context) => {
    const api = new QueryApi((await watchedShop(context)).url)
    expect(await api.queryOne('job:http_requests:rate5m{job="bookshop"}')).toBeGreaterThan(0)
    const all = await api.queryOne('sum(job_route:http_requests:rate5m{job="bookshop"})')
    expect(all).toBeGreaterThan(0)
    const busy = await api.queryOne('instance:nodejs_eventloop_utilization:ratio_rate5m{job="bookshop"}')
    expect(busy).toBeGreaterThan(0)
    expect(busy).toBeLessThanOrEqual(1)
    const errors = await api.queryOne('job:http_requests_errors:ratio_rate5m{job="bookshop"}')
    expect(errors).toBeGreaterThanOrEqual(0)
    expect(errors).toBeLessThanOrEqual(1)
  })

  it('alerts of nothing that has just begun', async (context) => {
    const rules = await rulesOf(await watchedShop(context))
    const alerting = rules.filter(({ type }) => type === 'alerting')
    expect(alerting).toHaveLength(10)
    expect(alerting.filter(({ state }) => state === 'firing')).toEqual([])
  })
})

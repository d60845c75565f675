import { Counter, Gauge, Histogram, Info, Registry } from '@narthex/core'
import { expectMetrics, expectNoLintProblems, getSampleValue } from '@narthex/core/testing'
import { beforeEach, describe, expect, it } from 'vitest'

let registry: Registry

beforeEach(() => {
  registry = new Registry()
  const requests = new Counter({ name: 'requests', help: 'Requests', labelNames: ['method', 'code'], registry })
  requests.inc({ method: 'GET', code: 200 }, 3)
  requests.inc({ method: 'POST', code: 500 })
  new Histogram({ name: 'time_seconds', help: 'Time', buckets: [1, 2], registry }).observe(1.5)
  new Info({ name: 'build', help: 'Build', registry }).info({ version: '1' })
})

const PAGE = `
# HELP time_seconds Time
# TYPE time_seconds histogram
time_seconds_sum 1.50
time_seconds_count 1
time_seconds_bucket{le="2.0"} 1.0
time_seconds_bucket{le="1"} 0
time_seconds_bucket{le="+Inf"} 1

# TYPE requests_total counter
# HELP requests_total Requests
requests_total{code="500", method="POST"} 1e0
requests_total{method="GET",code="200",} 3
# HELP build_info Build
# TYPE build_info gauge
build_info{version="1"} 1
`

describe('expectMetrics(…).toEqualText', () => {
  it('takes no offence at order and spelling', async () => {
    await expectMetrics(registry).toEqualText(PAGE)
  })

  it('compares families and pages as well', async () => {
    const families = []
    for await (const family of registry.gather()) families.push(family)
    await expectMetrics(families).toEqualText(PAGE)
    await expectMetrics(PAGE).toEqualText(await registry.metrics())
  })

  it('compares only the metrics that are named, by either of their names', async () => {
    const page =
      '# HELP requests_total Requests\n# TYPE requests_total counter\nrequests_total{method="GET",code="200"} 3\nrequests_total{method="POST",code="500"} 1'
    await expectMetrics(registry).toEqualText(page, 'requests_total')
    await expectMetrics(registry).toEqualText(`${page}\nother 1`, 'requests')
    await expectMetrics(registry).toEqualText('', 'nothing')
    await expect(expectMetrics(registry).toEqualText(page)).rejects.toThrow('+ # HELP build_info Build')
  })

  it('shows what is missing, what is more and what differs', async () => {
    const page = PAGE.replace('1e0', '2')
      .replace('# HELP build_info Build', '# HELP build_info Built')
      .replace('version="1"', 'version="2"')
    await expect(expectMetrics(registry).toEqualText(page)).rejects.toThrow(
      [
        'expected other metrics (- expected, + actual):',
        '+ # HELP build_info Build',
        '- # HELP build_info Built',
        '+ build_info{version="1"} 1',
        '- build_info{version="2"} 1',
        '+ requests_total{code="500",method="POST"} 1',
        '- requests_total{code="500",method="POST"} 2',
      ].join('\n'),
    )
  })

  it('tells times and repeated lines apart', async () => {
    await expectMetrics('a 1 5\na 1 5\n').toEqualText('a 1 5\na 1 5\n')
    await expect(expectMetrics('a 1 5\na 1 5\n').toEqualText('a 1 5\n')).rejects.toThrow('+ a{} 1 5')
    await expect(expectMetrics('a 1 5\n').toEqualText('a 1 6\n')).rejects.toThrow('- a{} 1 6')
  })

  it('refuses an expectation that is no page', async () => {
    await expect(expectMetrics(registry).toEqualText('a b')).rejects.toThrow('line 1, column 3: expected a number')
  })
})

describe('expectNoLintProblems', () => {
  it('passes good metrics', async () => {
    await expectNoLintProblems(registry)
    await expectMetrics(registry).toHaveNoLintProblems()
  })

  it('tells all problems, or those of the metrics named', async () => {
    new Gauge({ name: 'queue_ms', help: 'Queue', registry })
    await expect(expectNoLintProblems(registry)).rejects.toThrow(
      'expected metrics without lint problems:\nqueue_ms: metric names should not contain abbreviated units',
    )
    await expectMetrics(registry).toHaveNoLintProblems('requests')
    await expect(expectMetrics(registry).toHaveNoLintProblems('queue_ms')).rejects.toThrow('abbreviated')
  })
})

describe('getSampleValue', () => {
  it('reads a registry, families and pages', async () => {
    const page = await registry.metrics()
    const families = []
    for await (const family of registry.gather()) families.push(family)
    for (const source of [registry, page, families]) {
      expect(getSampleValue(source, 'requests_total', { method: 'GET', code: 200 })).toBe(3)
      expect(getSampleValue(source, 'time_seconds_bucket', { le: '+Inf' })).toBe(1)
      expect(getSampleValue(source, 'time_seconds_sum')).toBe(1.5)
      expect(getSampleValue(source, 'requests_total', { method: 'GET' })).toBeUndefined()
      expect(getSampleValue(source, 'other')).toBeUndefined()
    }
  })

  it('reads an OpenMetrics page', () => {
    expect(getSampleValue('# TYPE a counter\na_total{b="c"} 2.5\n# EOF\n', 'a_total', { b: 'c', d: '' })).toBe(2.5)
  })
})

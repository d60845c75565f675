import { spawnSync } from 'node:child_process'
import { CounterMetricFamily, GaugeMetricFamily, type MetricFamily } from '@narthex/core'
import { parseOpenMetrics, parseText } from '@narthex/core/parse'
import { lint, type LintProblem } from '@narthex/core/testing'
import { describe, expect, it } from 'vitest'
import { ConformanceFolder } from '../conformance-folder.ts'
import { requireProgram } from '../program.ts'

const page = (...lines: string[]): MetricFamily[] => parseText(`${lines.join('\n')}\n`)

interface Case {
  readonly name: string
  readonly input: string
  readonly problems: readonly LintProblem[]
}

function check({ input, problems }: Case): void {
  expect(lint(parseText(input))).toEqual(problems)
}

new ConformanceFolder('promlint').file('client_golang_promlint.json', {}, check)

describe('lint', () => {
  it('has nothing to say about good metrics', () => {
    expect(lint([new CounterMetricFamily({ name: 'http_requests', help: 'Requests', value: 1 })])).toEqual([])
    expect(lint([])).toEqual([])
  })

  it('calls a metric as a text page does', () => {
    const families = parseOpenMetrics('# TYPE a counter\na_total 1\n# TYPE b info\nb_info 1\n# EOF\n')
    expect(lint(families)).toEqual([
      { metric: 'a_total', text: 'no help text' },
      { metric: 'b_info', text: 'no help text' },
    ])
  })

  it('sorts by metric, then by text, and tells a problem of many series once', () => {
    const family = new GaugeMetricFamily({ name: 'z_ms', help: '', labelNames: ['fooBar'] }).add(['1'], 1).add(['2'], 1)
    expect(lint([family, new GaugeMetricFamily({ name: 'a', help: '', value: 1 })])).toEqual([
      { metric: 'a', text: 'no help text' },
      { metric: 'z_ms', text: "label names should be written in 'snake_case' not 'camelCase'" },
      { metric: 'z_ms', text: 'metric names should not contain abbreviated units' },
      { metric: 'z_ms', text: 'no help text' },
    ])
  })

  it('finds a series that comes twice, whatever the order of its labels', () => {
    expect(lint(page('# HELP a A', 'a{b="c",d="e"} 1', 'a{d="e",b="c"} 2', 'a{b="c",d="f"} 1'))).toEqual([
      { metric: 'a', text: 'metric not unique' },
    ])
    expect(lint(page('# HELP a A', 'a 1 1', 'a 2 2'))).toEqual([])
  })

  /** Pages on which promtool is asked as well, where it is installed. */
  const PAGES: readonly string[] = [
    '# HELP a_total A\n# TYPE a_total counter\na_total 1\n',
    '# TYPE a counter\na{fooBar="1",le="2"} 1\na{fooBar="2"} 1\n',
    '# TYPE a_bucket gauge\na_bucket{quantile="1"} 1\n# TYPE b_sum gauge\nb_sum 1\n# TYPE c_count counter\nc_count 1\n',
    '# HELP a_kilobytes A\n# TYPE a_kilobytes gauge\na_kilobytes 1\n# HELP b_milliseconds B\nb_milliseconds 1\n',
    '# HELP a_gauge_b A\n# TYPE a_gauge_b gauge\na_gauge_b 1\n# HELP a_Counter A\na_Counter 1\n',
    '# HELP a:b A\n# TYPE a:b untyped\na:b 1\n# HELP aB A\naB{cD="e"} 1\n',
    '# HELP a_S A\n# TYPE a_S gauge\na_S 1\n# HELP a_d_total A\n# TYPE a_d_total counter\na_d_total 1\n',
    '# HELP a A\n# TYPE a summary\na{quantile="0.5",le="1"} 1\na_sum 1\na_count 1\n',
    '# HELP a_total A\n# TYPE a_total histogram\na_total_bucket{le="+Inf",quantile="1"} 1\na_total_sum{quantile="1"} 1\na_total_count{quantile="1"} 1\n',
    '# HELP s A\n# TYPE s gauge\ns 1\n# HELP seconds_ms A\n# TYPE seconds_ms gauge\nseconds_ms 1\n',
  ]
  it.for(PAGES)('finds what promtool finds in %j', (page, context) => {
    requireProgram('promtool', context)
    const promtool = spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' })
    const lines = lint(parseText(page)).map(({ metric, text }) => `${metric} ${text}`)
    expect(lines).toEqual([...new Set(promtool.stderr.split('\n').filter((line) => line !== ''))].sort())
    expect(promtool.status).toBe(lines.length === 0 ? 0 : 3)
  })
})

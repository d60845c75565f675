import { execFileSync, spawnSync } from 'node:child_process'
import {
  Counter,
  encode,
  Enum,
  Gauge,
  Histogram,
  Info,
  type MetricFamily,
  openMetricsFormat,
  Registry,
  Summary,
} from '@narthex/core'
import fc from 'fast-check'
import { expect, it, type TestContext } from 'vitest'
import { arbitraryFamilies, OPENMETRICS } from '../../packages/core/test/arbitrary-family.ts'
import { requireProgram } from '../../packages/core/test/program.ts'

/** Debian's own Python, which is the one that has its packages. */
const PYTHON = '/usr/bin/python3'

/** Reads pages from standard input, a JSON array, and prints what its parser says of each: null where it is content. */
const READER = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
verdicts = []
for page in json.load(sys.stdin):
    try:
        list(text_string_to_metric_families(page))
        verdicts.append(None)
    except Exception as error:
        verdicts.append(repr(error))
json.dump(verdicts, sys.stdout)
`

function requirePythonClient(context: TestContext): void {
  const probe = spawnSync(PYTHON, ['-c', 'import prometheus_client.openmetrics.parser'])
  if (probe.status !== 0) requireProgram('python3-prometheus-client', context)
}

/** The pages that the Python client refuses, with its reasons. */
function refusedPages(pages: readonly string[]): { page: string; reason: string }[] {
  const output = execFileSync(PYTHON, ['-c', READER], { input: JSON.stringify(pages), maxBuffer: 1 << 28 })
  const verdicts = JSON.parse(output.toString()) as (string | null)[]
  return verdicts.flatMap((reason, index) => (reason === null ? [] : [{ page: pages[index] as string, reason }]))
}

/**
 * It takes all series of an info family for one metric, as it cannot tell facts from labels, and so refuses one with a
 * timestamp beside one without.
 */
function withoutInfoTimes(family: MetricFamily): MetricFamily {
  if (family.type !== 'info') return family
  return { ...family, series: [...family.series].map(({ labels }) => ({ labels })) }
}

/** Of the labels of an exemplar it takes the first brace for the end of them, in quotes or not: such a page it refuses. */
const BRACE_IN_EXEMPLAR = / # \{.*\}.*\} /

it('the Python client reads a page of every type', async (context) => {
  requirePythonClient(context)
  const registry = new Registry()
  const labelNames = ['kind'] as const
  const exemplar = { trace_id: 'c0ffee' }
  new Counter({ name: 'orders', help: 'Orders "placed"', labelNames, registry }).inc({ kind: 'a\n"b"\\' }, 3, exemplar)
  new Gauge({ name: 'queue_bytes', unit: 'bytes', help: 'Bytes\nwaiting', registry }).set(-1.5e-9)
  const duration = new Histogram({
    name: 'duration_seconds',
    unit: 'seconds',
    help: 'D',
    native: { factor: 1.1 },
    buckets: [0.1, 1, 1e6],
    registry,
  })
  for (const value of [0.05, 0.5, 7, 1e7]) duration.observe(value, exemplar)
  const size = new Summary({ name: 'size', help: 'S', quantiles: [0, 0.5, 1], registry })
  size.observe(3)
  new Info({ name: 'build', help: 'B', registry }).info({ version: '1.2.3' })
  new Enum({ name: 'mode', help: 'M', states: ['on', 'off'], labelNames, registry }).state({ kind: 'x' }, 'off')
  expect(refusedPages([await registry.metrics(openMetricsFormat)])).toEqual([])
})

it('the Python client reads whatever families make an OpenMetrics page', (context) => {
  requirePythonClient(context)
  const pages = fc
    .sample(arbitraryFamilies(OPENMETRICS), 300)
    .map((families) => new TextDecoder().decode(encode(families.map(withoutInfoTimes), openMetricsFormat)))
    .filter((page) => !BRACE_IN_EXEMPLAR.test(page))
  expect(pages.length).toBeGreaterThan(200)
  expect(refusedPages(pages)).toEqual([])
})

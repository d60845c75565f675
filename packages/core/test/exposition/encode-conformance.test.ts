import { encode, type EscapingScheme, type ExpositionFormat, openMetricsFormat, textFormat } from '@narthex/core'
import { expect } from 'vitest'
import { ConformanceFolder } from '../conformance-folder.ts'
import { type DataFamily, familyFromData, familyFromPython, type PythonFamily } from './families-from-data.ts'

const folder = new ConformanceFolder('encode')
const decoder = new TextDecoder()

interface GoCase {
  readonly name: string
  readonly expect: 'ok' | 'error'
  readonly options?: readonly string[]
  readonly family: DataFamily
  readonly output?: string
}

function checkText({ family, output }: GoCase): void {
  expect(decoder.decode(encode([familyFromData(family)], textFormat.withEscaping('allow-utf-8')))).toBe(output)
}

folder.file('common_text_create.json', {}, checkText)

/** What Go refuses, a family without metrics, leaves no trace: readers of a page see what they would see there. */
function checkTrace({ family }: GoCase): void {
  expect(decoder.decode(encode([familyFromData(family)], textFormat))).toBe('')
}

folder.file('common_text_create_error.json', {}, checkTrace)

function checkOpenMetrics({ family, output }: GoCase): void {
  const page = decoder.decode(encode([familyFromData(family)], openMetricsFormat.withEscaping('allow-utf-8')))
  expect(page).toBe(`${output}# EOF\n`)
}

folder.file(
  'common_openmetrics_create.json',
  {
    om_create_0: 'counters end in _total, timestamps have no exponent',
    om_create_1: 'counters end in _total, timestamps have no exponent',
    om_create_17: 'gauge histograms have _gsum and _gcount',
  },
  checkOpenMetrics,
)

const DRAFT = 'OpenMetrics 2.0 is a draft: here its families are judged by what 1.0 makes of them'
folder.file('common_openmetrics20_create.json', { CounterWithNaNExemplar: DRAFT, UTF8Support: DRAFT }, checkOpenMetrics)

/** What Go refuses has no samples here: its series are left out. */
function checkSampleless({ family }: GoCase): void {
  const page = decoder.decode(encode([familyFromData(family)], openMetricsFormat))
  expect(page.split('\n').filter((line) => !line.startsWith('#'))).toEqual([''])
}

const NOT_IN_MODEL = 'a MetricFamily cannot be so incomplete: its types forbid it'
folder.file(
  'common_openmetrics20_create_error.json',
  {
    UnknownType: NOT_IN_MODEL,
    MissingCounter: NOT_IN_MODEL,
    MissingGauge: NOT_IN_MODEL,
    MissingUntyped: NOT_IN_MODEL,
    MissingSummary: NOT_IN_MODEL,
    NilLabelPair: NOT_IN_MODEL,
    CounterInvalidCreatedTimestamp: DRAFT,
  },
  checkSampleless,
)

interface PythonCase {
  readonly name: string
  readonly escaping: EscapingScheme
  readonly version?: string
  readonly families: readonly PythonFamily[]
  readonly expect: 'ok' | 'error'
  readonly output?: string
}

function checkPythonOpenMetrics(one: PythonCase): void {
  expect(one.expect).toBe('ok')
  checkPython(one, openMetricsFormat)
}

function checkPythonText(one: PythonCase): void {
  checkPython(one, textFormat)
}

function checkPython({ families, escaping, output = '' }: PythonCase, format: ExpositionFormat): void {
  const page = decoder.decode(encode(families.map(familyFromPython), format.withEscaping(escaping)))
  expect(comparable(page)).toEqual(comparable(output))
}

const NATIVE = 'only OpenMetrics 2.0 has native histograms in text'
const NO_PLACE = 'there is no place for such an exemplar: it is left out, and the page stands'
folder.file(
  'client_python_openmetrics_encode.json',
  {
    counter_non_total_exemplar: NO_PLACE,
    histogram_non_bucket_exemplar: NO_PLACE,
    untyped_exemplar: NO_PLACE,
    histogram_negative_buckets: '_count only beside _sum, which negative bounds forbid',
    native_histogram: NATIVE,
    native_histogram_utf8: NATIVE,
    native_histogram_utf8_stress: NATIVE,
    native_histogram_with_classic_histogram: NATIVE,
    native_plus_classic_histogram_two_labelsets: NATIVE,
    nh_histogram_with_exemplars: NATIVE,
    nh_longer_spans: NATIVE,
  },
  checkPythonOpenMetrics,
)

const CREATED = 'text 0.0.4 has no created times: client_python shows them as gauges of their own'
folder.file(
  'client_python_text_encode.json',
  {
    counter: CREATED,
    counter_total: CREATED,
    counter_utf8: CREATED,
    counter_utf8_escaped_underscores: CREATED,
    histogram: CREATED,
    gaugehistogram: 'client_golang shows one histogram, client_python a histogram and two gauges',
  },
  checkPythonText,
)

/** client_python prints counts with `.0` and a series' lines in the caller's order; all else must agree. */
function comparable(page: string): string[] {
  const lines = page
    .split('\n')
    .map((line) => (line.startsWith('#') ? line : line.replaceAll(/ (\d+)\.0(?= |$)/g, ' $1')))
  return [...lines.filter((line) => line.startsWith('#')), ...lines.filter((line) => !line.startsWith('#')).sort()]
}

import { encode, type EscapingScheme, openMetricsFormat, textFormat } from '@narthex/core'
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

folder.file<GoCase>('common_text_create.json', {}, ({ family, output }) => {
  expect(decoder.decode(encode([familyFromData(family)], textFormat.withEscaping('allow-utf-8')))).toBe(output)
})

folder.file<GoCase>('common_text_create_error.json', {}, ({ family }) => {
  // What Go refuses, a family without metrics, leaves no trace: readers of a page see what they would see there.
  expect(decoder.decode(encode([familyFromData(family)], textFormat))).toBe('')
})

folder.file<GoCase>(
  'common_openmetrics_create.json',
  {
    om_create_0: 'counters end in _total, timestamps have no exponent',
    om_create_1: 'counters end in _total, timestamps have no exponent',
    om_create_17: 'gauge histograms have _gsum and _gcount',
  },
  ({ family, output }) => {
    const page = decoder.decode(encode([familyFromData(family)], openMetricsFormat.withEscaping('allow-utf-8')))
    expect(page).toBe(`${output}# EOF\n`)
  },
)

const DRAFT = 'OpenMetrics 2.0 is a draft: here its families are judged by what 1.0 makes of them'
folder.file<GoCase>(
  'common_openmetrics20_create.json',
  { CounterWithNaNExemplar: DRAFT, UTF8Support: DRAFT },
  ({ family, output }) => {
    const page = decoder.decode(encode([familyFromData(family)], openMetricsFormat.withEscaping('allow-utf-8')))
    expect(page).toBe(`${output}# EOF\n`)
  },
)

const NOT_IN_MODEL = 'a MetricFamily cannot be so incomplete: its types forbid it'
folder.file<GoCase>(
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
  ({ family }) => {
    const page = decoder.decode(encode([familyFromData(family)], openMetricsFormat))
    expect(page.split('\n').filter((line) => !line.startsWith('#'))).toEqual([''])
  },
)

interface PythonCase {
  readonly name: string
  readonly escaping: EscapingScheme
  readonly version?: string
  readonly families: readonly PythonFamily[]
  readonly expect: 'ok' | 'error'
  readonly output?: string
}

const NATIVE = 'only OpenMetrics 2.0 has native histograms in text'
const NO_PLACE = 'there is no place for such an exemplar: it is left out, and the page stands'
folder.file<PythonCase>(
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
  (one) => {
    expect(one.expect).toBe('ok')
    const page = encode(one.families.map(familyFromPython), openMetricsFormat.withEscaping(one.escaping))
    expect(comparable(decoder.decode(page))).toEqual(comparable(one.output as string))
  },
)

const CREATED = 'text 0.0.4 has no created times: client_python shows them as gauges of their own'
folder.file<PythonCase>(
  'client_python_text_encode.json',
  {
    counter: CREATED,
    counter_total: CREATED,
    counter_utf8: CREATED,
    counter_utf8_escaped_underscores: CREATED,
    histogram: CREATED,
    gaugehistogram: 'client_golang shows one histogram, client_python a histogram and two gauges',
  },
  (one) => {
    const page = encode(one.families.map(familyFromPython), textFormat.withEscaping(one.escaping))
    expect(comparable(decoder.decode(page))).toEqual(comparable(one.output as string))
  },
)

/** client_python prints counts with `.0` and a series' lines in the caller's order; all else must agree. */
function comparable(page: string): string[] {
  const lines = page.split('\n').map((line) => (line.startsWith('#') ? line : line.replaceAll(/ (\d+)\.0(?= |$)/g, ' $1')))
  return [...lines.filter((line) => line.startsWith('#')), ...lines.filter((line) => !line.startsWith('#')).sort()]
}

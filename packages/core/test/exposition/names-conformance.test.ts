import { encode, type EscapingScheme, textFormat } from '@narthex/core'
import { expect } from 'vitest'
import { escapeLabelName, escapeName } from '../../src/names.ts'
import { formatFloat, formatOpenMetricsFloat } from '../../src/float.ts'
import { ConformanceFolder } from '../conformance-folder.ts'
import { type DataFamily, familyFromData } from './families-from-data.ts'

const names = new ConformanceFolder('names', 'escaping')

interface PythonCase {
  readonly name: string
  readonly input: string
  readonly expectedUnderscores: string
  readonly expectedDots: string
  readonly expectedValue: string
}

function escapesAs(escape: (name: string, scheme: EscapingScheme) => string): (one: PythonCase) => void {
  return ({ input, expectedUnderscores, expectedDots, expectedValue }) => {
    expect(escape(input, 'underscores')).toBe(expectedUnderscores)
    expect(escape(input, 'dots')).toBe(expectedDots)
    expect(escape(input, 'values')).toBe(expectedValue)
    expect(escape(input, 'allow-utf-8')).toBe(input)
  }
}

names.file<PythonCase>('client_python_escape_metric_name.json', {}, escapesAs(escapeName))
names.file<PythonCase>('client_python_om_escape_metric_name.json', {}, escapesAs(escapeName))
names.file<PythonCase>('client_python_escape_label_name.json', {}, escapesAs(escapeLabelName))
names.file<PythonCase>('client_python_om_escape_label_name.json', {}, escapesAs(escapeLabelName))

interface FamilyCase {
  readonly name: string
  readonly scheme: string
  readonly input: DataFamily
  readonly expected: DataFamily
}

names.file<FamilyCase>('common_escape_metric_family.json', {}, ({ scheme, input, expected }) => {
  expect(scheme).toBe('ValueEncodingEscaping')
  expect(pageOf(input, 'values')).toBe(pageOf(expected, 'allow-utf-8'))
})

/** The label `__name__` repeats the name here; as a label of a series no reader of text takes it. */
function pageOf(family: DataFamily, escaping: EscapingScheme): string {
  if (family.name === undefined) return ''
  const metric = family.metric.map((one) => ({
    ...one,
    label: (one.label ?? []).filter(({ name }) => name !== '__name__'),
  }))
  return new TextDecoder().decode(encode([familyFromData({ ...family, metric })], textFormat.withEscaping(escaping)))
}

const floats = new ConformanceFolder('floats', 'writing')

interface FloatCase {
  readonly name: string
  readonly value: number | null
  readonly bits: string
  readonly prom_text: string
  readonly openmetrics: string
}

floats.file<FloatCase>('float_format.json', {}, ({ bits, prom_text, openmetrics }) => {
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, BigInt(`0x${bits}`))
  expect(formatFloat(view.getFloat64(0))).toBe(prom_text)
  expect(formatOpenMetricsFloat(view.getFloat64(0))).toBe(openmetrics)
})

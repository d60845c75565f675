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

function checkMetricName(one: PythonCase): void {
  checkName(one, escapeName)
}

function checkLabelName(one: PythonCase): void {
  checkName(one, escapeLabelName)
}

function checkName(one: PythonCase, escape: (name: string, scheme: EscapingScheme) => string): void {
  expect(escape(one.input, 'underscores')).toBe(one.expectedUnderscores)
  expect(escape(one.input, 'dots')).toBe(one.expectedDots)
  expect(escape(one.input, 'values')).toBe(one.expectedValue)
  expect(escape(one.input, 'allow-utf-8')).toBe(one.input)
}

names.file('client_python_escape_metric_name.json', {}, checkMetricName)
names.file('client_python_om_escape_metric_name.json', {}, checkMetricName)
names.file('client_python_escape_label_name.json', {}, checkLabelName)
names.file('client_python_om_escape_label_name.json', {}, checkLabelName)

interface FamilyCase {
  readonly name: string
  readonly scheme: string
  readonly input: DataFamily
  readonly expected: DataFamily
}

function checkFamily({ scheme, input, expected }: FamilyCase): void {
  expect(scheme).toBe('ValueEncodingEscaping')
  expect(pageOf(input, 'values')).toBe(pageOf(expected, 'allow-utf-8'))
}

names.file('common_escape_metric_family.json', {}, checkFamily)

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

function checkFloat({ bits, prom_text, openmetrics }: FloatCase): void {
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, BigInt(`0x${bits}`))
  expect(formatFloat(view.getFloat64(0))).toBe(prom_text)
  expect(formatOpenMetricsFloat(view.getFloat64(0))).toBe(openmetrics)
}

floats.file('float_format.json', {}, checkFloat)

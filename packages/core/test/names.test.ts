import { describe, expect, it } from 'vitest'
import {
  escapeName,
  isLegacyLabelName,
  isLegacyMetricName,
  isValidName,
  sampleNamesOf,
  unescapeName,
} from '../src/names.ts'
import { conformanceCases } from './conformance.ts'

const NAMES: { name: string; valid: boolean; metric: boolean; label: boolean }[] = [
  { name: 'a', valid: true, metric: true, label: true },
  { name: '_a_9Z', valid: true, metric: true, label: true },
  { name: ':a:b', valid: true, metric: true, label: false },
  { name: '9a', valid: true, metric: false, label: false },
  { name: 'a.b', valid: true, metric: false, label: false },
  { name: 'a b\n"\\', valid: true, metric: false, label: false },
  { name: 'ä', valid: true, metric: false, label: false },
  { name: '花火', valid: true, metric: false, label: false },
  { name: '😱', valid: true, metric: false, label: false },
  { name: '', valid: false, metric: false, label: false },
  { name: '\ud83d', valid: false, metric: false, label: false },
  { name: 'a\n', valid: true, metric: false, label: false },
]

describe.each(NAMES)('$name', ({ name, valid, metric, label }) => {
  it(`is ${valid ? '' : 'not '}a name`, () => expect(isValidName(name)).toBe(valid))
  it(`is ${metric ? '' : 'not '}a legacy metric name`, () => expect(isLegacyMetricName(name)).toBe(metric))
  it(`is ${label ? '' : 'not '}a legacy label name`, () => expect(isLegacyLabelName(name)).toBe(label))
})

it.each([undefined, null, 5, {}, ['a'], Symbol('s')])('isValidName(%s) is false', (name) => {
  expect(isValidName(name)).toBe(false)
})

describe('escapeName()', () => {
  it.each([
    ['', '', '', ''],
    ['a_b', 'a_b', 'a__b', 'a_b'],
    ['a.b', 'a_b', 'a_dot_b', 'U__a_2e_b'],
    ['a.b_c', 'a_b_c', 'a_dot_b__c', 'U__a_2e_b__c'],
    ['1a', '_a', '__a', 'U___31_a'],
    ['a:b', 'a:b', 'a:b', 'a:b'],
    ['ä😱', '__', '____', 'U___e4__1f631_'],
  ])('%j', (name, underscores, dots, values) => {
    expect(escapeName(name, 'underscores')).toBe(underscores)
    expect(escapeName(name, 'dots')).toBe(dots)
    expect(escapeName(name, 'values')).toBe(values)
    expect(escapeName(name, 'allow-utf-8')).toBe(name)
  })

  it('and back do what prometheus/common does', (context) => {
    interface Case {
      input: string
      expected_underscores: string
      expected_dots: string
      expected_unescaped_dots: string
      expected_value: string
    }
    for (const one of conformanceCases<Case>('names/common_escape_name.json', context)) {
      expect(escapeName(one.input, 'underscores')).toBe(one.expected_underscores)
      expect(escapeName(one.input, 'dots')).toBe(one.expected_dots)
      expect(escapeName(one.input, 'values')).toBe(one.expected_value)
      expect(unescapeName(one.expected_dots, 'dots')).toBe(one.expected_unescaped_dots)
      expect(unescapeName(one.expected_value, 'values')).toBe(one.input)
    }
  })
})

describe('unescapeName()', () => {
  it('leaves alone what does not follow the scheme', (context) => {
    interface Case {
      input: string
      expected: string
    }
    for (const { input, expected } of conformanceCases<Case>('names/common_value_unescape.json', context)) {
      expect(unescapeName(input, 'values')).toBe(expected)
    }
  })

  it.each(['a.b_c', 'ä_😱', '9 lives', '__', 'U__x.', '花火'])('undoes `values` for %j', (name) => {
    expect(unescapeName(escapeName(name, 'values'), 'values')).toBe(name)
  })
})

it('judges names as prometheus/common does', (context) => {
  interface Case {
    name: string
    legacy_valid: boolean
    utf8_valid: boolean
  }
  for (const one of conformanceCases<Case>('names/common_metric_name_valid.json', context)) {
    expect([isLegacyMetricName(one.name), isValidName(one.name)]).toEqual([one.legacy_valid, one.utf8_valid])
  }
  for (const one of conformanceCases<Case>('names/common_label_name_valid.json', context)) {
    expect([isLegacyLabelName(one.name), isValidName(one.name)]).toEqual([one.legacy_valid, one.utf8_valid])
  }
})

it.each([
  ['counter', ['x', 'x_total', 'x_created']],
  ['gauge', ['x']],
  ['unknown', ['x']],
  ['histogram', ['x', 'x_bucket', 'x_sum', 'x_count', 'x_created']],
  ['gaugehistogram', ['x', 'x_bucket', 'x_gsum', 'x_gcount', 'x_sum', 'x_count']],
  ['summary', ['x', 'x_sum', 'x_count', 'x_created']],
  ['info', ['x', 'x_info']],
  ['stateset', ['x']],
] as const)('sampleNamesOf() knows every line of a %s in any format', (type, names) => {
  expect(sampleNamesOf('x', type)).toEqual(names)
})

import { describe, expect, it } from 'vitest'
import { checkLabelNames, labelsFrom, labelValueOf } from '../src/labels.ts'
import { caught } from './caught.ts'

describe('labelValueOf()', () => {
  it.each([
    ['x', 'x'],
    ['', ''],
    [200, '200'],
    [-0, '0'],
    [1e21, '1e+21'],
    [Number.NaN, 'NaN'],
    [true, 'true'],
    [false, 'false'],
    ['a\ud800b', 'a\ufffdb'],
    ['\udc00', '\ufffd'],
    ['😱', '😱'],
    ['\0', '\0'],
  ])('makes %j of it', (value, text) => {
    expect(labelValueOf(value, 'a', 'Counter', 'c')).toBe(text)
  })

  it.each([null, undefined, {}, [[]], 1n, Symbol('s'), () => 1, Object('boxed'), new Date(0)])(
    'refuses %s',
    (value) => {
      const error = caught(() => labelValueOf(value, 'route', 'Counter', 'c'))
      expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_LABEL_VALUE', metric: 'c', argument: 'route', value })
      expect(error.message).toMatch(/^Counter `c`: expected `route` to be a string, a number or a boolean, got /)
    },
  )
})

describe('labelsFrom()', () => {
  it('is plain, frozen and in declared order', () => {
    const labels = labelsFrom(['b', 'a'], ['1', '2'])
    expect(Object.entries(labels)).toEqual([
      ['b', '1'],
      ['a', '2'],
    ])
    expect(Object.isFrozen(labels)).toBe(true)
  })

  it('leaves out what is empty', () => {
    expect(labelsFrom(['a', 'b'], ['', 'x'])).toEqual({ b: 'x' })
  })

  it('keeps a label called __proto__ as any other', () => {
    const labels = labelsFrom(['__proto__', 'a'], ['x', 'y'])
    expect(Object.entries(labels)).toEqual([
      ['__proto__', 'x'],
      ['a', 'y'],
    ])
    expect(Object.getPrototypeOf(labels)).toBe(Object.prototype)
  })
})

it('checkLabelNames() gives a frozen copy', () => {
  const names = ['a', 'b.c']
  const checked = checkLabelNames(names, 'counter', 'Counter', 'c')
  expect(checked).toEqual(names)
  expect(checked).not.toBe(names)
  expect(Object.isFrozen(checked)).toBe(true)
  expect(checkLabelNames(undefined, 'counter', 'Counter', 'c')).toEqual([])
})

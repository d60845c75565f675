import { Enum, Registry } from '@narthex/core'
import { describe, expect, it } from 'vitest'
import { caught } from '../caught.ts'

describe('state()', () => {
  it('exposes one line for each state, 1 for the one that holds', async () => {
    const registry = new Registry()
    const phase = new Enum({ name: 'phase', help: 'P', states: ['starting', 'running'], registry })
    expect(await registry.metrics()).toBe(
      '# HELP phase P\n# TYPE phase gauge\nphase{phase="starting"} 1\nphase{phase="running"} 0\n',
    )
    phase.state('running')
    expect(await registry.metrics()).toContain('phase{phase="starting"} 0\nphase{phase="running"} 1\n')
  })

  it('enters the state in the series of the labels', () => {
    const registry = new Registry()
    const phase = new Enum({ name: 'phase', help: 'P', states: ['off', 'on'], labelNames: ['a'], registry })
    phase.state({ a: 'x' }, 'on')
    phase.labels('y').state('off')
    expect(registry.getSampleValue('phase', { a: 'x', phase: 'on' })).toBe(1)
    expect(registry.getSampleValue('phase', { a: 'y', phase: 'on' })).toBe(0)
  })

  it.each(['unknown', '', 0, null, undefined, true])('refuses %s and changes nothing', (state) => {
    const phase = new Enum({ name: 'phase', help: 'P', states: ['off', 'on'], registry: null })
    phase.state('on')
    const error = caught(() => phase.labels().state(state as never))
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_STATE', metric: 'phase', argument: 'state', value: state })
    expect(error.message).toMatch(/^Enum `phase`: expected `state` to be one of off, on, got /)
    expect([...phase.family.series]).toMatchObject([{ states: [{ enabled: false }, { enabled: true }] }])
  })

  it('refuses an unknown state for labels not seen before, and makes no series', () => {
    const phase = new Enum({ name: 'phase', help: 'P', states: ['off', 'on'], labelNames: ['a'], registry: null })
    expect(caught(() => phase.state({ a: 'x' }, 'unknown' as never)).code).toBe('ERR_NARTHEX_INVALID_STATE')
    expect([...phase.family.series]).toEqual([])
  })
})

describe('states', () => {
  const refused: [string, unknown][] = [
    ['absent', undefined],
    ['none', []],
    ['no array', 'off'],
    ['twice the same', ['on', 'on']],
    ['empty', ['']],
    ['no string', [1]],
    ['without UTF-8 form', ['\ud800']],
  ]
  it.each(refused)('are refused: %s', async (_, states) => {
    const registry = new Registry()
    const error = caught(() => new Enum({ name: 'phase', help: 'P', states: states as string[], registry }))
    expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_OPTION', argument: 'states', metric: 'phase' })
    expect(await registry.metrics()).toBe('')
  })

  it('are copied', () => {
    const states = ['off', 'on']
    const phase = new Enum({ name: 'phase', help: 'P', states, registry: null })
    states.push('broken')
    expect(phase.states).toEqual(['off', 'on'])
    expect(Object.isFrozen(states)).toBe(false)
  })
})

it('refuses a label with its own name, which tells the state', () => {
  const error = caught(
    () => new Enum({ name: 'phase', help: 'P', states: ['a'], labelNames: ['phase'], registry: null }),
  )
  expect(error.code).toBe('ERR_NARTHEX_INVALID_LABEL_NAME')
})

it('goes back to the first state on reset()', () => {
  const phase = new Enum({ name: 'phase', help: 'P', states: ['off', 'on'], registry: null })
  phase.state('on')
  phase.reset()
  expect([...phase.family.series]).toMatchObject([{ states: [{ enabled: true }, { enabled: false }] }])
})

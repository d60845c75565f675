import { Info, Registry } from '@narthex/core'
import { describe, expect, it } from 'vitest'
import { caught } from '../caught.ts'

describe('info()', () => {
  it('exposes facts as labels of a constant 1', async () => {
    const registry = new Registry()
    new Info({ name: 'build', help: 'B', registry }).info({ version: '1.2.3', cores: 4, debug: false })
    expect(await registry.metrics()).toBe(
      '# HELP build_info B\n# TYPE build_info gauge\nbuild_info{version="1.2.3",cores="4",debug="false"} 1\n',
    )
  })

  it('replaces all facts of the series', () => {
    const info = new Info({ name: 'build', help: 'B', registry: null })
    info.info({ version: '1', commit: 'abc' })
    info.info({ version: '2' })
    expect([...info.family.series]).toEqual([{ labels: { version: '2' } }])
  })

  it('joins the facts to the labels of the series', () => {
    const info = new Info({ name: 'target', help: 'T', labelNames: ['host'], registry: null })
    info.info({ host: 'a' }, { os: 'linux' })
    info.labels('b').info({ os: 'plan9' })
    expect([...info.family.series]).toEqual([
      { labels: { host: 'a', os: 'linux' } },
      { labels: { host: 'b', os: 'plan9' } },
    ])
  })

  it("reads the caller's facts and never keeps them; an empty one is absent", () => {
    const info = new Info({ name: 'build', help: 'B', registry: null })
    const facts = { version: '1', commit: '' }
    info.info(facts)
    facts.version = '2'
    expect([...info.family.series]).toEqual([{ labels: { version: '1' } }])
  })

  const refused: [string, unknown, string][] = [
    ['no facts', undefined, 'ERR_NARTHEX_INVALID_LABELS'],
    ['null', null, 'ERR_NARTHEX_INVALID_LABELS'],
    ['an array', ['1'], 'ERR_NARTHEX_INVALID_LABELS'],
    ['a string', 'version', 'ERR_NARTHEX_INVALID_LABELS'],
    ['a fact named like a label', { host: 'b' }, 'ERR_NARTHEX_INVALID_LABELS'],
    ['a fact with a reserved name', { __name__: 'x' }, 'ERR_NARTHEX_INVALID_LABEL_NAME'],
    ['a fact without a name', { '': 'x' }, 'ERR_NARTHEX_INVALID_LABEL_NAME'],
    ['an object for a fact', { version: {} }, 'ERR_NARTHEX_INVALID_LABEL_VALUE'],
  ]
  it.each(refused)('refuses %s and changes nothing', (_, facts, code) => {
    const info = new Info({ name: 'target', help: 'T', labelNames: ['host'], registry: null })
    info.info({ host: 'a' }, { os: 'linux' })
    expect(caught(() => info.labels('a').info(facts as never))).toMatchObject({ code, metric: 'target' })
    expect([...info.family.series]).toEqual([{ labels: { host: 'a', os: 'linux' } }])
  })

  it.each(refused)('refuses %s for labels not seen before, and makes no series', (_, facts, code) => {
    const info = new Info({ name: 'target', help: 'T', labelNames: ['host'], registry: null })
    expect(caught(() => info.info({ host: 'a' }, facts as never)).code).toBe(code)
    expect([...info.family.series]).toEqual([])
  })

  it("names `facts` in what it says of a fact's name", () => {
    const info = new Info({ name: 'build', help: 'B', registry: null })
    expect(caught(() => info.info({ __name__: 'x' })).message).toMatch(/^Info `build`: expected `facts` to /)
  })
})

it('takes a name with or without `_info`', () => {
  const registry = new Registry()
  const info = new Info({ name: 'build_info', help: 'B', registry })
  expect(info.name).toBe('build')
  expect(registry.get('build')).toBe(info)
  expect(registry.get('build_info')).toBe(info)
})

it('forgets its facts on reset()', () => {
  const info = new Info({ name: 'build', help: 'B', registry: null })
  info.info({ version: '1' })
  info.reset()
  expect([...info.family.series]).toEqual([{ labels: {} }])
})

import { Counter, Enum, Gauge, Histogram, Info, Registry, Summary } from '@narthex/core'
import { describe, expect, it } from 'vitest'
import { caught } from '../caught.ts'

/** The six types, each made with one label, and one valid update. */
const KINDS = [
  {
    kind: 'Counter',
    make: (options: object) => new Counter(options as never),
    update: (metric: unknown, labels: object) => (metric as Counter<'a'>).inc(labels as { a: string }),
  },
  {
    kind: 'Gauge',
    make: (options: object) => new Gauge(options as never),
    update: (metric: unknown, labels: object) => (metric as Gauge<'a'>).set(labels as { a: string }, 1),
  },
  {
    kind: 'Histogram',
    make: (options: object) => new Histogram(options as never),
    update: (metric: unknown, labels: object) => (metric as Histogram<'a'>).observe(labels as { a: string }, 1),
  },
  {
    kind: 'Summary',
    make: (options: object) => new Summary(options as never),
    update: (metric: unknown, labels: object) => (metric as Summary<'a'>).observe(labels as { a: string }, 1),
  },
  {
    kind: 'Info',
    make: (options: object) => new Info(options as never),
    update: (metric: unknown, labels: object) => (metric as Info<'a'>).info(labels as { a: string }, { version: '1' }),
  },
  {
    kind: 'Enum',
    make: (options: object) => new Enum((options && { states: ['off', 'on'], ...options }) as never),
    update: (metric: unknown, labels: object) => (metric as Enum<'a', 'on'>).state(labels as { a: string }, 'on'),
  },
] as const

type AnyKind = Counter<'a'>

describe.each(KINDS)('$kind', ({ kind, make, update }) => {
  const anew = (options: object = {}): AnyKind =>
    make({ name: 'm', help: 'M', registry: null, ...options }) as unknown as AnyKind
  const labelled = (options: object = {}): AnyKind => anew({ labelNames: ['a'], ...options })
  const seriesOf = (metric: AnyKind): object[] => [...metric.family.series].map((series) => series.labels)

  describe('refuses at construction, and registers nothing', () => {
    it.each([
      ['no options at all', undefined, 'ERR_NARTHEX_INVALID_ARGUMENT', 'options'],
      ['null for options', null, 'ERR_NARTHEX_INVALID_ARGUMENT', 'options'],
      ['no name', { help: 'M' }, 'ERR_NARTHEX_INVALID_NAME', 'name'],
      ['an empty name', { name: '', help: 'M' }, 'ERR_NARTHEX_INVALID_NAME', 'name'],
      ['a name with a lone surrogate', { name: 'a\ud800', help: 'M' }, 'ERR_NARTHEX_INVALID_NAME', 'name'],
      ['a name that is no string', { name: 5, help: 'M' }, 'ERR_NARTHEX_INVALID_NAME', 'name'],
      ['a name without a spelling', { name: Object.create(null), help: 'M' }, 'ERR_NARTHEX_INVALID_NAME', 'name'],
      ['no help', { name: 'm' }, 'ERR_NARTHEX_INVALID_HELP', 'help'],
      ['help that is no string', { name: 'm', help: 5 }, 'ERR_NARTHEX_INVALID_HELP', 'help'],
      ['a unit that is no string', { name: 'm', help: 'M', unit: 5 }, 'ERR_NARTHEX_INVALID_UNIT', 'unit'],
      ['an unknown option', { name: 'm', help: 'M', label: ['a'] }, 'ERR_NARTHEX_UNKNOWN_OPTION', 'label'],
      [
        'label names in no array',
        { name: 'm', help: 'M', labelNames: 'a' },
        'ERR_NARTHEX_INVALID_LABEL_NAME',
        'labelNames',
      ],
      [
        'an empty label name',
        { name: 'm', help: 'M', labelNames: [''] },
        'ERR_NARTHEX_INVALID_LABEL_NAME',
        'labelNames',
      ],
      [
        'a reserved label name',
        { name: 'm', help: 'M', labelNames: ['__a'] },
        'ERR_NARTHEX_INVALID_LABEL_NAME',
        'labelNames',
      ],
      [
        'a label name given twice',
        { name: 'm', help: 'M', labelNames: ['a', 'a'] },
        'ERR_NARTHEX_INVALID_LABEL_NAME',
        'labelNames',
      ],
      [
        'a label name that is no string',
        { name: 'm', help: 'M', labelNames: [1] },
        'ERR_NARTHEX_INVALID_LABEL_NAME',
        'labelNames',
      ],
      ['maxSeries of zero', { name: 'm', help: 'M', maxSeries: 0 }, 'ERR_NARTHEX_INVALID_OPTION', 'maxSeries'],
      [
        'maxSeries of one and a half',
        { name: 'm', help: 'M', maxSeries: 1.5 },
        'ERR_NARTHEX_INVALID_OPTION',
        'maxSeries',
      ],
      ['maxSeries of NaN', { name: 'm', help: 'M', maxSeries: Number.NaN }, 'ERR_NARTHEX_INVALID_OPTION', 'maxSeries'],
      ['maxSeries as a string', { name: 'm', help: 'M', maxSeries: '5' }, 'ERR_NARTHEX_INVALID_OPTION', 'maxSeries'],
      ['a collect that is no function', { name: 'm', help: 'M', collect: 5 }, 'ERR_NARTHEX_INVALID_OPTION', 'collect'],
    ])('%s', async (_, options, code, argument) => {
      const registry = new Registry()
      const error = caught(() => make((options && { ...options, registry }) as object))
      expect(error).toMatchObject({ code, argument })
      expect(error.message).toMatch(new RegExp(`^${kind}( \`m\`)?: expected \`${argument}\` to `))
      expect(await registry.metrics()).toBe('')
    })

    it('a registry that is none', () => {
      const error = caught(() => make({ name: 'm', help: 'M', registry: {} }))
      expect(error).toMatchObject({ code: 'ERR_NARTHEX_INVALID_OPTION', argument: 'registry', metric: 'm' })
    })
  })

  it('takes any UTF-8 for the names of metric and labels', () => {
    const metric = make({ name: 'größe in µm', help: 'M', registry: null, labelNames: ['straße.nr', 'a b'] })
    expect((metric as AnyKind).name).toBe('größe in µm')
    expect((metric as AnyKind).labelNames).toEqual(['straße.nr', 'a b'])
  })

  it("copies the caller's label names, and freezes its copy only", () => {
    const labelNames = ['a', 'b']
    const metric = anew({ labelNames })
    labelNames.push('c')
    expect(metric.labelNames).toEqual(['a', 'b'])
    expect(Object.isFrozen(metric.labelNames)).toBe(true)
  })

  it('replaces lone surrogates in help', () => {
    expect(anew({ help: 'a\ud800b' }).help).toBe('a\ufffdb')
  })

  it('registers itself, or nowhere where registry is null', async () => {
    const registry = new Registry()
    const metric = anew({ registry })
    expect(registry.get('m')).toBe(metric)
    expect(await registry.metrics()).toContain('# HELP m')
  })

  it('exposes its only series from the start where it has no labels', () => {
    expect(seriesOf(anew())).toEqual([{}])
  })

  it('exposes no series before the first use where it has labels', () => {
    expect(seriesOf(labelled())).toEqual([])
  })

  describe('labels()', () => {
    it('gives the same child for the same set, however it is spelled', () => {
      const metric = anew({ labelNames: ['a', 'b'] }) as unknown as Counter<'a' | 'b'>
      const child = metric.labels({ a: '200', b: 'true' })
      expect(metric.labels({ b: true, a: 200 })).toBe(child)
      expect(metric.labels('200', 'true')).toBe(child)
      expect(metric.labels(200, true)).toBe(child)
    })

    it('gives the only child where there are no labels', () => {
      const metric = anew() as unknown as Counter
      expect(metric.labels()).toBe(metric.labels({}))
    })

    it.each([
      ['a missing name', [{}], 'ERR_NARTHEX_INVALID_LABELS'],
      ['an undefined value', [{ a: undefined }], 'ERR_NARTHEX_INVALID_LABELS'],
      ['an unknown name', [{ a: '1', b: '2' }], 'ERR_NARTHEX_INVALID_LABELS'],
      ['another name', [{ b: '2' }], 'ERR_NARTHEX_INVALID_LABELS'],
      ['an own __proto__', [JSON.parse('{"a":"1","__proto__":"2"}')], 'ERR_NARTHEX_INVALID_LABELS'],
      ['too few values', [], 'ERR_NARTHEX_INVALID_LABELS'],
      ['too many values', ['1', '2'], 'ERR_NARTHEX_INVALID_LABELS'],
      ['an array', [['1']], 'ERR_NARTHEX_INVALID_LABELS'],
      ['null for a value', [{ a: null }], 'ERR_NARTHEX_INVALID_LABEL_VALUE'],
      ['an object for a value', [{ a: {} }], 'ERR_NARTHEX_INVALID_LABEL_VALUE'],
      ['a function for a value', [{ a: () => 1 }], 'ERR_NARTHEX_INVALID_LABEL_VALUE'],
      ['a symbol for a value', [{ a: Symbol('s') }], 'ERR_NARTHEX_INVALID_LABEL_VALUE'],
      ['a bigint for a value', [{ a: 1n }], 'ERR_NARTHEX_INVALID_LABEL_VALUE'],
      ['null alone', [null], 'ERR_NARTHEX_INVALID_LABEL_VALUE'],
      ['undefined alone', [undefined], 'ERR_NARTHEX_INVALID_LABEL_VALUE'],
    ])('refuses %s, and makes no series', (_, args, code) => {
      const metric = labelled()
      const error = caught(() => (metric.labels as (...labels: unknown[]) => unknown)(...args))
      expect(error).toMatchObject({ code, metric: 'm' })
      expect(seriesOf(metric)).toEqual([])
    })

    it('refuses labels where none are declared', () => {
      const metric = anew() as unknown as Counter
      expect(caught(() => (metric.labels as (labels: object) => void)({ a: '1' })).code).toBe(
        'ERR_NARTHEX_INVALID_LABELS',
      )
      expect(caught(() => (metric.labels as unknown as (a: string) => void)('1')).code).toBe(
        'ERR_NARTHEX_INVALID_LABELS',
      )
    })

    it("reads the caller's object and never keeps it", () => {
      const metric = labelled()
      const labels = { a: '1' }
      metric.labels(labels)
      labels.a = '2'
      expect(seriesOf(metric)).toEqual([{ a: '1' }])
      expect(labels).toEqual({ a: '2' })
      expect(Object.isFrozen(labels)).toBe(false)
    })

    it('takes labels from a class with getters', () => {
      class Request {
        get a(): string {
          return 'x'
        }
      }
      const metric = labelled()
      expect(metric.labels(new Request())).toBe(metric.labels('x'))
    })
  })

  it('refuses an update with wrong labels, and makes no series', () => {
    const metric = labelled()
    expect(caught(() => update(metric, { b: '1' })).code).toBe('ERR_NARTHEX_INVALID_LABELS')
    expect(caught(() => update(metric, {})).code).toBe('ERR_NARTHEX_INVALID_LABELS')
    expect(seriesOf(metric)).toEqual([])
  })

  it('exposes a series at its start value once it is initialised', () => {
    const metric = labelled()
    metric.init({ a: '1' })
    metric.init('2')
    expect(seriesOf(metric)).toEqual([{ a: '1' }, { a: '2' }])
  })

  describe('remove()', () => {
    it('takes a series from the page, by label set or by values', () => {
      const metric = labelled()
      metric.init('1')
      metric.init('2')
      expect(metric.remove({ a: '1' })).toBe(true)
      expect(metric.remove('2')).toBe(true)
      expect(seriesOf(metric)).toEqual([])
    })

    it('detaches a held child: labels() makes a new one', () => {
      const metric = labelled()
      const held = metric.labels('1')
      metric.remove('1')
      expect(metric.labels('1')).not.toBe(held)
      metric.remove('1')
      update(metric, { a: '2' })
      expect(seriesOf(metric)).toHaveLength(1)
    })

    it('says false where there is no such series', () => {
      expect(labelled().remove({ a: 'never' })).toBe(false)
    })

    it('leaves the only series of a metric without labels on the page', () => {
      const metric = anew() as unknown as Counter
      expect(metric.remove()).toBe(false)
      expect(seriesOf(metric as unknown as AnyKind)).toEqual([{}])
    })

    it.each([
      ['an unknown name', [{ b: '1' }]],
      ['a missing name', [{}]],
      ['null', [null]],
      ['too many values', ['1', '2']],
    ])('refuses %s', (_, args) => {
      const metric = labelled()
      metric.init('1')
      const error = caught(() => (metric.remove as (...labels: unknown[]) => unknown)(...args))
      expect(error.code).toMatch(/^ERR_NARTHEX_INVALID_LABEL(S|_VALUE)$/)
      expect(seriesOf(metric)).toEqual([{ a: '1' }])
    })

    it('refuses an unknown name where no labels are declared', () => {
      const metric = anew() as unknown as { remove(labels: object): boolean }
      expect(caught(() => metric.remove({ b: '1' })).code).toBe('ERR_NARTHEX_INVALID_LABELS')
    })
  })

  describe('removeMatching()', () => {
    it('removes all series with these labels, and says how many', () => {
      const metric = anew({ labelNames: ['a', 'b'] }) as unknown as Counter<'a' | 'b'>
      for (const [a, b] of [
        ['1', 'x'],
        ['1', 'y'],
        ['2', 'x'],
      ] as const)
        metric.init(a, b)
      expect(metric.removeMatching({ b: 'x' })).toBe(2)
      expect(seriesOf(metric as unknown as AnyKind)).toEqual([{ a: '1', b: 'y' }])
      expect(metric.removeMatching({ a: '3' })).toBe(0)
    })

    it('removes everything for the empty set, but never the only series of a metric without labels', () => {
      const metric = labelled()
      metric.init('1')
      metric.init('2')
      expect(metric.removeMatching({})).toBe(2)
      expect((anew() as unknown as Counter).removeMatching({})).toBe(0)
    })

    it.each([
      ['an unknown name', { b: '1' }, 'ERR_NARTHEX_INVALID_LABELS'],
      ['null', null, 'ERR_NARTHEX_INVALID_LABELS'],
      ['a string', 'a', 'ERR_NARTHEX_INVALID_LABELS'],
      ['an array', ['1'], 'ERR_NARTHEX_INVALID_LABELS'],
      ['an undefined value', { a: undefined }, 'ERR_NARTHEX_INVALID_LABEL_VALUE'],
    ])('refuses %s, and removes nothing', (_, labels, code) => {
      const metric = labelled()
      metric.init('1')
      expect(caught(() => metric.removeMatching(labels as never)).code).toBe(code)
      expect(seriesOf(metric)).toEqual([{ a: '1' }])
    })

    it('refuses null where no labels are declared', () => {
      expect(caught(() => anew().removeMatching(null as never)).code).toBe('ERR_NARTHEX_INVALID_LABELS')
    })
  })

  it('keeps its series on the page through reset(), and held children attached', () => {
    const metric = labelled()
    update(metric, { a: '1' })
    const held = metric.labels('1')
    metric.reset()
    expect(seriesOf(metric)).toHaveLength(1)
    expect(metric.labels('1')).toBe(held)
    const single = anew()
    single.reset()
    expect(seriesOf(single)).toHaveLength(1)
  })

  it('leaves a label with an empty value out of the page', () => {
    const metric = labelled()
    metric.init({ a: '' })
    expect(seriesOf(metric)).toEqual([{}])
    expect(metric.labels('')).toBe(metric.labels({ a: '' }))
  })

  it('replaces lone surrogates in label values by U+FFFD', () => {
    const metric = labelled()
    const child = metric.labels({ a: 'x\ud800y' })
    expect(child.labels).toEqual({ a: 'x\ufffdy' })
    expect(metric.labels('x\udfffy')).toBe(child)
  })

  it('offers a family that is read lazily and can be read again', () => {
    const metric = labelled()
    const { family } = metric
    metric.init('1')
    expect([...family.series]).toHaveLength(1)
    metric.init('2')
    expect([...family.series]).toHaveLength(2)
  })
})

describe('collect option', () => {
  it('runs before a scrape, with the metric as `this` and argument', async () => {
    const registry = new Registry()
    const gauge = new Gauge({
      name: 'g',
      help: 'G',
      registry,
      collect(metric) {
        expect(this).toBe(metric)
        this.set(7)
      },
    })
    expect(gauge.labels().value).toBe(0)
    expect(await registry.metrics()).toContain('g 7\n')
  })

  it('may be asynchronous', async () => {
    const registry = new Registry()
    new Gauge({
      name: 'g',
      help: 'G',
      registry,
      async collect() {
        await Promise.resolve()
        this.set(8)
      },
    })
    expect(await registry.metrics()).toContain('g 8\n')
  })
})

describe('unit', () => {
  it('is appended to a name that does not end in it', () => {
    expect(new Gauge({ name: 'age', help: 'A', unit: 'seconds', registry: null }).name).toBe('age_seconds')
    expect(new Gauge({ name: 'age_seconds', help: 'A', unit: 'seconds', registry: null }).name).toBe('age_seconds')
    expect(new Gauge({ name: 'milliseconds', help: 'A', unit: 'seconds', registry: null }).name).toBe(
      'milliseconds_seconds',
    )
  })

  it('stands before the `_total` of a counter', async () => {
    const registry = new Registry()
    new Counter({ name: 'busy_total', help: 'B', unit: 'seconds', registry })
    new Counter({ name: 'idle_seconds_total', help: 'I', unit: 'seconds', registry })
    expect(await registry.metrics()).toMatch(/^busy_seconds_total 0$[^]*^idle_seconds_total 0$/m)
  })

  it('is refused for Info and Enum, which have none (OpenMetrics 1.0)', () => {
    const options = { name: 'm', help: 'M', unit: 'seconds', registry: null }
    expect(caught(() => new Info(options)).code).toBe('ERR_NARTHEX_INVALID_UNIT')
    expect(caught(() => new Enum({ ...options, states: ['a'] })).code).toBe('ERR_NARTHEX_INVALID_UNIT')
  })

  it('counts as absent where it is empty', () => {
    expect(new Gauge({ name: 'g', help: 'G', unit: '', registry: null }).family).not.toHaveProperty('unit')
  })
})

describe('what outlives a series', () => {
  it('counts calls of a wrapped function in a new series once the old one was removed', () => {
    const counter = new Counter({ name: 'calls', help: 'Calls', labelNames: ['job'], registry: null })
    const work = counter.count({ job: 'mail' }, () => {})
    work()
    counter.remove({ job: 'mail' })
    work()
    expect([...counter.family.series]).toMatchObject([{ labels: { job: 'mail' }, value: 1 }])
  })

  it('refuses a label that the metric does not have when a timer starts, not when it ends', () => {
    const duration = new Histogram({ name: 'duration', help: 'Duration', labelNames: ['job'], registry: null })
    expect(() => duration.startTimer({ jbo: 'mail' } as never)).toThrow(/`labels` to hold no other names than `job`/)
  })
})

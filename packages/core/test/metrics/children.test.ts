import { Counter, Enum, Gauge, Histogram, Info, Registry, Summary } from '@narthex/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recordWarnings } from '../warnings.ts'

function counterOf<const L extends string>(labelNames: readonly L[], maxSeries?: number): Counter<L> {
  return new Counter({ name: 'c', help: 'C', labelNames, maxSeries, registry: null })
}

/** What the page would show: label values joined as JSON, which cannot collide, to the value. */
function contentOf(counter: Counter<string>): Map<string, number> {
  const content = new Map<string, number>()
  for (const { labels, value } of counter.family.series as Iterable<{ labels: object; value: number }>) {
    const key = keyOf(counter.labelNames, labels as Record<string, string>)
    expect(content.has(key), `series ${key} twice`).toBe(false)
    content.set(key, value)
  }
  return content
}

function keyOf(names: readonly string[], labels: Record<string, string>): string {
  return JSON.stringify(names.map((name) => (Object.hasOwn(labels, name) ? labels[name] : '')))
}

describe('label sets', () => {
  it('stay apart whose values would be equal once joined', () => {
    const counter = counterOf(['a', 'b'])
    for (const separator of [',', '|', ':', '\0', '","', '\u0001', '}{']) {
      counter.inc({ a: `x${separator}y`, b: 'z' })
      counter.inc({ a: 'x', b: `y${separator}z` }, 2)
    }
    expect([...contentOf(counter).values()].toSorted()).toEqual([1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2])
  })

  it('differ in any of many labels, found in whatever order they came', () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const counter = counterOf(names)
    const sets = Array.from({ length: 32 }, (_, bits) =>
      Object.fromEntries(names.map((name, level) => [name, String((bits >> level) & 1)])),
    )
    const children = sets.map((set) => counter.labels(set))
    expect(new Set(children).size).toBe(32)
    for (const [index, set] of sets.entries()) {
      expect(counter.labels(Object.fromEntries(Object.entries(set).toReversed()))).toBe(children[index])
      expect(counter.labels(...Object.values(set))).toBe(children[index])
    }
  })

  it.each(['constructor', 'toString', 'valueOf', 'hasOwnProperty', 'length', '0', 'size', 'get'])(
    'may have a label called %s, with a value or with none',
    (name) => {
      const counter = counterOf(['a', name])
      const full = counter.labels('x', 'y')
      const empty = counter.labels({ a: 'z', [name]: '' })
      expect(counter.labels({ a: 'x', [name]: 'y' })).toBe(full)
      expect(counter.labels({ a: 'z', [name]: '' })).toBe(empty)
      expect(counter.labels('z', '')).toBe(empty)
      expect(contentOf(counter).size).toBe(2)
      expect(counter.removeMatching({ [name]: '' } as never)).toBe(1)
      expect(counter.remove('x', 'y')).toBe(true)
    },
  )

  it.each(['constructor', '__proto__', 'hasOwnProperty', 'toString'])('may have the value %s', (value) => {
    const counter = counterOf(['a', 'b'])
    counter.inc({ a: value, b: value })
    counter.inc({ a: value, b: '' })
    expect(counter.labels(value, value).labels).toEqual({ a: value, b: value })
    expect(contentOf(counter).size).toBe(2)
  })

  it('want a label called constructor to be given, though every object has one', () => {
    const counter = counterOf(['constructor'])
    expect(() => (counter.inc as (labels: object) => void)({})).toThrow('to have a value for `constructor`')
  })
})

it('equals a naive model over any sequence of updates and removals', () => {
  const names = ['a', 'b', 'c'] as const
  const value = fc.constantFrom('', '1', '2', 'x', '__overflow', '\ufffd', 'constructor')
  const set = fc.record({ a: value, b: value, c: value })
  const step = fc.oneof(
    { weight: 6, arbitrary: set.map((labels) => ({ type: 'inc', labels }) as const) },
    { weight: 2, arbitrary: set.map((labels) => ({ type: 'positional', labels }) as const) },
    { weight: 2, arbitrary: set.map((labels) => ({ type: 'init', labels }) as const) },
    { weight: 2, arbitrary: set.map((labels) => ({ type: 'remove', labels }) as const) },
    {
      weight: 1,
      arbitrary: fc
        .record({ a: value, b: value, c: value }, { requiredKeys: [] })
        .map((labels) => ({ type: 'removeMatching', labels }) as const),
    },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const counter = counterOf(names)
      const model = new Map<string, { labels: Record<string, string>; value: number }>()
      const entryOf = (labels: Record<string, string>): { value: number } => {
        const key = keyOf(names, labels)
        if (!model.has(key)) model.set(key, { labels, value: 0 })
        return model.get(key)!
      }
      for (const { type, labels } of steps) {
        if (type === 'inc') {
          counter.inc(labels)
          entryOf(labels).value += 1
        } else if (type === 'positional') {
          counter.labels(labels.a, labels.b, labels.c).inc(2)
          entryOf(labels).value += 2
        } else if (type === 'init') {
          counter.init(labels)
          entryOf(labels)
        } else if (type === 'remove') {
          expect(counter.remove(labels)).toBe(model.delete(keyOf(names, labels)))
        } else {
          const wanted = Object.entries(labels)
          const matching = [...model].filter(([, entry]) => wanted.every(([name, text]) => entry.labels[name] === text))
          for (const [key] of matching) model.delete(key)
          expect(counter.removeMatching(labels)).toBe(matching.length)
        }
      }
      const expected = [...model].map(([key, entry]) => [key, entry.value] as const)
      expect([...contentOf(counter)].toSorted()).toEqual(expected.toSorted())
    }),
  )
})

it('keeps sums right under maxSeries over any sequence, and never exceeds it', () => {
  const value = fc.constantFrom('1', '2', '3', '4')
  const step = fc.record({ type: fc.constantFrom('inc', 'inc', 'inc', 'init', 'remove'), a: value, b: value })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 6 }), (steps, maxSeries) => {
      const counter = counterOf(['a', 'b'], maxSeries)
      recordWarningsQuietly(() => {
        const model = new Map<string, number>()
        let overflow = 0
        for (const { type, a, b } of steps) {
          const key = JSON.stringify([a, b])
          if (type === 'remove') {
            expect(counter.remove(a, b)).toBe(model.delete(key))
            continue
          }
          const added = type === 'inc' ? 1 : 0
          if (type === 'inc') counter.inc({ a, b })
          else counter.init({ a, b })
          if (model.has(key)) model.set(key, model.get(key)! + added)
          else if (model.size < maxSeries) model.set(key, added)
          else overflow += added
        }
        const content = contentOf(counter)
        const shared = JSON.stringify(['__overflow__', '__overflow__'])
        expect(content.get(shared) ?? 0).toBe(overflow)
        content.delete(shared)
        expect([...content].toSorted()).toEqual([...model].toSorted())
      })
    }),
  )
})

function recordWarningsQuietly(run: () => void): void {
  const { emitWarning } = process
  process.emitWarning = () => undefined
  try {
    run()
  } finally {
    process.emitWarning = emitWarning
  }
}

describe('maxSeries', () => {
  it('sends new label sets to one series whose values are all __overflow__', async () => {
    recordWarnings()
    const registry = new Registry()
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a', 'b'], maxSeries: 2, registry })
    for (let index = 0; index < 5; index++) counter.inc({ a: index, b: 'x' })
    counter.inc({ a: 1, b: 'x' })
    expect(registry.getSampleValue('c_total', { a: '0', b: 'x' })).toBe(1)
    expect(registry.getSampleValue('c_total', { a: '1', b: 'x' })).toBe(2)
    expect(registry.getSampleValue('c_total', { a: '__overflow__', b: '__overflow__' })).toBe(3)
    expect(registry.getSampleValue('narthex_series_overflow_total', { metric: 'c' })).toBe(3)
    expect([...counter.family.series]).toHaveLength(3)
    expect(await registry.metrics()).toContain('narthex_series_overflow_total{metric="c"} 3\n')
  })

  it('holds for sets that share their first labels with a series of their own', () => {
    recordWarnings()
    const counter = counterOf(['a', 'b', 'c'], 1)
    counter.inc({ a: '1', b: '1', c: '1' })
    counter.inc({ a: '1', b: '1', c: '2' })
    counter.inc({ a: '1', b: '2', c: '1' })
    counter.inc({ a: '2', b: '1', c: '1' })
    expect([...contentOf(counter).values()]).toEqual([1, 3])
    counter.inc({ a: '1', b: '1', c: '1' })
    expect([...contentOf(counter).values()]).toEqual([2, 3])
  })

  it('holds by position and through init()', () => {
    recordWarnings()
    const counter = counterOf(['a'], 1)
    counter.init('1')
    counter.init('2')
    counter.labels('3').inc(5)
    expect([...contentOf(counter)]).toEqual([
      ['["1"]', 0],
      ['["__overflow__"]', 5],
    ])
  })

  it('counts updates through a held overflow child, and not looks at it', () => {
    recordWarnings()
    const registry = new Registry()
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a'], maxSeries: 1, registry })
    counter.init('1')
    const held = counter.labels('2')
    expect(registry.getSampleValue('narthex_series_overflow_total', { metric: 'c' })).toBeUndefined()
    held.inc()
    held.inc(10)
    expect(() => held.inc(-1)).toThrow('expected `value`')
    expect(held.value).toBe(11)
    expect(registry.getSampleValue('narthex_series_overflow_total', { metric: 'c' })).toBe(2)
  })

  it.each([
    [
      'Gauge',
      (registry: Registry) => {
        const gauge = new Gauge({ name: 'm', help: 'M', labelNames: ['a'], maxSeries: 1, registry })
        gauge.init('1')
        gauge.set({ a: '2' }, 1)
        gauge.inc({ a: '2' })
        gauge.dec({ a: '2' })
        gauge.setToCurrentTime({ a: '2' })
      },
      4,
    ],
    [
      'Histogram',
      (registry: Registry) => {
        const histogram = new Histogram({ name: 'm', help: 'M', labelNames: ['a'], maxSeries: 1, registry })
        histogram.init('1')
        histogram.observe({ a: '2' }, 1)
        histogram.time({ a: '3' }, () => 1)()
        histogram.startTimer({ a: '4' })()
      },
      3,
    ],
    [
      'Summary',
      (registry: Registry) => {
        const summary = new Summary({ name: 'm', help: 'M', labelNames: ['a'], maxSeries: 1, registry })
        summary.init('1')
        summary.observe({ a: '2' }, 1)
      },
      1,
    ],
    [
      'Info',
      (registry: Registry) => {
        const info = new Info({ name: 'm', help: 'M', labelNames: ['a'], maxSeries: 1, registry })
        info.init('1')
        info.info({ a: '2' }, { version: '1' })
      },
      1,
    ],
    [
      'Enum',
      (registry: Registry) => {
        const phase = new Enum({
          name: 'm',
          help: 'M',
          labelNames: ['a'],
          states: ['off', 'on'],
          maxSeries: 1,
          registry,
        })
        phase.init('1')
        phase.state({ a: '2' }, 'on')
      },
      1,
    ],
  ] as const)('counts each update of a %s once', (_, update, expected) => {
    recordWarnings()
    const registry = new Registry()
    update(registry)
    expect(registry.getSampleValue('narthex_series_overflow_total', { metric: 'm' })).toBe(expected)
  })

  it('frees room for removed series; the overflow series takes none', () => {
    recordWarnings()
    const counter = counterOf(['a'], 2)
    for (const a of ['1', '2', '3']) counter.inc({ a })
    counter.remove('1')
    counter.inc({ a: '4' })
    counter.inc({ a: '5' })
    expect([...contentOf(counter)]).toEqual([
      ['["2"]', 1],
      ['["4"]', 1],
      ['["__overflow__"]', 2],
    ])
    expect(counter.removeMatching({ a: '__overflow__' })).toBe(1)
    counter.inc({ a: '6' })
    expect([...contentOf(counter)]).toEqual([
      ['["2"]', 1],
      ['["4"]', 1],
      ['["__overflow__"]', 1],
    ])
  })

  it('is lifted by Infinity, and 10,000 by default', () => {
    recordWarnings()
    const lifted = counterOf(['a'], Infinity)
    const limited = counterOf(['a'])
    for (let index = 0; index < 10_001; index++) {
      lifted.inc({ a: index })
      limited.inc({ a: index })
    }
    expect(contentOf(lifted).has('["__overflow__"]')).toBe(false)
    expect(contentOf(limited).get('["__overflow__"]')).toBe(1)
    expect(contentOf(limited).size).toBe(10_001)
  })

  it('warns once a metric, with a code', () => {
    const warnings = recordWarnings()
    const counter = counterOf(['a'], 1)
    for (const a of ['1', '2', '3', '4']) counter.inc({ a })
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatchObject({ code: 'NARTHEX_SERIES_OVERFLOW', type: 'NarthexWarning' })
    expect(warnings[0]!.message).toContain('Counter `c` has reached maxSeries (1)')
    const another = counterOf(['a'], 1)
    for (const a of ['1', '2', '3']) another.inc({ a })
    expect(warnings).toHaveLength(2)
  })

  it('counts in every registry that exposes the metric', () => {
    recordWarnings()
    const [first, second] = [new Registry(), new Registry()]
    const counter = new Counter({ name: 'c', help: 'C', labelNames: ['a'], maxSeries: 1, registry: first })
    second.register(counter)
    counter.inc({ a: '1' })
    counter.inc({ a: '2' })
    first.unregister(counter)
    counter.inc({ a: '3' })
    expect(first.getSampleValue('narthex_series_overflow_total', { metric: 'c' })).toBe(1)
    expect(second.getSampleValue('narthex_series_overflow_total', { metric: 'c' })).toBe(2)
  })
})

describe('iteration', () => {
  it('shows a series once that is removed and made again meanwhile', () => {
    const gauge = new Gauge({ name: 'g', help: 'h', labelNames: ['a', 'b'], registry: null })
    for (const a of ['1', '2']) for (const b of ['1', '2', '3']) gauge.set({ a, b }, 1)
    const shown: string[] = []
    for (const { labels } of gauge.family.series) {
      shown.push(`${labels['a']}${labels['b']}`)
      gauge.remove(labels as { a: string; b: string })
      gauge.set(labels as { a: string; b: string }, 2)
    }
    expect(shown).toEqual(['11', '12', '13', '21', '22', '23'])
  })

  it('goes on while series come and go, and shows none twice', () => {
    const counter = counterOf(['a', 'b'])
    for (let index = 0; index < 10; index++) counter.inc({ a: index, b: 'x' })
    const seen: string[] = []
    for (const { labels } of counter.family.series) {
      seen.push(`${labels['a']} ${labels['b']}`)
      if (seen.length === 3) {
        counter.inc({ a: 1, b: 'y' })
        counter.inc({ a: 5, b: 'y' })
        counter.remove(7, 'x')
      }
    }
    expect(new Set(seen).size).toBe(seen.length)
    for (const index of [0, 1, 2, 3, 4, 5, 6, 8, 9]) expect(seen).toContain(`${index} x`)
    expect(seen).not.toContain('7 x')
  })
})

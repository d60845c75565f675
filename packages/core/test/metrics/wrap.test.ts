import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Counter, Gauge, Histogram, type MethodDecorator, Summary } from '@narthex/core'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { caught } from '../caught.ts'

function counterOf(): Counter {
  return new Counter({ name: 'c', help: 'C', registry: null })
}

describe('a wrapped function', () => {
  it('gets its `this` and arguments, and gives back what it returns', () => {
    const counter = counterOf()
    const subject = {
      base: 10,
      add: counter.count(function (this: { base: number }, a: number, b: number) {
        return this.base + a + b
      }),
    }
    expect(subject.add(1, 2)).toBe(13)
    expect(counter.labels().value).toBe(1)
  })

  it('throws the error that was thrown', () => {
    const error = new TypeError('no')
    const call = counterOf().count(() => {
      throw error
    })
    expect(call).toThrow(error)
  })

  it('passes on a Promise that is fulfilled or rejected', async () => {
    const error = new Error('no')
    await expect(counterOf().count(async () => 5)()).resolves.toBe(5)
    await expect(counterOf().count(() => Promise.reject(error))()).rejects.toBe(error)
  })

  it('waits for what is like a Promise', async () => {
    const counter = counterOf()
    let settle: (value: number) => void = () => undefined
    const promise = new Promise<number>((resolve) => void (settle = resolve))
    const call = counter.count(() => ({ then: promise.then.bind(promise) }) as Promise<number>)()
    expect(counter.labels().value).toBe(0)
    settle(7)
    expect(await call).toBe(7)
    expect(counter.labels().value).toBe(1)
  })

  it('keeps a Promise of its own class', async () => {
    class OwnPromise<T> extends Promise<T> {
      cancel(): string {
        return 'cancelled'
      }
    }
    const result = counterOf().count(() => new OwnPromise<number>((resolve) => resolve(5)))()
    expect((result as OwnPromise<number>).cancel()).toBe('cancelled')
    expect(await result).toBe(5)
  })

  it('neither hides nor adds an unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const others = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    process.on('unhandledRejection', (error) => void unhandled.push(error))
    onTestFinished(() => {
      process.removeAllListeners('unhandledRejection')
      for (const listener of others) process.on('unhandledRejection', listener)
    })
    const reject = counterOf().count((text: string) => Promise.reject(new Error(text)))
    await reject('handled').catch(() => undefined)
    void reject('unhandled')
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => void setImmediate(resolve))
    expect(unhandled).toEqual([new Error('unhandled')])
  })

  it('may be a generator or an async generator', async () => {
    const counter = counterOf()
    const numbers = counter.count(function* () {
      yield* [1, 2, 3]
    })
    const later = counter.count(async function* () {
      yield* [4, 5]
    })
    expect([...numbers()]).toEqual([1, 2, 3])
    const read: number[] = []
    for await (const value of later()) read.push(value)
    expect(read).toEqual([4, 5])
    expect(counter.labels().value).toBe(2)
  })

  it('keeps name, length and own properties, symbols included', () => {
    const mark = Symbol('mark')
    const original = Object.assign(
      function handler(a: number, b: number) {
        return a + b
      },
      { path: '/users', [mark]: true },
    )
    const wrapped = counterOf().count(original)
    expect(wrapped.name).toBe('handler')
    expect(wrapped).toHaveLength(2)
    expect(wrapped.path).toBe('/users')
    expect(wrapped[mark]).toBe(true)
    expect(wrapped).not.toBe(original)
  })

  it('keeps Reflect metadata, which frameworks hang on methods', () => {
    const store = new WeakMap<object, Map<unknown, unknown>>()
    const metadata = {
      getOwnMetadataKeys: (target: object) => [...(store.get(target)?.keys() ?? [])],
      getOwnMetadata: (key: unknown, target: object) => store.get(target)?.get(key),
      defineMetadata: (key: unknown, value: unknown, target: object) =>
        void store.set(target, new Map([...(store.get(target) ?? []), [key, value]])),
    }
    // Nest has them in this thread where its tests have run.
    const before = Object.entries(Object.getOwnPropertyDescriptors(Reflect)).filter(([key]) => key in metadata)
    Object.assign(Reflect, metadata)
    onTestFinished(() => {
      for (const key of Object.keys(metadata)) Reflect.deleteProperty(Reflect, key)
      Object.defineProperties(Reflect, Object.fromEntries(before))
    })
    const original = (): number => 1
    store.set(
      original,
      new Map<unknown, unknown>([
        ['path', '/users'],
        ['method', 0],
      ]),
    )
    const wrapped = counterOf().count(original)
    expect(store.get(wrapped)).toEqual(
      new Map<unknown, unknown>([
        ['path', '/users'],
        ['method', 0],
      ]),
    )
  })
})

/** As RxJS has it: `lift` gives an Observable whose subscriptions go through an operator. */
class Source<T> {
  readonly #subscribe: (subscriber: Sink<T>) => void
  constructor(subscribe: (subscriber: Sink<T>) => void) {
    this.#subscribe = subscribe
  }

  get kind(): string {
    return 'source'
  }

  subscribe(observer: Partial<Sink<T>> | Sink<T> = {}): Sink<T> {
    const sink = observer instanceof Sink ? observer : new Sink(observer)
    this.#subscribe(sink)
    return sink
  }

  lift(operator: { call(subscriber: Sink<T>, source: Source<T>): unknown }): Source<T> {
    return new Source((sink) => void operator.call(sink, this))
  }
}

class Sink<T> {
  readonly #observer: { next?(value: T): void; error?(error: unknown): void; complete?(): void }
  readonly #teardowns: (() => void)[] = []
  constructor(observer: object) {
    this.#observer = observer
  }

  add(teardown: () => void): void {
    this.#teardowns.push(teardown)
  }

  next(value: T): void {
    this.#observer.next?.(value)
  }

  error(error: unknown): void {
    this.#observer.error?.(error)
    this.unsubscribe()
  }

  complete(): void {
    this.#observer.complete?.()
    this.unsubscribe()
  }

  unsubscribe(): void {
    for (const teardown of this.#teardowns.splice(0)) teardown()
  }
}

describe('a function that gives an Observable', () => {
  function subject(subscribe: (sink: Sink<number>) => void) {
    const calls = counterOf()
    const failures = new Counter({ name: 'f', help: 'F', registry: null })
    const running = new Gauge({ name: 'g', help: 'G', registry: null })
    const source = new Source(subscribe)
    const call = calls.count(failures.countExceptions(running.trackInProgress(() => source)))
    return { call, source, values: () => [calls, failures, running].map((metric) => metric.labels().value) }
  }

  it('has not begun before somebody subscribes', () => {
    const { call, values } = subject(() => undefined)
    call()
    expect(values()).toEqual([0, 0, 0])
  })

  it('is a call for each subscription, until that completes or is given up', () => {
    const { call, values } = subject((sink) => sink.next(1))
    const observable = call()
    const sinks = [observable.subscribe(), observable.subscribe()]
    expect(values()).toEqual([0, 0, 2])
    sinks[0]?.complete()
    expect(values()).toEqual([1, 0, 1])
    sinks[1]?.unsubscribe()
    expect(values()).toEqual([2, 0, 0])
  })

  it('has failed where the Observable fails, and passes the error on', () => {
    const error = new Error('no')
    const { call, values } = subject((sink) => sink.error(error))
    const seen: unknown[] = []
    call().subscribe({ error: (each) => void seen.push(each) })
    expect(seen).toEqual([error])
    expect(values()).toEqual([1, 1, 0])
  })

  it('gives what looks like the Observable itself, getters and private fields included', () => {
    const { call, source } = subject(() => undefined)
    const observable = call()
    expect(observable).toBeInstanceOf(Source)
    expect(observable.kind).toBe(source.kind)
  })

  it('may give it in a Promise', async () => {
    const counter = counterOf()
    const call = counter.count(async () => new Source<number>((sink) => sink.complete()))
    const observable = await call()
    expect(counter.labels().value).toBe(0)
    observable.subscribe()
    expect(counter.labels().value).toBe(1)
  })
})

describe('an async generator', () => {
  function generatorOf(read: () => AsyncGenerator<number>) {
    const calls = counterOf()
    const failures = new Counter({ name: 'f', help: 'F', registry: null })
    const running = new Gauge({ name: 'g', help: 'G', registry: null })
    const call = calls.count(failures.countExceptions(running.trackInProgress(read)))
    return { call, values: () => [calls, failures, running].map((metric) => metric.labels().value) }
  }

  it('is a call from its first step to its last', async () => {
    const { call, values } = generatorOf(async function* () {
      yield* [1, 2]
    })
    const numbers = call()
    expect(values()).toEqual([0, 0, 0])
    expect(await numbers.next()).toEqual({ value: 1, done: false })
    expect(values()).toEqual([0, 0, 1])
    expect(await numbers.next()).toEqual({ value: 2, done: false })
    expect(await numbers.next()).toEqual({ value: undefined, done: true })
    expect(await numbers.next()).toEqual({ value: undefined, done: true })
    expect(values()).toEqual([1, 0, 0])
  })

  it('ends where its reader leaves, and runs its own `finally`', async () => {
    let left = false
    const { call, values } = generatorOf(async function* () {
      try {
        yield 1
        yield 2
      } finally {
        left = true
      }
    })
    for await (const value of call()) if (value === 1) break
    expect(left).toBe(true)
    expect(values()).toEqual([1, 0, 0])
  })

  it('has failed where it throws', async () => {
    const { call, values } = generatorOf(async function* () {
      yield 1
      throw new TypeError('no')
    })
    const numbers = call()
    await numbers.next()
    await expect(numbers.next()).rejects.toThrow(TypeError)
    expect(values()).toEqual([1, 1, 0])
  })

  it('was no call where nobody reads it', async () => {
    const { call, values } = generatorOf(async function* () {
      yield 1
    })
    await call().return(undefined)
    expect(values()).toEqual([0, 0, 0])
  })

  it('is none where it is a stream: that is a result', () => {
    const counter = counterOf()
    const stream = Readable.from(['a'])
    expect(counter.count(() => stream)()).toBe(stream)
    expect(counter.labels().value).toBe(1)
  })
})

describe('a decorator', () => {
  type Loose = (target: unknown, context: unknown, descriptor?: PropertyDescriptor) => unknown

  it('follows TC39 where it is given a method and a context', () => {
    const counter = counterOf()
    const method = (counter.count() as Loose)(() => 5, { kind: 'method', name: 'm', static: false, private: false })
    expect((method as () => number)()).toBe(5)
    expect(counter.labels().value).toBe(1)
  })

  it('follows the legacy form where it is given a descriptor', () => {
    const counter = counterOf()
    const target = { method: () => 5 }
    const descriptor = Object.getOwnPropertyDescriptor(target, 'method') as PropertyDescriptor
    Object.defineProperty(
      target,
      'method',
      ((counter.count() as Loose)(target, 'method', descriptor) ?? descriptor) as PropertyDescriptor,
    )
    expect(target.method()).toBe(5)
    expect(counter.labels().value).toBe(1)
  })

  it.each([
    ['a legacy property', (decorator: Loose) => decorator({}, 'field', undefined)],
    ['a legacy accessor', (decorator: Loose) => decorator({}, 'size', { get: () => 1, configurable: true })],
    ['a TC39 field', (decorator: Loose) => decorator(undefined, { kind: 'field', name: 'field' })],
    ['a TC39 accessor', (decorator: Loose) => decorator({ get: () => 1 }, { kind: 'accessor', name: 'size' })],
    ['a TC39 class', (decorator: Loose) => decorator(class {}, { kind: 'class', name: 'Service' })],
    ['a legacy class', (decorator: Loose) => decorator(class {}, undefined)],
  ])('refuses %s: only methods are called', (_, decorate) => {
    expect(caught(() => decorate(counterOf().count() as Loose)).code).toBe('ERR_NARTHEX_INVALID_ARGUMENT')
  })

  it.each([5, 'fn', true, null, Symbol('s')])('is not given for %s in place of a function', (argument) => {
    const histogram = new Histogram({ name: 'h', help: 'H', registry: null })
    for (const wrap of [
      () => histogram.time(argument as never),
      () => counterOf().count(argument as never),
      () => counterOf().countExceptions(argument as never),
    ]) {
      expect(caught(wrap).code).toBe('ERR_NARTHEX_INVALID_ARGUMENT')
    }
  })
})

const folder = mkdtempSync(path.join(tmpdir(), 'narthex-decorators-'))
writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Compiles the fixture with this project's own compiler, and runs what it gives. */
async function compile(form: string, ...options: string[]): Promise<(decorators: object) => Record<string, any>> {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
  const compiler = path.join(path.dirname(manifest), 'bin', 'tsc')
  const fixture = fileURLToPath(new URL('fixtures/decorated.ts', import.meta.url))
  const outDir = path.join(folder, form)
  const common = [
    '--ignoreConfig',
    '--noCheck',
    '--target',
    'es2022',
    '--module',
    'esnext',
    '--outDir',
    outDir,
    fixture,
  ]
  execFileSync(process.execPath, [compiler, ...options, ...common], { stdio: 'pipe' })
  const { decorate } = await import(pathToFileURL(path.join(outDir, 'decorated.js')).href)
  return decorate
}

describe.each([
  ['TC39', []],
  ['legacy', ['--experimentalDecorators']],
])('compiled %s decorators', (form, options) => {
  async function setUp() {
    const metrics = {
      timed: new Histogram({ name: 'timed', help: 'T', registry: null }),
      counted: new Counter({ name: 'counted', help: 'C', registry: null }),
      failed: new Counter({ name: 'failed', help: 'F', registry: null }),
      running: new Gauge({ name: 'running', help: 'R', registry: null }),
      own: new Summary({ name: 'own', help: 'O', registry: null }),
    }
    const decorators: Record<string, MethodDecorator> = {
      timed: metrics.timed.time(),
      counted: metrics.counted.count(),
      failed: metrics.failed.countExceptions(TypeError),
      running: metrics.running.trackInProgress(),
      own: metrics.own.time(),
    }
    const decorate = await compile(form, ...options)
    return { ...metrics, ...decorate(decorators) } as typeof metrics & { Base: any; Derived: any }
  }
  const countOf = (metric: Histogram | Summary): number => ([...metric.family.series][0] as { count: number }).count

  it('run around methods: sync, async, failing, static, inherited and stacked', async () => {
    const { timed, counted, failed, running, own, Base, Derived } = await setUp()
    const service = Base.create()
    expect(counted.labels().value).toBe(1)
    expect(service.greet('you')).toBe('hello you')
    expect(new Derived().greet('you')).toBe('GOODBYE YOU')
    expect(countOf(timed)).toBe(2)
    const pending = service.later(21)
    expect(counted.labels().value).toBe(1)
    expect(await pending).toBe(42)
    expect(counted.labels().value).toBe(2)
    expect(() => service.fail(new TypeError('no'))).toThrow('no')
    expect(() => service.fail(new RangeError('other'))).toThrow('other')
    await expect(service.reject(new TypeError('later'))).rejects.toThrow('later')
    expect(failed.labels().value).toBe(2)
    expect(service.during(() => running.labels().value)).toBe(1)
    expect(running.labels().value).toBe(0)
    const pages: number[] = []
    for await (const page of service.pages(3)) pages.push(page)
    expect(pages).toEqual([0, 1, 2])
    expect(service.stacked(1, 2)).toBe(3)
    expect([countOf(own), countOf(timed), counted.labels().value]).toEqual([1, 3, 4])
  })

  it("leave a method's name, length and place on the prototype", async () => {
    const { Base } = await setUp()
    expect(Base.prototype.greet.name).toBe('greet')
    expect(Base.prototype.stacked).toHaveLength(2)
    expect(Object.getOwnPropertyDescriptor(Base.prototype, 'greet')).toMatchObject({
      enumerable: false,
      writable: true,
    })
  })
})

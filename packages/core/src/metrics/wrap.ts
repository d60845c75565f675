import { MetricError } from '../errors.ts'

/** A function of any shape. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyFunction = (this: any, ...args: any[]) => any

/**
 * A method decorator for both standards: TC39 (`(method, context)`) and TypeScript's legacy
 * (`(target, key, descriptor)`).
 */
export interface MethodDecorator {
  <Method extends AnyFunction>(method: Method, context: ClassMethodDecoratorContext): Method
  (target: object, key: string | symbol, descriptor: PropertyDescriptor): void
}

/** What happens around a call: it is called as that starts, and the function that it returns once as that ends. */
export interface Around {
  (): End
  /** Whether a start leaves something behind: it is then ended also where the call only handed out work for later. */
  readonly holds?: true
}

export type End = (outcome: Outcome) => void

/** How a call ended. */
export type Outcome = { readonly failed: boolean; readonly error?: unknown }

const DONE: Outcome = { failed: false }

/**
 * Runs `around` about every call of `fn`: until it returns, throws, or, where it gives a Promise, until that settles. An
 * Observable or an async generator is work for later: each subscription is a call of its own, until it completes, fails
 * or is given up, and so is the reading of a generator. The wrapper looks like `fn`: name, length, properties and
 * Reflect metadata.
 */
export function wrapFunction<F extends AnyFunction>(fn: F, around: Around): F {
  const wrapper = function (this: unknown, ...args: unknown[]): unknown {
    const end = around()
    let result: unknown
    try {
      result = fn.apply(this, args)
    } catch (error) {
      end({ failed: true, error })
      throw error
    }
    if (!isThenable(result)) return settle(result, end, around)
    return result.then(
      (value) => settle(value, end, around),
      (error: unknown) => {
        end({ failed: true, error })
        throw error
      },
    )
  }
  return lookLike(wrapper, fn) as F
}

/** Ends a call that has its result, or follows what is yet to be done. */
function settle(result: unknown, end: End, around: Around): unknown {
  const isLater = typeof result === 'object' && result !== null && (isObservable(result) || isAsyncGenerator(result))
  if (!isLater || around.holds === true) end(DONE)
  if (!isLater) return result
  return isObservable(result) ? followSubscriptions(result, around) : followReading(result, around)
}

/** `fn` wrapped, or without one a decorator that wraps a method, and throws `ERR_NARTHEX_INVALID_ARGUMENT` for what is none. */
export function wrapOrDecorate<F extends AnyFunction>(fn: F | undefined, around: Around): F | MethodDecorator {
  if (fn !== undefined) return wrapFunction(fn, around)
  return ((target: unknown, context: unknown, descriptor?: PropertyDescriptor): unknown => {
    const isMethod = descriptor !== undefined || (context as { kind?: unknown } | undefined)?.kind === 'method'
    const method: unknown = descriptor === undefined ? target : descriptor.value
    if (!isMethod || typeof method !== 'function') return refuse('target', 'to be a method', target)
    const wrapped = wrapFunction(method as AnyFunction, around)
    if (descriptor === undefined) return wrapped
    descriptor.value = wrapped
    return descriptor
  }) as MethodDecorator
}

/** Splits `(labels?, fn?)`, in which either may be left out. Throws `ERR_NARTHEX_INVALID_ARGUMENT` for anything else. */
export function splitLabelsAndFunction<Labels>(
  args: readonly unknown[],
): [Labels | undefined, AnyFunction | undefined] {
  for (const argument of args) {
    if (argument === null || !['undefined', 'object', 'function'].includes(typeof argument)) {
      refuse('arguments', 'to be a label set and a function, or one of them', argument)
    }
  }
  const fn = args.find((argument) => typeof argument === 'function') as AnyFunction | undefined
  return [args.find((argument) => typeof argument === 'object' && argument !== null) as Labels | undefined, fn]
}

function refuse(argument: string, rule: string, value: unknown): never {
  throw new MetricError('ERR_NARTHEX_INVALID_ARGUMENT', { subject: 'decorator', argument, rule, value })
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/** What is used of the Observables of RxJS 5 to 7: `lift` shows every subscription, whichever operators follow. */
interface Observable {
  subscribe(...observer: unknown[]): unknown
  lift(operator: { call(subscriber: Subscriber, source: Observable): unknown }): Observable
}

interface Subscriber {
  error(error: unknown): void
  add(teardown: () => void): void
}

function isObservable(value: object): value is Observable {
  const { subscribe, lift } = value as Partial<Observable>
  return typeof subscribe === 'function' && typeof lift === 'function'
}

/** The Observable itself to whoever looks at it, a subject's value and methods included. */
function followSubscriptions(observable: Observable, around: Around): Observable {
  const operator = {
    call(subscriber: Subscriber, source: Observable): unknown {
      const end = around()
      let outcome = DONE
      const { error: fail } = subscriber
      subscriber.error = function (error) {
        outcome = { failed: true, error }
        fail.call(this, error)
      }
      subscriber.add(() => end(outcome))
      return source.subscribe(subscriber)
    },
  }
  const followed = observable.lift(operator)
  return new Proxy(observable, {
    get: (target, key) => (key === 'subscribe' ? followed.subscribe.bind(followed) : Reflect.get(target, key, target)),
  })
}

function isAsyncGenerator(value: object): value is AsyncGenerator {
  const generator = value as AsyncGenerator
  // Streams and cursors can be iterated too, but have no `return` and `throw`: they are results like any other.
  return (['next', 'return', 'throw', Symbol.asyncIterator] as const).every(
    (name) => typeof generator[name] === 'function',
  )
}

/** Begins with the first `next`: before it no line of the generator has run. */
function followReading(generator: AsyncGenerator, around: Around): AsyncGenerator {
  let end: End | undefined
  let ended = false
  const finish = (outcome: Outcome): void => {
    if (!ended) end?.(outcome)
    ended = true
  }
  const step = (name: 'next' | 'return' | 'throw') => ({
    value: async (...args: [unknown]): Promise<IteratorResult<unknown>> => {
      if (name === 'next' && !ended) end ??= around()
      try {
        const result = await generator[name](...args)
        if (result.done === true) finish(DONE)
        return result
      } catch (error) {
        finish({ failed: true, error })
        throw error
      }
    },
  })
  return Object.create(generator, {
    next: step('next'),
    return: step('return'),
    throw: step('throw'),
    [Symbol.asyncIterator]: {
      value(this: unknown) {
        return this
      },
    },
  }) as AsyncGenerator
}

interface ReflectMetadata {
  getOwnMetadataKeys?(target: object): unknown[]
  getOwnMetadata?(key: unknown, target: object): unknown
  defineMetadata?(key: unknown, value: unknown, target: object): void
}

/** Frameworks hang what they know of a method on the function: a wrapper must carry all of it. */
function lookLike(wrapper: AnyFunction, fn: AnyFunction): AnyFunction {
  for (const key of Reflect.ownKeys(fn)) {
    if (key === 'prototype' || key === 'arguments' || key === 'caller') continue
    Object.defineProperty(wrapper, key, Object.getOwnPropertyDescriptor(fn, key) as PropertyDescriptor)
  }
  const metadata = Reflect as ReflectMetadata
  for (const key of metadata.getOwnMetadataKeys?.(fn) ?? []) {
    metadata.defineMetadata?.(key, metadata.getOwnMetadata?.(key, fn), wrapper)
  }
  return wrapper
}

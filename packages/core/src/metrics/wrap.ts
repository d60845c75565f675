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

/** What happens around a call: `begin` as it starts, the function that it returns once as it ends. */
export type Around = () => (outcome: Outcome) => void

/** How a call ended. */
export type Outcome = { readonly failed: boolean; readonly error?: unknown }

const DONE: Outcome = { failed: false }

/**
 * Runs `around` about every call of `fn`: until it returns, throws, or, where it gives a Promise, until that settles.
 * The wrapper looks like `fn`: name, length, properties and Reflect metadata.
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
    if (!isThenable(result)) {
      end(DONE)
      return result
    }
    return result.then(
      (value) => {
        end(DONE)
        return value
      },
      (error: unknown) => {
        end({ failed: true, error })
        throw error
      },
    )
  }
  return lookLike(wrapper, fn) as F
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

import type { AnyFunction, Registry } from '@narthex/core'
import { Exchange, type HttpMetrics } from '@narthex/core/http'
import { SetMetadata } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { lookLike } from './look-like.ts'

export type RawResponse = Parameters<HttpMetrics['follow']>[3]

const SKIP_METRICS = '@narthex/nestjs/skip'

/**
 * Leaves the requests of a handler, or of all handlers of a controller, out of the metrics: those too that guards and
 * pipes refuse. Bodies that cannot be parsed are refused before there is a handler, and count on Express.
 */
export function SkipMetrics(): ClassDecorator & MethodDecorator {
  const mark = SetMetadata(SKIP_METRICS, true)
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    if (key !== undefined && descriptor !== undefined) mark(target, key, descriptor)
    else for (const handler of handlersOf((target as { prototype: object }).prototype)) mark(handler)
  }
}

/** The methods of a controller, inherited ones as stand-ins of its own: the class that they come from is not touched. */
function handlersOf(prototype: object): AnyFunction[] {
  const handlers = new Map<string, AnyFunction>()
  for (
    let owner = prototype;
    owner !== Object.prototype && owner !== null;
    owner = Object.getPrototypeOf(owner) as object
  ) {
    for (const name of Object.getOwnPropertyNames(owner)) {
      const descriptor = Object.getOwnPropertyDescriptor(owner, name) as PropertyDescriptor
      const method: unknown = descriptor.value
      if (name === 'constructor' || handlers.has(name) || typeof method !== 'function') continue
      handlers.set(name, owner === prototype ? (method as AnyFunction) : inherit(prototype, name, descriptor))
    }
  }
  return [...handlers.values()]
}

function inherit(prototype: object, name: string, descriptor: PropertyDescriptor): AnyFunction {
  const method = descriptor.value as AnyFunction
  const value = lookLike(function (this: unknown, ...args: unknown[]): unknown {
    return Reflect.apply(method, this, args)
  }, method)
  Object.defineProperty(prototype, name, { ...descriptor, value })
  return value
}

/** Whether what Nest has made of a handler, which bears its metadata, is to be left out. */
export function isSkipped(handler: unknown): handler is AnyFunction {
  return typeof handler === 'function' && new Reflector().get<boolean>(SKIP_METRICS, handler) === true
}

/** Leaves the exchange of a response out of the metrics, until what is returned is called. */
export function leaveOut(response: RawResponse, registry: Registry): () => void {
  const exchange = Exchange.of(response, registry)
  if (exchange === undefined) return () => undefined
  const { isLeftOut } = exchange
  exchange.isLeftOut = true
  return () => void (exchange.isLeftOut = isLeftOut)
}

/** Leaves it out for good, also of what is in flight. */
export function forget(response: RawResponse, registry: Registry): void {
  const exchange = Exchange.of(response, registry)
  if (exchange === undefined) return
  exchange.isLeftOut = true
  exchange.tally?.end()
  exchange.tally = undefined
}

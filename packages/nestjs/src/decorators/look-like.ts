import type { AnyFunction } from '@narthex/core'

interface ReflectMetadata {
  getOwnMetadataKeys(target: object): unknown[]
  getOwnMetadata(key: unknown, target: object): unknown
  defineMetadata(key: unknown, value: unknown, target: object): void
}

/** Gives a function that stands in for a method all that Nest may look for: name, length, properties and metadata. */
export function lookLike(standIn: AnyFunction, method: AnyFunction): AnyFunction {
  for (const key of Reflect.ownKeys(method)) {
    if (key === 'prototype') continue
    Object.defineProperty(standIn, key, Object.getOwnPropertyDescriptor(method, key) as PropertyDescriptor)
  }
  const metadata = Reflect as unknown as ReflectMetadata
  for (const key of metadata.getOwnMetadataKeys(method)) {
    metadata.defineMetadata(key, metadata.getOwnMetadata(key, method), standIn)
  }
  return standIn
}

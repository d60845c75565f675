import type { Registrar } from './collector.ts'

/**
 * The key is versioned: two copies of the package that agree on it share one default registry, and a page never lacks
 * what the other copy counted. It is the only module-level state of the package.
 */
const KEY = Symbol.for('@narthex/core/default-registry/v1')

type Slot = { [KEY]?: Registrar }

/** The default registry, made by `create` if no copy of the package has made it yet. */
export function claimDefaultRegistry<Registry extends Registrar>(create: () => Registry): Registry {
  const slot = globalThis as Slot
  slot[KEY] ??= create()
  return slot[KEY] as Registry
}

/** Where a metric goes whose options name no registry. */
export function defaultRegistrar(): Registrar {
  return (globalThis as Slot)[KEY] as Registrar
}

import {
  type AnyFunction,
  type AnyMetric,
  defaultRegistry,
  type LabelValue,
  MetricError,
  Registry,
} from '@narthex/core'
import { Inject, Logger, Optional } from '@nestjs/common'
import { lookLike } from './look-like.ts'

/** What every decorator of a method takes. */
export interface MeasureOptions {
  /**
   * The metric's name. Decorators of the same name and options share a metric.
   * @default class and method: `orders_service_find_all_duration_seconds`, for one. Names survive no minifier.
   */
  readonly name?: string
  /** @default a sentence with class and method */
  readonly help?: string
  /** Labels: name → value, or a function of the method's arguments. One that throws gives an empty value, and is counted. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly labels?: { readonly [name: string]: LabelValue | ((...args: any[]) => LabelValue | undefined) }
  /** How many series the metric may have: see `MetricOptions.maxSeries`. */
  readonly maxSeries?: number
}

/** How a method is measured. */
export interface Measurement<M extends AnyMetric> {
  /** The decorator's name, for messages. */
  readonly decorator: string
  readonly labels: MeasureOptions['labels']
  /** The metric, made or found in a registry. `null` makes it without one, to see that it can be made. */
  readonly make: (registry: Registry, names: MethodNames) => M
  /** The method with a metric's series around it. */
  readonly wrap: (
    metric: M,
    labels: { readonly [name: string]: LabelValue } | undefined,
    method: AnyFunction,
  ) => AnyFunction
}

/** The names of a method as metrics spell them, and as people do. */
export interface MethodNames {
  readonly snake: string
  readonly readable: string
}

const REGISTRY = Symbol('@narthex/nestjs/registry')

/** The instances of classes with decorated methods: Nest injects the registry of their application. */
interface Measured {
  readonly [REGISTRY]?: Registry
}

/**
 * A decorator that measures a method in the registry of the application that its instance belongs to, found when it is
 * called; in the default registry where Nest has not made the instance, and for static methods. Whatever goes wrong
 * with the metric is counted in `narthex_hook_errors_total`, logged once, and does not concern the caller.
 *
 * The decorator throws `MetricError` for what is no method, and for options that no metric can have.
 */
export function measured<M extends AnyMetric>(measurement: Measurement<M>): MethodDecorator {
  return (target, key, descriptor) => {
    const { decorator } = measurement
    const method: unknown = descriptor?.value
    if (typeof method !== 'function') {
      const rule = 'to be a method; with TypeScript, compiled with `experimentalDecorators`'
      const details = { subject: `@${decorator}()`, argument: 'target', rule, value: target }
      throw new MetricError('ERR_NARTHEX_INVALID_ARGUMENT', details)
    }
    const measuredMethod = new MeasuredMethod(measurement, method as AnyFunction, namesOf(target, key))
    // Refuses now what would be refused by every registry.
    measuredMethod.metricIn(new Registry())
    const standIn = lookLike(function (this: Measured | undefined, ...args: unknown[]): unknown {
      return Reflect.apply(measuredMethod.around(this, args), this, args)
    }, method as AnyFunction)
    if (typeof target === 'object') beGivenRegistry(target, (registry) => measuredMethod.prepare(registry))
    // In place: `applyDecorators` of Nest drops what a decorator returns.
    descriptor.value = standIn as typeof descriptor.value
    return descriptor
  }
}

class MeasuredMethod<M extends AnyMetric> {
  readonly #measurement: Measurement<M>
  readonly #method: AnyFunction
  readonly #names: MethodNames
  readonly #metrics = new WeakMap<Registry, M>()
  /** By the series that they measure in: a series that was removed takes its wrapper along. */
  readonly #wrapped = new WeakMap<object, AnyFunction>()
  #warned = false

  constructor(measurement: Measurement<M>, method: AnyFunction, names: MethodNames) {
    this.#measurement = measurement
    this.#method = method
    this.#names = names
  }

  /** The method as one call is to have it. Never throws. */
  around(instance: Measured | undefined, args: readonly unknown[]): AnyFunction {
    const registry = instance?.[REGISTRY] ?? defaultRegistry
    try {
      const metric = this.metricIn(registry)
      const labels = this.#labelsOf(instance, args, registry)
      const series = (labels === undefined ? metric.labels() : metric.labels(labels)) as object
      let wrapped = this.#wrapped.get(series)
      if (wrapped === undefined) {
        wrapped = this.#measurement.wrap(metric, labels, this.#method)
        this.#wrapped.set(series, wrapped)
      }
      return wrapped
    } catch (error) {
      this.#failed(registry, error)
      return this.#method
    }
  }

  /** Has the metric on the page before the first call, and a clash told at the start. */
  prepare(registry: Registry): void {
    try {
      this.metricIn(registry)
    } catch (error) {
      this.#failed(registry, error)
    }
  }

  /** Throws `MetricError` where the registry has another metric of that name. */
  metricIn(registry: Registry): M {
    let metric = this.#metrics.get(registry)
    // A registry that was cleared has let go of it.
    if (metric === undefined || registry.get(metric.name) !== metric) {
      metric = this.#measurement.make(registry, this.#names)
      this.#metrics.set(registry, metric)
    }
    return metric
  }

  #labelsOf(instance: unknown, args: readonly unknown[], registry: Registry): Record<string, LabelValue> | undefined {
    const { labels } = this.#measurement
    if (labels === undefined) return undefined
    const values: Record<string, LabelValue> = {}
    for (const [name, label] of Object.entries(labels)) {
      try {
        values[name] = (typeof label === 'function' ? Reflect.apply(label, instance, args) : label) ?? ''
      } catch {
        values[name] = ''
        registry.countLoss('hook_errors', 'labels')
      }
    }
    return values
  }

  #failed(registry: Registry, error: unknown): void {
    const { decorator } = this.#measurement
    registry.countLoss('hook_errors', decorator)
    if (this.#warned) return
    this.#warned = true
    new Logger('PrometheusModule').warn(`@${decorator}() of ${this.#names.readable} measures nothing: ${String(error)}`)
  }
}

/**
 * Has Nest inject the registry into each instance, request-scoped ones too, as a property that nobody sees. Optional:
 * the class works in an application without the module.
 */
function beGivenRegistry(prototype: object, given: (registry: Registry) => void): void {
  const listeners = listenersOf(prototype)
  listeners.push(given)
  if (listeners.length > 1) return
  Inject(Registry)(prototype, REGISTRY)
  Optional()(prototype, REGISTRY)
  const inherited = setterOf(Object.getPrototypeOf(prototype) as object)
  Object.defineProperty(prototype, REGISTRY, {
    configurable: true,
    get: () => undefined,
    set(this: object, registry: Registry) {
      inherited?.call(this, registry)
      Object.defineProperty(this, REGISTRY, { value: registry, configurable: true, writable: true })
      for (const listener of listeners) listener(registry)
    },
  })
}

const LISTENERS = Symbol('@narthex/nestjs/listeners')

function listenersOf(prototype: object): ((registry: Registry) => void)[] {
  if (!Object.hasOwn(prototype, LISTENERS)) Object.defineProperty(prototype, LISTENERS, { value: [] })
  return (prototype as { [LISTENERS]: ((registry: Registry) => void)[] })[LISTENERS]
}

/** Of a class that this one extends. */
function setterOf(prototype: object | null): ((this: object, registry: Registry) => void) | undefined {
  for (let owner = prototype; owner !== null; owner = Object.getPrototypeOf(owner) as object | null) {
    const setter = Object.getOwnPropertyDescriptor(owner, REGISTRY)?.set
    if (setter !== undefined) return setter
  }
  return undefined
}

function namesOf(target: object, key: string | symbol): MethodNames {
  const owner = typeof target === 'function' ? target : target.constructor
  const method = typeof key === 'symbol' ? (key.description ?? 'method') : key
  const words = `${owner.name || 'anonymous'}_${method}`
  const snake = words
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .replaceAll(/[^a-zA-Z0-9_]+/g, '_')
    .toLowerCase()
  return { snake, readable: `${owner.name || 'anonymous'}.${method}` }
}

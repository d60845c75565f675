import { defaultRegistry, MetricError, Registry } from '@narthex/core'
import {
  Controller,
  type DynamicModule,
  Inject,
  Module,
  type OnModuleInit,
  type Provider,
  type Type,
} from '@nestjs/common'
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core'
import { HttpInstrumentation } from './http-instrumentation.ts'
import { MetricsPage, PrometheusController } from './prometheus.controller.ts'
import {
  type CheckedOptions,
  checkOptions,
  type HttpRequest,
  type PrometheusModuleAsyncOptions,
  type PrometheusModuleExtras,
  type PrometheusModuleOptions,
  type PrometheusOptionsFactory,
  refuse,
} from './prometheus.options.ts'
import { refuseRequestScoped } from './prometheus.providers.ts'
import { HTTP_INSTRUMENTATION, METRICS_PAGE, PROMETHEUS_OPTIONS } from './prometheus.tokens.ts'

/**
 * Records every request of a Nest application and serves `GET /metrics`: `imports: [PrometheusModule.forRoot()]` in the
 * root module. It hooks into the server itself, so that refusals of guards, unknown paths and bodies that cannot be
 * parsed count too, and provides the `Registry` that the metrics live in.
 *
 * The application's start rejects with `MetricError` for unknown or invalid options, where metrics of the same names
 * are defined otherwise, and where `@narthex/express` or `@narthex/fastify` is missing that the platform needs.
 */
@Module({})
export class PrometheusModule implements OnModuleInit {
  readonly #instrumentation: HttpInstrumentation

  constructor(@Inject(HTTP_INSTRUMENTATION) instrumentation: HttpInstrumentation) {
    this.#instrumentation = instrumentation
  }

  /** The module with options that are known now. */
  static forRoot<Request = HttpRequest>(
    options: PrometheusModuleOptions<Request> & PrometheusModuleExtras = {},
  ): DynamicModule {
    refuseNoObject(options)
    const { controller, global, ...own } = options
    const checked = checkOptions(own)
    return moduleFrom({ controller, global }, (prepare) => ({
      provide: PROMETHEUS_OPTIONS,
      useFactory: () => prepare(checked),
    }))
  }

  /** The module with options that other providers know: all but `controller` and `global` may come from there. */
  static forRootAsync<Request = HttpRequest>(options: PrometheusModuleAsyncOptions<Request>): DynamicModule {
    refuseNoObject(options)
    const { imports, inject, useFactory, useClass, useExisting, controller, global, ...misplaced } = options
    for (const [argument, value] of Object.entries(misplaced)) {
      if (value === undefined) continue
      const rule = `to be one of ${ASYNC_OPTIONS}: all others are for the factory to make`
      throw new MetricError('ERR_NARTHEX_UNKNOWN_OPTION', { subject: 'PrometheusModule', argument, rule, value })
    }
    const ways = [useFactory, useClass, useExisting].filter((way) => way !== undefined)
    if (ways.length !== 1)
      refuse('useFactory', 'or `useClass` or `useExisting` to be given, and one of them only', ways)
    const factory = (useClass ?? useExisting) as Type<PrometheusOptionsFactory<never>>
    const dynamicModule = moduleFrom({ controller, global }, (prepare) => ({
      provide: PROMETHEUS_OPTIONS,
      inject: useFactory === undefined ? [factory] : inject,
      useFactory: async (...injected: unknown[]) => {
        const made = useFactory === undefined ? optionsOf(injected[0]) : useFactory(...injected)
        return prepare(checkOptions((await made) as PrometheusModuleOptions<never>))
      },
    }))
    const providers = [...(useClass === undefined ? [] : [useClass]), ...(dynamicModule.providers ?? [])]
    return { ...dynamicModule, imports, providers }
  }

  /** {@link PrometheusModule.forRoot} with a registry of its own: each test that builds a module starts at zero. */
  static forTest<Request = HttpRequest>(
    options: PrometheusModuleOptions<Request> & PrometheusModuleExtras = {},
  ): DynamicModule {
    return PrometheusModule.forRoot({ registry: new Registry(), ...options })
  }

  /** @internal */
  onModuleInit(): Promise<void> {
    return this.#instrumentation.installed
  }
}

const ASYNC_OPTIONS = 'imports, inject, useFactory, useClass, useExisting, controller and global'

const MODULE_ID = Symbol('@narthex/nestjs/module')
const SCOPE_CHECK = Symbol('@narthex/nestjs/scopes')

type Prepare = (options: CheckedOptions) => CheckedOptions

function moduleFrom(
  { controller = false, global = true }: PrometheusModuleExtras,
  provideOptions: (prepare: Prepare) => Provider,
): DynamicModule {
  if (typeof controller !== 'boolean' && !isController(controller)) {
    refuse('controller', 'to be a boolean, or a class that extends PrometheusController', controller)
  }
  if (typeof global !== 'boolean') refuse('global', 'to be a boolean', global)
  // A class for each module: its path is known once the options are there, which is before routes are declared.
  const own = controller === true ? class MetricsController extends PrometheusController {} : undefined
  const prepare: Prepare = (options) => {
    if (controller === false) return options
    if (own !== undefined) {
      if (options.path === false) refuse('path', 'to be given where `controller` is true', options.path)
      else Controller(options.path)(own)
    }
    return { ...options, path: false }
  }
  return {
    module: PrometheusModule,
    global,
    controllers: own !== undefined ? [own] : typeof controller === 'function' ? [controller] : [],
    providers: [
      // Nest 10 takes two modules for one whose metadata reads alike, and what tells these apart is in closures.
      { provide: MODULE_ID, useValue: crypto.randomUUID() },
      provideOptions(prepare),
      {
        // Not the module's own hook: with options that belong to a request, so does the module.
        provide: SCOPE_CHECK,
        inject: [ModulesContainer],
        useFactory: (modules: ModulesContainer): OnModuleInit => ({ onModuleInit: () => refuseRequestScoped(modules) }),
      },
      {
        provide: Registry,
        inject: [PROMETHEUS_OPTIONS],
        useFactory: (options: CheckedOptions) => options.registry ?? defaultRegistry,
      },
      {
        provide: METRICS_PAGE,
        inject: [PROMETHEUS_OPTIONS, Registry],
        useFactory: (options: CheckedOptions, registry: Registry) => new MetricsPage(options, registry),
      },
      {
        provide: HTTP_INSTRUMENTATION,
        inject: [PROMETHEUS_OPTIONS, Registry, METRICS_PAGE, HttpAdapterHost],
        useFactory: HttpInstrumentation.start,
      },
    ],
    exports: [Registry, METRICS_PAGE],
  }
}

function optionsOf(factory: unknown): ReturnType<PrometheusOptionsFactory<never>['createPrometheusOptions']> {
  const { createPrometheusOptions } = factory as Partial<PrometheusOptionsFactory<never>>
  if (typeof createPrometheusOptions !== 'function') {
    refuse('useClass', 'or `useExisting` to be a class with a method `createPrometheusOptions`', factory)
  }
  return createPrometheusOptions.call(factory)
}

function refuseNoObject(options: unknown): void {
  if (typeof options !== 'object' || options === null) refuse('options', 'to be an object', options)
}

function isController(value: unknown): value is Type<PrometheusController> {
  return typeof value === 'function' && value.prototype instanceof PrometheusController
}

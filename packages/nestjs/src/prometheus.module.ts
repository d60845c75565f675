import { defaultRegistry, Registry } from '@narthex/core'
import {
  Controller,
  type DynamicModule,
  Inject,
  Module,
  type OnModuleInit,
  type Provider,
  type Type,
} from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
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
    const { controller, global, ...own } = options
    const checked = checkOptions(own)
    return moduleFrom({ controller, global }, (prepare) => ({
      provide: PROMETHEUS_OPTIONS,
      useFactory: () => prepare(checked),
    }))
  }

  /** The module with options that other providers know: all but `controller` and `global` may come from there. */
  static forRootAsync<Request = HttpRequest>(options: PrometheusModuleAsyncOptions<Request>): DynamicModule {
    const { imports, inject, useFactory, useClass, useExisting, ...extras } = options
    const ways = [useFactory, useClass, useExisting].filter((way) => way !== undefined)
    if (ways.length !== 1)
      refuse('useFactory', 'or `useClass` or `useExisting` to be given, and one of them only', ways)
    const factory = (useClass ?? useExisting) as Type<PrometheusOptionsFactory<never>>
    const dynamicModule = moduleFrom(extras, (prepare) => ({
      provide: PROMETHEUS_OPTIONS,
      inject: useFactory === undefined ? [factory] : inject,
      useFactory: async (...injected: unknown[]) => {
        const made =
          useFactory?.(...injected) ?? (injected[0] as PrometheusOptionsFactory<never>).createPrometheusOptions()
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
      provideOptions(prepare),
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
        inject: [PROMETHEUS_OPTIONS, Registry, HttpAdapterHost],
        useFactory: HttpInstrumentation.start,
      },
    ],
    exports: [Registry, METRICS_PAGE],
  }
}

function isController(value: unknown): value is Type<PrometheusController> {
  return typeof value === 'function' && value.prototype instanceof PrometheusController
}

import { Registry } from '@narthex/core'
import {
  Counted,
  makeCounterProvider,
  PrometheusModule,
  type PrometheusModuleAsyncOptions,
  type PrometheusModuleOptions,
  type PrometheusOptionsFactory,
} from '@narthex/nestjs'
import { Controller, type DynamicModule, Get, Global, Inject, Injectable, Module, Scope } from '@nestjs/common'
import { describe, expect, it } from 'vitest'
import { platforms } from './platform.ts'
import { linesOf, start } from './start.ts'

const SETTINGS = 'SETTINGS'

interface Settings {
  readonly registry: Registry
  readonly page: string
}

/** Where the settings come from: a module of their own, which has to wait for them. */
class SettingsModule {
  static of(settings: Settings): DynamicModule {
    const provider = {
      provide: SETTINGS,
      useFactory: () => new Promise((resolve) => setTimeout(resolve, 10, settings)),
    }
    return { module: SettingsModule, providers: [provider], exports: [SETTINGS] }
  }
}

@Injectable()
class OptionsFactory implements PrometheusOptionsFactory {
  made = 0

  readonly settings: Settings

  constructor(@Inject(SETTINGS) settings: Settings) {
    this.settings = settings
  }

  async createPrometheusOptions(): Promise<PrometheusModuleOptions> {
    this.made += 1
    return { registry: this.settings.registry, path: this.settings.page, labels: { made: () => this.made } }
  }
}

/** A module that exports a factory; what that needs is imported here, and nowhere else. */
class FactoryModule {
  static of(settings: Settings): DynamicModule {
    const imports = [SettingsModule.of(settings)]
    return { module: FactoryModule, imports, providers: [OptionsFactory], exports: [OptionsFactory] }
  }
}

/** Passes on what another module exports. */
class SharedModule {
  static of(settings: Settings): DynamicModule {
    return { module: SharedModule, imports: [FactoryModule.of(settings)], exports: [FactoryModule] }
  }
}

@Injectable()
class Tickets {
  @Counted({ name: 'tickets_sold_total' })
  sell(): string {
    return 'sold'
  }
}

@Controller('tickets')
class TicketsController {
  @Inject(Tickets) private readonly tickets!: Tickets

  @Get(':seat')
  sell(): string {
    return this.tickets.sell()
  }
}

/** A feature that knows nothing of the module, and has decorated methods and a metric all the same. */
@Module({
  controllers: [TicketsController],
  providers: [Tickets, makeCounterProvider({ name: 'tickets_total', help: 'Tickets' })],
})
class TicketsModule {}

const ways: [
  name: string,
  make: (settings: Settings) => PrometheusModuleAsyncOptions & { before?: DynamicModule[] },
][] = [
  [
    'useFactory with what another module has to wait for',
    (settings) => ({
      imports: [SettingsModule.of(settings)],
      inject: [SETTINGS],
      useFactory: async ({ registry, page }: Settings) => ({ registry, path: page, labels: { made: () => 1 } }),
    }),
  ],
  [
    'useFactory with an optional provider that is not there',
    (settings) => ({
      inject: [{ token: SETTINGS, optional: true }],
      useFactory: (found?: Settings) => ({
        registry: settings.registry,
        path: found?.page ?? settings.page,
        labels: { made: () => 1 },
      }),
    }),
  ],
  [
    'useClass, which is given what the imports export',
    (settings) => ({
      imports: [SettingsModule.of(settings)],
      useClass: OptionsFactory,
    }),
  ],
  [
    'useExisting from the module that has it',
    (settings) => ({
      imports: [FactoryModule.of(settings)],
      useExisting: OptionsFactory,
    }),
  ],
  [
    'useExisting from a module that passes it on',
    (settings) => ({
      imports: [SharedModule.of(settings)],
      useExisting: OptionsFactory,
    }),
  ],
  [
    'useExisting from a global module',
    (settings) => {
      const shared = FactoryModule.of(settings)
      return { useExisting: OptionsFactory, before: [{ ...shared, global: true }] }
    },
  ],
]

describe.each(platforms)('forRootAsync on %s', (platform) => {
  it.each(ways)('is given its options by %s', async (_, make) => {
    const settings = { registry: new Registry(), page: '/from/settings' }
    const { before = [], ...options } = make(settings)
    // The feature comes first: it has to wait too.
    const imports = [TicketsModule, ...before]
    const { app, get } = await start(platform, PrometheusModule.forRootAsync(options), { imports })
    expect(await get('/tickets/7')).toEqual([200, 'sold'])
    const [status, page] = await get('/from/settings')
    expect([status, linesOf(page)]).toEqual([200, ['{method="GET",route="/tickets/:seat",code="200",made="1"} 1']])
    expect(linesOf(page, 'tickets_sold_total')).toEqual([' 1'])
    expect(linesOf(page, 'tickets_total')).toEqual([' 0'])
    expect((await get('/metrics'))[0]).toBe(404)
    expect(app.get(Registry, { strict: false })).toBe(settings.registry)
  })

  it('takes the one factory that an application has', async () => {
    const settings = { registry: new Registry(), page: '/once' }
    const shared = FactoryModule.of(settings)
    const prometheus = PrometheusModule.forRootAsync({ imports: [shared], useExisting: OptionsFactory })
    const { app } = await start(platform, prometheus, { imports: [shared] })
    expect(app.get(OptionsFactory, { strict: false }).made).toBe(1)
  })

  it('is seen by those alone that import it where it is not global', async () => {
    @Module({ providers: [Tickets], exports: [Tickets] })
    class Without {}
    const registry = new Registry()
    const prometheus = PrometheusModule.forRootAsync({ global: false, useFactory: () => ({ registry }) })
    @Module({ imports: [prometheus], controllers: [TicketsController], providers: [Tickets] })
    class With {}
    @Global()
    @Module({ imports: [prometheus], exports: [prometheus] })
    class Everybody {}
    const { get } = await start(platform, undefined, { imports: [With, Without] })
    await get('/tickets/1')
    expect(registry.getSampleValue('tickets_sold_total')).toBe(1)
    // Passed on by a module that is global itself.
    const { get: ask } = await start(platform, undefined, { imports: [Everybody, TicketsModule] })
    await ask('/tickets/1')
    expect(registry.getSampleValue('tickets_sold_total')).toBe(2)
  })

  it.each([
    ['rejects', async () => Promise.reject(new Error('no settings'))],
    [
      'throws',
      () => {
        throw new Error('no settings')
      },
    ],
  ])('rejects the start with what its factory %s', async (_, useFactory) => {
    const starting = start(platform, PrometheusModule.forRootAsync({ useFactory: useFactory as never }))
    await expect(starting).rejects.toThrow('no settings')
  })

  it('needs a factory that belongs to no request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends OptionsFactory {}
    const imports = [SettingsModule.of({ registry: new Registry(), page: '/x' })]
    const starting = start(platform, PrometheusModule.forRootAsync({ imports, useClass: PerRequest }))
    await expect(starting).rejects.toMatchObject({
      code: 'ERR_NARTHEX_INVALID_OPTION',
      message: expect.stringContaining('to be request-scoped in no part'),
    })
  })
})

import { MetricError, type Registry } from '@narthex/core'
import { Logger } from '@nestjs/common'
import type { HttpAdapterHost } from '@nestjs/core'
import { type ExpressAdapter, instrumentExpress } from './express-instrumentation.ts'
import { type FastifyAdapter, instrumentFastify } from './fastify-instrumentation.ts'
import type { MetricsPage } from './prometheus.controller.ts'
import { type CheckedOptions, refuse, refuseOtherRecording } from './prometheus.options.ts'

/** A server that a recorder was hooked into. */
export interface Instrumented {
  /** Where that may fail later. */
  readonly installed?: Promise<void>
  /** Serves one more page, as far outside as the first one. */
  addPage(path: string, page: MetricsPage, isRecorded: boolean): void
}

type Instrument = (adapter: never) => Instrumented

type Platform = 'express' | 'fastify'

/** What every adapter of Nest has, and what the module leaves on it. */
interface HttpAdapter {
  getType(): string
  [RECORDED]?: Map<Registry, Recording>
}

interface Recording {
  readonly server: Instrumented
  /** Of the module that hooked in, by which requests are recorded. */
  readonly options: CheckedOptions
  /** By path, the options of the module that has the page there. */
  readonly pages: Map<string, CheckedOptions>
}

/** The registries that requests are recorded in already: several modules of one hook in once. */
const RECORDED = Symbol('@narthex/nestjs/recorded')

/** Bundlers see both packages; neither has to be there. */
const LOADERS: {
  readonly [P in Platform]: () => Promise<(options: CheckedOptions, registry: Registry) => Instrument>
} = {
  express: async () => instrumentExpress((await import('@narthex/express')).prometheus),
  fastify: async () => instrumentFastify((await import('@narthex/fastify')).prometheus),
}

/**
 * Hooks the recorder of the platform into the application's server, as early as there is one: that of a testing module
 * comes after the providers. Rejects with `MetricError` where the platform's package of Narthex is missing, and for
 * options that it refuses. Without a server, as in microservices, it does nothing.
 */
export class HttpInstrumentation {
  readonly #options: CheckedOptions
  readonly #registry: Registry
  readonly #page: MetricsPage
  readonly #instruments = new Map<string, Instrument | { readonly missing: unknown }>()
  /** Of an adapter that came after the providers: awaited before the application starts. */
  installed: Promise<void> = Promise.resolve()

  constructor(options: CheckedOptions, registry: Registry, page: MetricsPage) {
    this.#options = options
    this.#registry = registry
    this.#page = page
  }

  static async start(
    options: CheckedOptions,
    registry: Registry,
    page: MetricsPage,
    host: HttpAdapterHost,
    loaders: typeof LOADERS = LOADERS,
  ): Promise<HttpInstrumentation> {
    const instrumentation = new HttpInstrumentation(options, registry, page)
    if (options.http) await instrumentation.#start(host, loaders)
    return instrumentation
  }

  async #start(host: HttpAdapterHost, loaders: typeof LOADERS): Promise<void> {
    const adapter = host.httpAdapter as HttpAdapter | undefined
    if (isPlatform(adapter)) {
      await this.#load([adapter.getType() as Platform], loaders)
      return this.#install(adapter)
    }
    // An adapter that is set later cannot wait for a package to be loaded.
    await this.#load(['express', 'fastify'], loaders)
    whenSet(host, (late) => {
      const installed = this.#install(late)
      if (installed === undefined) return
      this.installed = installed
      installed.catch(() => undefined)
    })
  }

  async #load(platforms: readonly Platform[], loaders: typeof LOADERS): Promise<void> {
    for (const platform of platforms.filter((each) => Object.hasOwn(loaders, each))) {
      const loaded = await loaders[platform]().then(
        (instrument) => instrument(this.#options, this.#registry),
        (error: unknown) => ({ missing: error }),
      )
      this.#instruments.set(platform, loaded)
    }
  }

  #install(adapter: HttpAdapter): void | Promise<void> {
    const platform = adapter.getType()
    const instrument = this.#instruments.get(platform)
    if (instrument === undefined) {
      new Logger('PrometheusModule').warn(`Requests are recorded on Express and Fastify, not on \`${platform}\``)
      return
    }
    if (typeof instrument !== 'function') throw missingPackage(platform, instrument.missing)
    const recorded = (adapter[RECORDED] ??= new Map())
    const recording = recorded.get(this.#registry)
    if (recording !== undefined) return this.#join(recording)
    const server = instrument(adapter as never)
    const options = this.#options
    const pages = new Map(options.path === false ? [] : [[options.path, options]])
    recorded.set(this.#registry, { server, options, pages })
    return server.installed
  }

  /** What another module records already is not recorded twice; a page of this one's is served beside that one's. */
  #join({ server, options, pages }: Recording): void {
    const { path, authorize, recordScrapes } = this.#options
    refuseOtherRecording(this.#options, options)
    if (path === false) return
    const other = pages.get(path)
    if (other === undefined) {
      pages.set(path, this.#options)
      server.addPage(path, this.#page, recordScrapes)
    } else if ((other.authorize === undefined) !== (authorize === undefined)) {
      refuse('authorize', `to be given by all modules that have the page at \`${path}\`, or by none`, authorize)
    }
  }
}

/** Nest has an adapter without a type where there is no server yet. */
function isPlatform(adapter: HttpAdapter | undefined | null): adapter is ExpressAdapter | FastifyAdapter {
  return typeof adapter?.getType === 'function' && adapter.getType() !== ''
}

/** Nest 10 tells nobody that the adapter was set: the host itself has to. */
function whenSet(host: HttpAdapterHost, call: (adapter: HttpAdapter) => void): void {
  const inherited = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(host), 'httpAdapter')
  const accessor = Object.getOwnPropertyDescriptor(host, 'httpAdapter') ?? inherited
  if (accessor?.set === undefined) return
  Object.defineProperty(host, 'httpAdapter', {
    ...accessor,
    configurable: true,
    set(adapter: HttpAdapter) {
      accessor.set?.call(host, adapter)
      if (isPlatform(adapter)) call(adapter)
    },
  })
}

function missingPackage(platform: string, cause: unknown): unknown {
  const { code, message } = cause as { code?: unknown; message?: unknown }
  const name = `@narthex/${platform}`
  // It is there, and something that it needs is not: that error says more.
  if (!String(code).endsWith('MODULE_NOT_FOUND') || !String(message).includes(`'${name}'`)) return cause
  const rule = `to be installed, which records requests on this platform: npm install ${name}`
  const details = { subject: 'PrometheusModule', argument: name, rule }
  return Object.assign(new MetricError('ERR_NARTHEX_INVALID_OPTION', details), { cause })
}

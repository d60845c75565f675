import type { Registry } from '@narthex/core'
import { metricsHandler, type MetricsHandlerOptions, SCRAPE_OPTIONS } from '@narthex/core/http'
import { Controller, Get, Inject, Req, Res } from '@nestjs/common'
import { forget, type RawResponse } from './decorators/skip-metrics.decorator.ts'
import type { CheckedOptions } from './prometheus.options.ts'
import { METRICS_PAGE } from './prometheus.tokens.ts'

/**
 * Serves the page of metrics within Nest: below the global prefix, behind guards, interceptors and filters. Asked for
 * with `controller: true`, or extended by a controller of your own with a path and guards:
 *
 *     @Controller('internal/metrics')
 *     @UseGuards(TokenGuard)
 *     class MetricsController extends PrometheusController {}
 */
@Controller('metrics')
export class PrometheusController {
  @Inject(METRICS_PAGE)
  protected readonly page!: MetricsPage

  @Get()
  serve(@Req() request: unknown, @Res() response: unknown): void {
    this.page.serve(request, response)
  }
}

type RawRequest = Parameters<ReturnType<typeof metricsHandler>>[0]
type PlatformRequest = RawRequest & { readonly raw?: RawRequest }
type PlatformResponse = RawResponse & { readonly raw?: RawResponse; hijack?(): void }

/** Answers scrapes with requests and responses of either platform. */
export class MetricsPage {
  readonly #handle: ReturnType<typeof metricsHandler>
  readonly #requests = new WeakMap<RawRequest, PlatformRequest>()
  readonly #registry: Registry
  readonly #recordScrapes: boolean

  /** Throws `MetricError` for options that `metricsHandler` refuses. */
  constructor(options: CheckedOptions, registry: Registry) {
    this.#registry = registry
    this.#recordScrapes = options.recordScrapes
    const own = Object.fromEntries(SCRAPE_OPTIONS.map((name) => [name, options[name]])) as MetricsHandlerOptions
    const authorize = own.authorize && ((raw: RawRequest) => own.authorize?.(this.#requests.get(raw) as never) ?? false)
    this.#handle = metricsHandler({ ...own, registry, authorize })
  }

  /** Takes requests and responses of Express, Fastify or Node. */
  serve(request: unknown, response: unknown): void {
    const { raw = request as RawRequest } = request as PlatformRequest
    const { raw: answer = response as RawResponse } = response as PlatformResponse
    this.#requests.set(raw, request as PlatformRequest)
    if (!this.#recordScrapes) forget(answer, this.#registry)
    ;(response as PlatformResponse).hijack?.()
    this.#handle(raw, answer)
  }
}

import type { AddressInfo } from 'node:net'
import { type DynamicModule, type INestApplication, Module, type ModuleMetadata } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { onTestFinished } from 'vitest'
import { adapterOf, type Platform } from './platform.ts'

export interface Started {
  readonly app: INestApplication
  readonly url: string
  /** The status and the text of an answer. */
  get(path: string, init?: RequestInit): Promise<readonly [status: number, text: string]>
}

/** Starts an application around the module under test; it ends with the test. */
export async function start(
  platform: Platform,
  prometheus: DynamicModule | undefined,
  metadata: ModuleMetadata = {},
  prepare: (app: INestApplication) => void | Promise<void> = () => undefined,
): Promise<Started> {
  const imports = [...(prometheus === undefined ? [] : [prometheus]), ...(metadata.imports ?? [])]
  @Module({ ...metadata, imports })
  class AppModule {}
  const app = await NestFactory.create(AppModule, adapterOf(platform), { logger: false, abortOnError: false })
  await prepare(app)
  return listen(app)
}

export async function listen(app: INestApplication): Promise<Started> {
  await app.listen(0, '127.0.0.1')
  onTestFinished(async () => {
    app.getHttpServer().closeAllConnections()
    await app.close()
  })
  const url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`
  return {
    app,
    url,
    async get(path, init) {
      const response = await fetch(url + path, init)
      return [response.status, await response.text()]
    },
  }
}

/** The lines of a sample on a page, without its name: `{method="GET",route="/",code="200"} 1`. */
export function linesOf(page: string, sample = 'http_requests_total'): string[] {
  return page
    .split('\n')
    .filter((line) => line.startsWith(`${sample}{`) || line.startsWith(`${sample} `))
    .map((line) => line.slice(sample.length))
}

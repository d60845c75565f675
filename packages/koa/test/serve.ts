import { Registry } from '@narthex/core'
import { prometheus, type PrometheusOptions } from '@narthex/koa'
import Koa from 'koa'
import { afterEach } from 'vitest'
import { countsOf } from '../../../test/http-requests/run.ts'
import { type KoaClass, listen } from './app.ts'

export interface Served {
  readonly url: string
  readonly registry: Registry
  get(path: string, init?: RequestInit): Promise<Response>
  /** What was counted, one line a series: `GET /users/:id 200 1`. */
  counted(): Promise<string[]>
  close(): Promise<void>
}

const served: Served[] = []
afterEach(async () => {
  for (const each of served.splice(0)) await each.close()
})

/** An application behind `prometheus(options)`, served until the test ends. */
export async function serve(
  build: (app: Koa) => void,
  options: PrometheusOptions = {},
  KoaOf: KoaClass = Koa,
): Promise<Served> {
  const registry = (options.registry ?? new Registry()) as Registry
  const app = new KoaOf()
  app.silent = true
  app.use(prometheus({ ...options, registry }))
  build(app)
  const { port, close } = await listen(app, registry)
  const url = `http://127.0.0.1:${port}`
  const each: Served = {
    url,
    registry,
    close,
    get: async (path, init) => {
      const response = await fetch(url + path, init)
      // The request ends with the last of its answer; what is asked next must find it counted.
      return new Response(await response.arrayBuffer(), response)
    },
    counted: async () => [...(await countsOf(registry))].map(([series, count]) => `${series} ${count}`).sort(),
  }
  served.push(each)
  return each
}

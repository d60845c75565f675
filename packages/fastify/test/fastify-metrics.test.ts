import { Registry } from '@narthex/core'
import { prometheus } from '@narthex/fastify'
import fastify, { type FastifyInstance } from 'fastify'
import fastifyMetrics from 'fastify-metrics'
import { expect, it } from 'vitest'

const requests = [
  ['GET', '/users/1'],
  ['GET', '/users/2'],
  ['POST', '/users/1'],
  ['GET', '/fails'],
  ['GET', '/api/items/3'],
  ['GET', '/hidden'],
  ['HEAD', '/users/1'],
  ['GET', '/nowhere'],
  ['DELETE', '/users/1'],
] as const

it('shows the durations that fastify-metrics shows, with `code` for `status_code`', async () => {
  const peer = fastify()
  await peer.register(fastifyMetrics.default, { defaultMetrics: { enabled: false } })
  const expected = await pageAfter(peer, { disableMetrics: true })

  const app = fastify()
  await app.register(prometheus, { registry: new Registry(), ignore: ({ method }) => method === 'HEAD' })
  const actual = await pageAfter(app, { metrics: { skip: true } })

  const shown = linesOf(actual).filter((line) => !line.includes('<unmatched>'))
  expect(shown.sort()).toEqual(linesOf(expected).sort())
  expect(shown.filter((line) => line.startsWith('http_request_duration_seconds_count'))).toHaveLength(4)
})

async function pageAfter(app: FastifyInstance, hidden: object): Promise<string> {
  app.get('/users/:id', async () => 'ok')
  app.post('/users/:id', async (_request, reply) => reply.code(201).send())
  app.get('/fails', async () => {
    throw new Error('failed')
  })
  app.register(async (api) => void api.get('/items/:item', async () => 'ok'), { prefix: '/api' })
  app.get('/hidden', { config: hidden }, async () => 'ok')
  for (const [method, url] of requests) await app.inject({ method, url })
  const { body } = await app.inject('/metrics')
  await app.close()
  return body
}

/**
 * Bucket and count lines of the histogram without the page's own; `status_code` is `code`, labels are sorted. What fell
 * into each bucket is a matter of time: only counts have their value.
 */
function linesOf(page: string): string[] {
  return page
    .split('\n')
    .filter((line) => /^http_request_duration_seconds_(?:bucket|count)\{/.test(line) && !line.includes('"/metrics"'))
    .map((line) => {
      const [, name, labels, value] = /^(\w+)\{(.*)\} (.*)$/.exec(line) as unknown as string[]
      const sorted = (labels as string).replace('status_code=', 'code=').split(',').sort().join(',')
      return `${name}{${sorted}} ${(name as string).endsWith('_bucket') ? '' : value}`
    })
}

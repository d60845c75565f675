import type { RequestListener } from 'node:http'
import { Readable } from 'node:stream'
import { exponentialBuckets } from '@narthex/core'
import prometheus from '@narthex/fastify'
import fastify, { type FastifyInstance } from 'fastify'
import { type Shop, ShopError } from './shop.ts'

/** The shop as a Fastify application. The first `register` is all that it takes to be watched; the rest is any Fastify. */
export async function fastifyApp(shop: Shop): Promise<RequestListener> {
  const app = fastify()
  await app.register(prometheus, {
    buckets: exponentialBuckets(0.001, 2, 12),
    native: { factor: 1.1 },
    exemplars: true,
  })

  app.get<{ Querystring: { genre?: string } }>('/books', async ({ query }) => shop.books(query.genre))
  app.get<{ Params: { isbn: string } }>('/books/:isbn', async ({ params }) => shop.book(params.isbn))
  await app.register(async (reviews) => declareReviews(reviews, shop), { prefix: '/books/:isbn/reviews' })
  app.post<{ Body: { isbn?: unknown; copies?: unknown } }>('/orders', async ({ body }, reply) => {
    const order = await shop.order(String(body?.isbn), Number(body?.copies))
    return reply.code(201).send(order)
  })
  app.get<{ Querystring: { q?: string } }>('/search', async ({ query }) => shop.search(query.q ?? ''))
  app.get('/offers', async () => shop.offers())
  app.get('/catalogue.csv', async (_request, reply) => reply.type('text/csv').send(Readable.from(shop.catalogue())))

  app.setErrorHandler((error, _request, reply) =>
    error instanceof ShopError ? reply.code(error.status).send({ error: error.message }) : reply.send(error),
  )
  await app.ready()
  // An application of its own would call `app.listen`. Here one server is for every framework.
  return app.routing
}

/** A plugin under a prefix with a parameter: its routes are `/books/:isbn/reviews` and below. */
function declareReviews(reviews: FastifyInstance, shop: Shop): void {
  reviews.get<{ Params: { isbn: string } }>('/', async ({ params }) => shop.reviews(params.isbn))
  reviews.get<{ Params: { isbn: string; id: string } }>('/:id', async ({ params }) =>
    shop.review(params.isbn, Number(params.id)),
  )
}

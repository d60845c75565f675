import type { RequestListener } from 'node:http'
import { pipeline } from 'node:stream'
import { exponentialBuckets } from '@narthex/core'
import { prometheus } from '@narthex/express'
import express, { type NextFunction, type Request, type Response, Router } from 'express'
import { type Shop, ShopError } from './shop.ts'

/** The shop as an Express application. The first line is all that it takes to be watched; the rest is any Express. */
export function expressApp(shop: Shop): RequestListener {
  const app = express()
  app.use(prometheus({ buckets: exponentialBuckets(0.001, 2, 12), native: { factor: 1.1 }, exemplars: true }))
  app.use(express.json())

  app.get('/books', async (request, response) => {
    const { genre } = request.query
    response.json(await shop.books(typeof genre === 'string' ? genre : undefined))
  })
  app.get('/books/:isbn', async (request, response) => {
    response.json(await shop.book(request.params.isbn))
  })
  app.use('/books/:isbn/reviews', reviewsRouter(shop))
  app.post('/orders', async (request, response) => {
    const { isbn, copies } = request.body ?? {}
    response.status(201).json(await shop.order(String(isbn), Number(copies)))
  })
  app.get('/search', async (request, response) => {
    response.json(await shop.search(String(request.query['q'] ?? '')))
  })
  app.get('/offers', async (_request, response) => {
    response.json(await shop.offers())
  })
  app.get('/catalogue.csv', (_request, response) => {
    // A customer who leaves in the middle is no error of the shop, and stops the reading.
    pipeline(shop.catalogue(), response.type('text/csv'), () => {})
  })

  app.use(answerError)
  return app
}

/** A router of its own under a path with a parameter: its routes are `/books/:isbn/reviews` and below. */
function reviewsRouter(shop: Shop): Router {
  const router = Router({ mergeParams: true })
  router.get('/', async (request: Request<{ isbn: string }>, response) => {
    response.json(await shop.reviews(request.params.isbn))
  })
  router.get('/:id', async (request: Request<{ isbn: string; id: string }>, response) => {
    response.json(await shop.review(request.params.isbn, Number(request.params.id)))
  })
  return router
}

/** Express knows an error handler by its four parameters. */
function answerError(error: unknown, _request: Request, response: Response, next: NextFunction): void {
  if (error instanceof ShopError && !response.headersSent) response.status(error.status).json({ error: error.message })
  else next(error)
}

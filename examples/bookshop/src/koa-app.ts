import type { RequestListener } from 'node:http'
import { Readable } from 'node:stream'
import { bodyParser } from '@koa/bodyparser'
import Router from '@koa/router'
import { exponentialBuckets } from '@narthex/core'
import { prometheus } from '@narthex/koa'
import Koa, { type Context, type Next } from 'koa'
import { type Shop, ShopError } from './shop.ts'

/** The shop as a Koa application. The first `use` is all that it takes to be watched; the rest is any Koa. */
export function koaApp(shop: Shop): RequestListener {
  const app = new Koa()
  app.use(prometheus({ buckets: exponentialBuckets(0.001, 2, 12), native: { factor: 1.1 }, exemplars: true }))
  app.use(answerError)
  app.use(bodyParser())

  const router = new Router()
  router.get('/books', async (context) => {
    const { genre } = context.query
    context.body = await shop.books(typeof genre === 'string' ? genre : undefined)
  })
  router.get('/books/:isbn', async (context) => {
    context.body = await shop.book(String(context.params['isbn']))
  })
  router.use('/books/:isbn/reviews', reviewsRouter(shop).routes())
  router.post('/orders', async (context) => {
    const { isbn, copies } = (context.request.body ?? {}) as { isbn?: unknown; copies?: unknown }
    context.body = await shop.order(String(isbn), Number(copies))
    context.status = 201
  })
  router.get('/search', async (context) => {
    context.body = await shop.search(String(context.query['q'] ?? ''))
  })
  router.get('/offers', async (context) => {
    context.body = await shop.offers()
  })
  router.get('/catalogue.csv', (context) => {
    context.type = 'text/csv'
    context.body = Readable.from(shop.catalogue())
  })

  app.use(router.routes())
  app.use(router.allowedMethods())
  app.on('error', reportError)
  return app.callback()
}

/** A router of its own under a path with a parameter: its routes are `/books/:isbn/reviews` and below. */
function reviewsRouter(shop: Shop): Router {
  const router = new Router()
  router.get('/', async (context) => {
    context.body = await shop.reviews(String(context.params['isbn']))
  })
  router.get('/:id', async (context) => {
    const { isbn, id } = context.params
    context.body = await shop.review(String(isbn), Number(id))
  })
  return router
}

async function answerError(context: Context, next: Next): Promise<void> {
  try {
    await next()
  } catch (error) {
    if (!(error instanceof ShopError)) throw error
    context.status = error.status
    context.body = { error: error.message }
  }
}

/** Koa hands every error to this listener. What a customer sent wrong, or left in the middle, is no error of the shop. */
function reportError(error: Error & { readonly status?: number }, context: Context): void {
  const isSentWrong = error.status !== undefined && error.status < 500
  if (context.writable && !isSentWrong) console.error(error)
}

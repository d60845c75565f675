import { setTimeout as sleep } from 'node:timers/promises'
import { Counter, Gauge, Histogram } from '@narthex/core'
import { type Book, CATALOGUE, GENRES } from './catalogue.ts'

/** What the shop wants to know about its business. What HTTP costs, the adapter records by itself. */
const orders = new Counter({ name: 'bookshop_orders_total', help: 'Orders taken, by genre.', labelNames: ['genre'] })

const orderValue = new Histogram({
  name: 'bookshop_order_value_euros',
  help: 'What an order is worth.',
  buckets: [10, 20, 50, 100, 200],
})

const stock = new Gauge({
  name: 'bookshop_stock_copies',
  help: 'Copies on the shelves, by genre.',
  labelNames: ['genre'],
})

const searchTime = new Histogram({
  name: 'bookshop_search_duration_seconds',
  help: 'How long a search takes, however it is asked for.',
  buckets: [0.05, 0.1, 0.2, 0.4, 0.8, 1.6],
})

/** A request that cannot be served. Express and Koa answer with `status`, Fastify with `statusCode`. */
export class ShopError extends Error {
  readonly status: number
  readonly statusCode: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
    this.statusCode = status
  }
}

export interface Order {
  readonly book: Book
  readonly copies: number
  /** Euros. */
  readonly total: number
}

const SHELF = 40

/** The shop itself: it knows books and orders, and no web framework. Its work is slept, as if it asked a database. */
export class Shop {
  readonly #copies = new Map(CATALOGUE.map(({ isbn }) => [isbn, SHELF]))

  constructor() {
    for (const genre of GENRES) {
      orders.init({ genre })
      // Read when somebody scrapes: nothing has to be kept up to date in between.
      stock.labels({ genre }).setFunction(() => this.#copiesOf(genre))
    }
  }

  async books(genre?: string): Promise<readonly Book[]> {
    await work(6)
    return genre === undefined ? CATALOGUE : CATALOGUE.filter((book) => book.genre === genre)
  }

  async book(isbn: string): Promise<Book> {
    await work(4)
    const found = CATALOGUE.find((book) => book.isbn === isbn)
    if (found === undefined) throw new ShopError(404, `There is no book ${isbn}.`)
    return found
  }

  async reviews(isbn: string): Promise<readonly string[]> {
    const { title } = await this.book(isbn)
    await work(8)
    return [`${title} kept me awake.`, `${title} put me to sleep.`]
  }

  async review(isbn: string, number: number): Promise<string> {
    const review = (await this.reviews(isbn))[number - 1]
    if (review === undefined) throw new ShopError(404, `There is no review ${number} of ${isbn}.`)
    return review
  }

  async order(isbn: string, copies: number): Promise<Order> {
    const book = await this.book(isbn)
    if (!Number.isInteger(copies) || copies < 1) throw new ShopError(400, 'An order has one copy or more.')
    await work(25)
    this.#take(isbn, copies)
    const order = { book, copies, total: copies * book.price }
    orders.inc({ genre: book.genre })
    orderValue.observe(order.total)
    return order
  }

  /** Slow: it reads every page of every book. */
  readonly search: (words: string) => Promise<readonly Book[]> = searchTime.time(async (words: string) => {
    await work(180)
    return CATALOGUE.filter(({ title }) => title.toLowerCase().includes(words.toLowerCase()))
  })

  /** Fails one time in four: the publisher's own service is like that. */
  async offers(): Promise<readonly Book[]> {
    await work(15)
    if (Math.random() < 0.25) throw new ShopError(502, 'The publisher does not answer.')
    return CATALOGUE.filter(({ price }) => price < 10)
  }

  /** The whole catalogue, line by line, as it comes from the shelves. */
  async *catalogue(): AsyncGenerator<string> {
    yield 'isbn,title,author,price\n'
    for (const { isbn, title, author, price } of CATALOGUE) {
      await work(3)
      yield `${isbn},${title},${author},${price}\n`
    }
  }

  #take(isbn: string, copies: number): void {
    const left = (this.#copies.get(isbn) ?? 0) - copies
    if (left < 0) throw new ShopError(409, 'Not enough copies are left.')
    this.#copies.set(isbn, left)
    // Restocked when it runs low, so that a customer is turned away now and then.
    if (left < 3) setTimeout(() => this.#copies.set(isbn, SHELF), 2_000).unref()
  }

  #copiesOf(genre: string): number {
    const copies = CATALOGUE.filter((book) => book.genre === genre).map(({ isbn }) => this.#copies.get(isbn) ?? 0)
    return copies.reduce((sum, count) => sum + count, 0)
  }
}

/** Takes about as long as said, and one time in fifty four times as long: latencies have a tail. */
async function work(milliseconds: number): Promise<void> {
  const spread = 0.6 + 0.8 * Math.random()
  await sleep(milliseconds * spread * (Math.random() < 0.02 ? 4 : 1))
}

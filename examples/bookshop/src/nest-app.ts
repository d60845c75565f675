import type { RequestListener } from 'node:http'
import { Readable } from 'node:stream'
import { exponentialBuckets } from '@narthex/core'
import { PrometheusModule } from '@narthex/nestjs'
import {
  type ArgumentsHost,
  Body,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  Header,
  Inject,
  Module,
  Param,
  ParseIntPipe,
  Post,
  Query,
  StreamableFile,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { Response } from 'express'
import type { Book } from './catalogue.ts'
import { type Order, Shop, ShopError } from './shop.ts'

@Controller()
class ShopController {
  readonly #shop: Shop

  constructor(@Inject(Shop) shop: Shop) {
    this.#shop = shop
  }

  @Get('books')
  books(@Query('genre') genre?: string): Promise<readonly Book[]> {
    return this.#shop.books(genre)
  }

  @Get('books/:isbn')
  book(@Param('isbn') isbn: string): Promise<Book> {
    return this.#shop.book(isbn)
  }

  @Post('orders')
  order(@Body('isbn') isbn: unknown, @Body('copies') copies: unknown): Promise<Order> {
    return this.#shop.order(String(isbn), Number(copies))
  }

  @Get('search')
  search(@Query('q') words = ''): Promise<readonly Book[]> {
    return this.#shop.search(words)
  }

  @Get('offers')
  offers(): Promise<readonly Book[]> {
    return this.#shop.offers()
  }

  @Get('catalogue.csv')
  @Header('Content-Type', 'text/csv')
  catalogue(): StreamableFile {
    const file = new StreamableFile(Readable.from(this.#shop.catalogue()))
    // A customer who leaves in the middle is no error of the shop.
    return file.setErrorLogger(() => {})
  }
}

/** A controller under a path with a parameter: its routes are `/books/:isbn/reviews` and below. */
@Controller('books/:isbn/reviews')
class ReviewsController {
  readonly #shop: Shop

  constructor(@Inject(Shop) shop: Shop) {
    this.#shop = shop
  }

  @Get()
  reviews(@Param('isbn') isbn: string): Promise<readonly string[]> {
    return this.#shop.reviews(isbn)
  }

  @Get(':id')
  review(@Param('isbn') isbn: string, @Param('id', ParseIntPipe) id: number): Promise<string> {
    return this.#shop.review(isbn, id)
  }
}

@Catch(ShopError)
class ShopErrorFilter implements ExceptionFilter<ShopError> {
  catch(error: ShopError, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<Response>().status(error.status).json({ error: error.message })
  }
}

/** The shop as a Nest application on Express. The one import is all that it takes to be watched; the rest is any Nest. */
export async function nestApp(shop: Shop): Promise<RequestListener> {
  @Module({
    imports: [
      PrometheusModule.forRoot({
        buckets: exponentialBuckets(0.001, 2, 12),
        native: { factor: 1.1 },
        exemplars: true,
      }),
    ],
    controllers: [ShopController, ReviewsController],
    providers: [{ provide: Shop, useValue: shop }],
  })
  // oxlint-disable-next-line typescript/no-extraneous-class -- a module of Nest is all in its decorator
  class ShopModule {}

  const app = await NestFactory.create(ShopModule, { logger: ['error', 'warn'], abortOnError: false })
  app.useGlobalFilters(new ShopErrorFilter())
  await app.init()
  // An application of its own would call `app.listen`. Here one server is for every framework.
  return app.getHttpAdapter().getInstance() as RequestListener
}

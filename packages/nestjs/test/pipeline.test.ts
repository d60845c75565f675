import { randomBytes } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { Registry } from '@narthex/core'
import { PrometheusModule, type PrometheusModuleExtras, type PrometheusModuleOptions } from '@narthex/nestjs'
import {
  BadRequestException,
  Body,
  type CallHandler,
  Catch,
  Controller,
  type ExecutionContext,
  Get,
  HttpException,
  type INestApplication,
  Injectable,
  Param,
  Post,
  Query,
  RequestMethod,
  UnauthorizedException,
  UsePipes,
  ValidationPipe,
  Version,
  VERSION_NEUTRAL,
  type VersioningOptions,
  VersioningType,
} from '@nestjs/common'
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core'
import { Type } from 'class-transformer'
import { IsInt, IsString, Length, Max, ValidateNested } from 'class-validator'
import compression from 'compression'
import { delay, from, mergeMap, of } from 'rxjs'
import { describe, expect, it, vi } from 'vitest'
import { type Platform, platforms } from './platform.ts'
import { linesOf, start, type Started } from './start.ts'

class Author {
  @IsString()
  @Length(2, 20)
  name!: string
}

class NewBook {
  @IsString()
  title!: string

  @IsInt()
  @Max(9999)
  pages!: number

  @ValidateNested()
  @Type(() => Author)
  author!: Author
}

class Page {
  @Type(() => Number)
  @IsInt()
  page!: number
}

const validates = (expectedType: new () => object, more: object = {}): ValidationPipe =>
  new ValidationPipe({ expectedType, transform: true, ...more })

/** Pipes may take their time. */
const validatesLate = {
  async transform(id: string): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (id === 'bad') throw new BadRequestException('late')
    return id
  },
}

@Controller('books')
class BooksController {
  @Post(':shelf')
  @UsePipes(validates(NewBook, { whitelist: true, forbidNonWhitelisted: true }))
  add(@Body() book: NewBook): string {
    return `${book.author.name}: ${book.title}`
  }

  @Get('pages')
  list(@Query(validates(Page, { errorHttpStatusCode: 422 })) { page }: Page): string {
    return `page ${page}`
  }

  @Get('late/:id')
  late(@Param('id', validatesLate) id: string): string {
    return id
  }
}

const book = { title: 'Ulysses', pages: 730, author: { name: 'Joyce' } }

type Row = readonly [request: string, code: number, route: string, body?: object]

const refusals: readonly Row[] = [
  ['POST /books/top', 201, '/books/:shelf', book],
  ['POST /books/top', 400, '/books/:shelf', { ...book, pages: 'many' }],
  ['POST /books/low', 400, '/books/:shelf', { ...book, author: { name: 'J' } }],
  ['POST /books/low', 400, '/books/:shelf', { ...book, invented: true }],
  ['POST /books/low', 400, '/books/:shelf', []],
  ['GET /books/pages?page=3', 200, '/books/pages'],
  ['GET /books/pages?page=three', 422, '/books/pages'],
  ['GET /books/pages', 422, '/books/pages'],
  ['GET /books/late/good', 200, '/books/late/:id'],
  ['GET /books/late/bad', 400, '/books/late/:id'],
]

/** Asks for all rows, and gives what was counted in the place of what each says, each with the status that was sent. */
async function ask({ url }: Started, registry: Registry, rows: readonly Row[], headers = {}): Promise<Row[]> {
  const seen: Row[] = []
  for (const [request, , , body] of rows) {
    const [method, path] = request.split(' ') as [string, string]
    const before = new Set(linesOf(await registry.metrics()))
    const init = method === 'POST' ? { body: JSON.stringify(body ?? {}) } : {}
    const answer = await fetch(url + path, {
      method,
      ...init,
      headers: { 'content-type': 'application/json', ...headers },
    })
    await answer.arrayBuffer()
    const added = await vi.waitFor(async () => {
      const lines = linesOf(await registry.metrics()).filter((line) => !before.has(line))
      expect(lines).not.toEqual([])
      return lines
    })
    const [, of, route, code] = /^\{method="(\w+)",route="(.*)",code="(\d+)"\}/.exec(added.join()) ?? []
    expect([added.length, of, code]).toEqual([1, method, String(answer.status)])
    const counted = [request, answer.status, route as string] as const
    seen.push(body === undefined ? counted : [...counted, body])
  }
  return seen
}

describe.each(platforms)('on %s', (platform) => {
  const serve = (
    metadata: Parameters<typeof start>[2],
    options: PrometheusModuleOptions & PrometheusModuleExtras,
    prepare?: (app: INestApplication) => void | Promise<void>,
  ): Promise<Started> => start(platform, PrometheusModule.forRoot(options), metadata, prepare)

  it('what a ValidationPipe refuses is a 400 of its route', async () => {
    const registry = new Registry()
    const started = await serve({ controllers: [BooksController] }, { registry })
    expect(await ask(started, registry, refusals)).toEqual(refusals)
  })

  it('what a global ValidationPipe refuses is too, with the prefix', async () => {
    @Controller('loose')
    class LooseController {
      @Post(':shelf')
      add(@Body() _book: unknown): string {
        return 'ok'
      }
    }
    const registry = new Registry()
    const providers = [{ provide: APP_PIPE, useValue: validates(NewBook) }]
    const started = await serve({ controllers: [LooseController], providers }, { registry }, (app) => {
      app.setGlobalPrefix('shop/:shop')
    })
    const rows: Row[] = [
      ['POST /shop/a/loose/x', 201, '/shop/:shop/loose/:shelf', book],
      ['POST /shop/b/loose/x', 400, '/shop/:shop/loose/:shelf', {}],
    ]
    expect(await ask(started, registry, rows)).toEqual(rows)
  })

  it.each([
    ['is not', false],
    ['is, as a controller, where the platform can', true],
  ])('the answers of an application are compressed, its page %s, and sizes are as sent', async (_, controller) => {
    // Some digits at its beginning look compressed already to Fastify's plugin: '80', say.
    const text = `text ${randomBytes(1000).toString('hex').repeat(40)}`
    @Controller()
    class TextController {
      @Get('text')
      text(): string {
        return text
      }
    }
    const registry = new Registry()
    const options = { registry, sizes: true, compression: false, controller }
    const { url } = await serve({ controllers: [TextController] }, options, (app) => addCompression(app, platform))
    const sent = await rawBytes(`${url}/text`)
    expect(sent.encoding).toBe('gzip')
    expect(sent.bytes).toBeLessThan(text.length / 2)
    const labels = { method: 'GET', route: '/text', code: '200' }
    const value = (name: string): unknown => registry.getSampleValue(`http_response_size_bytes_${name}`, labels)
    await vi.waitFor(() => expect(value('count')).toBe(1))
    expect(value('sum')).toBe(sent.bytes)

    for (let index = 0; index < 500; index += 1) registry.gauge({ name: `filler_${index}`, help: 'Long enough' })
    const page = await rawBytes(`${url}/metrics`)
    expect(page.type).toBe('text/plain; version=0.0.4; charset=utf-8; escaping=underscores')
    // Fastify's plugin compresses what goes through its hooks, and a page is written past them.
    const isCompressed = controller && platform === 'express'
    expect(page.encoding).toBe(isCompressed ? 'gzip' : undefined)
    if (!isCompressed) expect(page.bytes).toBe(Buffer.byteLength(await registry.metrics()))
  })

  it('guards, interceptors, filters and pipes of the whole application have no routes of their own', async () => {
    @Injectable()
    class Guard {
      canActivate(context: ExecutionContext): boolean {
        const { headers } = context.switchToHttp().getRequest()
        if (headers.who === 'nobody') throw new UnauthorizedException()
        return headers.who !== 'stranger'
      }
    }
    @Injectable()
    class Interceptor {
      intercept(context: ExecutionContext, next: CallHandler): unknown {
        const { url } = context.switchToHttp().getRequest()
        if (url.endsWith('cached')) return of('from the cache').pipe(delay(2))
        return next.handle().pipe(mergeMap((value) => from(Promise.resolve(value))))
      }
    }
    @Catch(HttpException)
    class Filter {
      catch(error: HttpException, host: any): void {
        const response = host.switchToHttp().getResponse()
        const status = error.getStatus() === 403 ? 451 : error.getStatus()
        response.status(status).send(error.message)
      }
    }
    @Controller('rooms')
    class RoomsController {
      @Get(':room/:bed')
      bed(@Param('bed') bed: string): string {
        if (bed === 'broken') throw new HttpException('broken', 507)
        return bed
      }
    }
    const registry = new Registry()
    const providers = [
      { provide: APP_GUARD, useClass: Guard },
      { provide: APP_INTERCEPTOR, useClass: Interceptor },
      { provide: APP_FILTER, useClass: Filter },
    ]
    const started = await serve({ controllers: [RoomsController], providers }, { registry }, (app) => {
      app.setGlobalPrefix('/hotel', { exclude: [{ path: 'rooms/:room/:bed', method: RequestMethod.POST }] })
    })
    const route = '/hotel/rooms/:room/:bed'
    const rows: Row[] = [
      ['GET /hotel/rooms/1/2', 200, route],
      ['GET /hotel/rooms/1/cached', 200, route],
      ['GET /hotel/rooms/1/broken', 507, route],
      ['GET /hotel/rooms/1', 404, '<unmatched>'],
      ['POST /hotel/rooms/1/2', 404, '<unmatched>'],
    ]
    expect(await ask(started, registry, rows)).toEqual(rows)
    const nobody: Row[] = [['GET /hotel/rooms/3/4', 401, route]]
    expect(await ask(started, registry, nobody, { who: 'nobody' })).toEqual(nobody)
    const stranger: Row[] = [['GET /hotel/rooms/3/4', 451, route]]
    expect(await ask(started, registry, stranger, { who: 'stranger' })).toEqual(stranger)
  })

  const custom = (request: { headers: Record<string, string> }): string => request.headers['x-edition'] ?? ''

  it.each<
    [name: string, versioning: VersioningOptions, asks: readonly [path: string, headers: object][], route: string]
  >([
    [
      'URI',
      { type: VersioningType.URI, prefix: 'edition-' },
      [
        ['/lib/edition-1/maps/7', {}],
        ['/lib/edition-2/maps/7', {}],
        ['/lib/edition-9/maps/7', {}],
      ],
      '/lib/edition-V/maps/:id',
    ],
    [
      'header',
      { type: VersioningType.HEADER, header: 'x-edition' },
      [
        ['/lib/maps/7', { 'x-edition': '1' }],
        ['/lib/maps/7', { 'x-edition': '2' }],
        ['/lib/maps/7', { 'x-edition': '9' }],
      ],
      '/lib/maps/:id',
    ],
    [
      'media type',
      { type: VersioningType.MEDIA_TYPE, key: 'edition=' },
      [
        ['/lib/maps/7', { accept: 'application/json;edition=1' }],
        ['/lib/maps/7', { accept: 'application/json;edition=2' }],
        ['/lib/maps/7', { accept: 'application/json;edition=9' }],
      ],
      '/lib/maps/:id',
    ],
    [
      'function',
      { type: VersioningType.CUSTOM, extractor: custom as never },
      [
        ['/lib/maps/7', { 'x-edition': '1' }],
        ['/lib/maps/7', { 'x-edition': '2' }],
        ['/lib/maps/7', { 'x-edition': '9' }],
      ],
      '/lib/maps/:id',
    ],
  ])('versions by %s have the right route', async (name, versioning, asks, route) => {
    @Controller({ path: 'maps', version: '1' })
    class MapsController {
      @Get(':id')
      one(): string {
        return 'one'
      }

      @Get(':id')
      @Version('2')
      two(): string {
        throw new BadRequestException()
      }

      @Get('about/all')
      @Version(VERSION_NEUTRAL)
      about(): string {
        return 'about'
      }
    }
    const registry = new Registry()
    const started = await serve({ controllers: [MapsController] }, { registry }, (app) => {
      app.setGlobalPrefix('lib')
      app.enableVersioning(versioning)
    })
    const codes = [200, 400, 404]
    for (const [index, [path, headers]] of asks.entries()) {
      const expected = codes[index] === 404 ? '<unmatched>' : route.replace('V', String(index + 1))
      const rows: Row[] = [[`GET ${path}`, codes[index] as number, expected]]
      expect([name, await ask(started, registry, rows, headers)]).toEqual([name, rows])
    }
    const neutral: Row[] = [['GET /lib/maps/about/all', 200, '/lib/maps/about/all']]
    expect(await ask(started, registry, neutral)).toEqual(neutral)
  })
})

/** As Nest's documentation has it: middleware on Express, a plugin on Fastify. */
async function addCompression(app: INestApplication, platform: Platform): Promise<void> {
  if (platform === 'express') {
    app.use(compression({ threshold: 0 }))
    return
  }
  const { version } = app.getHttpAdapter().getInstance() as { version: string }
  const plugin = await (version.startsWith('4.') ? import('fastify-compress-7') : import('@fastify/compress'))
  await (app as unknown as { register(plugin: unknown, options: object): Promise<void> }).register(plugin.default, {
    threshold: 0,
    encodings: ['gzip'],
  })
}

/** The bytes of an answer's body as they come over the connection, by a client that reads gzip. */
function rawBytes(url: string): Promise<{ bytes: number; encoding: string | undefined; type: string | undefined }> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { headers: { 'accept-encoding': 'gzip' }, agent: false }, (response) => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => (bytes += chunk.length))
      response.on('end', () => {
        const { 'content-encoding': encoding, 'content-type': type } = response.headers
        resolve({ bytes, encoding, type })
      })
    })
      .on('error', reject)
      .end()
  })
}

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from '@narthex/core'
import { PrometheusModule, type PrometheusModuleOptions } from '@narthex/nestjs'
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpException,
  type INestApplication,
  Module,
  Next,
  Post,
  Req,
  Res,
  Sse,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestExpressApplication } from '@nestjs/platform-express'
import { concat, NEVER, of } from 'rxjs'
import type { TableApp } from '../../../test/http-requests/run.ts'
import { adapterOf, type Platform } from './platform.ts'

class Unauthorized implements CanActivate {
  canActivate(): boolean {
    throw new UnauthorizedException()
  }
}

const notForbidden: CanActivate = {
  canActivate: (context: ExecutionContext) => !('x-forbidden' in context.switchToHttp().getRequest().headers),
}

@Controller()
class TableController {
  @Get('plain')
  plain(): string {
    return 'ok'
  }

  @Get('conditional')
  conditional(@Req() request: any, @Res({ passthrough: true }) response: any): string | undefined {
    response.header('ETag', '"1"')
    if (request.headers['if-none-match'] !== '"1"') return 'ok'
    response.status(304)
    return undefined
  }

  @Get('users/:id')
  user(): string {
    return 'ok'
  }

  @Post('users/:id')
  addUser(): void {}

  @Get('shops/:shop/items/:item')
  item(): string {
    return 'ok'
  }

  @Get(['colour', 'color/:name'])
  colour(): string {
    return 'ok'
  }

  @Get('throws')
  throws(): void {
    throw new Error('thrown')
  }

  @Get('rejects')
  async rejects(): Promise<void> {
    throw new Error('rejected')
  }

  @Get('status-error')
  statusError(): void {
    throw new HttpException('teapot', 418)
  }

  @Post('json')
  json(@Res({ passthrough: true }) response: any): string {
    response.status(200)
    return 'ok'
  }

  @Get('passes')
  passes(@Res() response: any, @Next() next: () => void): void {
    if (response.callNotFound === undefined) next()
    else response.callNotFound()
  }

  @Get('passes-after')
  passesAfter(@Res() response: any, @Next() next: () => void): void {
    response.send('ok')
    if (response.callNotFound === undefined) next()
  }

  @Get('hang')
  hang(@Res() _response: any): void {}

  @Post('upload')
  upload(@Req() request: any, @Res() _response: any): void {
    ;(request.raw ?? request).resume()
  }

  @Get('drip')
  drip(@Res() response: any): void {
    rawOf(response).write('drip')
  }

  @Get('large')
  large(@Res() response: any): void {
    rawOf(response).end(Buffer.alloc(2 ** 25))
  }

  @Get('timeout')
  timeout(@Res() response: any): void {
    const raw = rawOf(response)
    raw.setTimeout(10, () => void raw.writeHead(503).end())
  }

  @Get('stream')
  async stream(@Res() response: any): Promise<void> {
    const raw = rawOf(response)
    for (const part of ['a', 'b', 'c']) {
      raw.write(part)
      await sleep(2)
    }
    raw.end()
  }

  @Sse('events')
  events(): unknown {
    return of({ data: '1' })
  }

  @Sse('endless-events')
  endlessEvents(): unknown {
    return concat(of({ data: '1' }), NEVER)
  }
}

@Controller('api/t/:tenant')
class TenantController {
  @Get()
  root(): string {
    return 'ok'
  }

  @Get('orders/:id')
  order(): string {
    return 'ok'
  }

  @Get('boom')
  boom(): void {
    throw new Error('boom')
  }
}

@Controller(['v1', 'v2'])
class StatusController {
  @Get('status')
  status(): string {
    return 'ok'
  }
}

@Controller(['de', 'fr'])
class HelloController {
  @Get('hello')
  hello(): string {
    return 'ok'
  }
}

@Controller('guarded')
@UseGuards(Unauthorized)
class GuardedController {
  @Get('secret')
  secret(): string {
    return 'ok'
  }
}

/** Listens with the application of the table of requests; `wildcard` as that version of Nest spells it. */
export async function startTableApp(
  platform: Platform,
  wildcard: string,
  options: PrometheusModuleOptions & { readonly registry: Registry } = { registry: new Registry() },
): Promise<TableApp> {
  @Controller()
  class FilesController {
    @Get(wildcard)
    file(): string {
      return 'ok'
    }
  }

  const controllers = [
    TableController,
    TenantController,
    StatusController,
    HelloController,
    GuardedController,
    FilesController,
  ]

  const { registry } = options
  @Module({ imports: [PrometheusModule.forRoot(options)], controllers })
  class TableModule {}

  const app = await NestFactory.create(TableModule, adapterOf(platform), { logger: false })
  app.useGlobalGuards(notForbidden)
  if (platform === 'express') declareOnExpress(app)
  else declareOnFastify(app)
  await app.listen(0, '127.0.0.1')
  app
    .getHttpServer()
    .on('upgrade', (_request: unknown, socket: any) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'))
  return {
    port: (app.getHttpServer().address() as AddressInfo).port,
    registry,
    async close() {
      app.getHttpServer().closeAllConnections()
      await app.close()
    },
  }
}

/** What Nest has no word for, and applications ask the platform for. */
function declareOnExpress(app: INestApplication): void {
  const express = app.getHttpAdapter().getInstance()
  const type = ['application/json', 'application/vnd.api+json']
  ;(app as NestExpressApplication).useBodyParser('json', { limit: 1000, type })
  express.get(/^\/reports\/\d+$/, (_request: unknown, response: any) => response.send('ok'))
  app.use('/static', (request: any, response: any, next: () => void) =>
    request.path === '/hello.txt' ? response.send('hello') : next(),
  )
}

function declareOnFastify(app: INestApplication): void {
  const fastify = app.getHttpAdapter().getInstance()
  const readJson = fastify.getDefaultJsonParser('error', 'error')
  fastify.addContentTypeParser('application/vnd.api+json', { parseAs: 'string' }, readJson)
  fastify.addHook('onRoute', (route: { url: string; bodyLimit?: number }) => {
    if (route.url === '/json') route.bodyLimit = 1000
  })
  fastify.get('/reports/:number(^\\d+$)', async () => 'ok')
  fastify.get('/static/*', async (request: any, reply: any) =>
    request.url === '/static/hello.txt' ? 'hello' : reply.callNotFound(),
  )
  fastify.addContentTypeParser('*', (_request: unknown, payload: IncomingMessage, done: (error: null) => void) => {
    payload.resume().on('end', () => done(null))
  })
}

function rawOf(response: any): ServerResponse {
  response.hijack?.()
  return response.raw ?? response
}

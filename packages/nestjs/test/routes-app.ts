import { Readable } from 'node:stream'
import { Registry } from '@narthex/core'
import { PrometheusModule } from '@narthex/nestjs'
import {
  All,
  type ArgumentsHost,
  Body,
  Catch,
  Controller,
  type ExceptionFilter,
  ForbiddenException,
  Get,
  Head,
  HttpCode,
  Module,
  Param,
  ParseIntPipe,
  Post,
  Redirect,
  Res,
  Sse,
  StreamableFile,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  VERSION_NEUTRAL,
  VersioningType,
} from '@nestjs/common'
import { NestFactory, RouterModule } from '@nestjs/core'
import { of, throwError } from 'rxjs'
import { adapterOf, type Platform } from './platform.ts'
import { listen, type Started } from './start.ts'

@Catch(RangeError)
class RangeFilter implements ExceptionFilter {
  catch(_error: RangeError, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse()
    response.status(416).send('out of range')
  }
}

const refusing = { canActivate: () => Promise.reject(new ForbiddenException()) }
const throwing = {
  intercept(): never {
    throw new Error('intercepted')
  },
}
const failing = { intercept: () => throwError(() => new RangeError('late')) }
const replacing = { intercept: () => of('replaced') }
const refusingPipe = {
  transform(): never {
    throw new RangeError('pipe')
  },
}

@Controller({ path: 'things', version: VERSION_NEUTRAL })
class ThingsController {
  @Get('number/:id')
  number(@Param('id', ParseIntPipe) id: number): string {
    return String(id)
  }

  @Post('piped')
  @UsePipes(refusingPipe)
  @UseFilters(RangeFilter)
  piped(@Body() _body: unknown): void {}

  @Get('guarded/:id')
  @UseGuards(refusing)
  guarded(): void {}

  @Get('throwing')
  @UseInterceptors(throwing)
  throwing(): void {}

  @Get('failing')
  @UseInterceptors(failing)
  @UseFilters(RangeFilter)
  failing(): void {}

  @Get('replaced')
  @UseInterceptors(replacing)
  replaced(): never {
    throw new Error('is not called')
  }

  @All('all/:any')
  all(): string {
    return 'ok'
  }

  @Head('head')
  head(): void {}

  @Get('redirect')
  @Redirect('/api/things/number/1', 307)
  redirect(): void {}

  @Get('redirect-elsewhere')
  @Redirect('/api/things/number/1', 302)
  redirectElsewhere(): object {
    return { url: '/api/things/number/2', statusCode: 308 }
  }

  @Get('file')
  file(): StreamableFile {
    return new StreamableFile(Readable.from([Buffer.from('a'), Buffer.from('b')]))
  }

  @Post('accepted')
  @HttpCode(202)
  accepted(): void {}

  @Get(['one', 'other/:id'])
  paths(): string {
    return 'ok'
  }

  @Get('own-answer')
  ownAnswer(@Res() response: any): void {
    setImmediate(() => response.status(203).send('ok'))
  }

  @Sse('events')
  events(): unknown {
    return of({ data: '1' })
  }
}

@Controller({ path: ['left', 'right'], version: ['1', '2'] })
class VersionedController {
  @Get(':id')
  one(): string {
    return 'ok'
  }
}

@Controller('health')
class HealthController {
  @Get()
  health(): string {
    return 'ok'
  }
}

@Controller({ host: ':account.example.test', path: 'hosted', version: VERSION_NEUTRAL })
class HostController {
  @Get(':id')
  one(): string {
    return 'ok'
  }
}

@Controller({ path: 'leaves', version: VERSION_NEUTRAL })
class LeavesController {
  @Get(':leaf')
  one(): string {
    return 'ok'
  }
}

@Module({ controllers: [LeavesController] })
class LeavesModule {}

@Module({ imports: [LeavesModule] })
class BranchesModule {}

const routes = [{ path: 'branches/:branch', module: BranchesModule, children: [LeavesModule] }]

/** An application with a prefix, versions and all that answers in place of a handler. */
export async function startRoutesApp(platform: Platform): Promise<Started & { readonly registry: Registry }> {
  const registry = new Registry()
  @Module({
    imports: [PrometheusModule.forRoot({ registry }), BranchesModule, RouterModule.register(routes)],
    controllers: [ThingsController, VersionedController, HealthController, HostController],
  })
  class RoutesModule {}
  const app = await NestFactory.create(RoutesModule, adapterOf(platform), { logger: false, abortOnError: false })
  app.setGlobalPrefix('api', { exclude: ['health'] })
  app.enableVersioning({ type: VersioningType.URI, defaultVersion: VERSION_NEUTRAL })
  return { ...(await listen(app)), registry }
}

// A NestJS application for either platform, and what measures it.
import 'reflect-metadata'
import { Controller, Get, Module, Param } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'

const measures = {
  bare: async () => ({}),
  narthex: async () => {
    const { PrometheusModule } = await import('@narthex/nestjs')
    return { imports: [PrometheusModule.forRoot()] }
  },
  'prom-client by hand': async () => {
    const { begin } = await import('./by-hand.mjs')
    return {
      middleware: (request, response, next) => {
        const end = begin()
        response.once('finish', () => {
          const route = request.route?.path ?? '<unmatched>'
          end({ method: request.method, route, code: response.statusCode })
        })
        next()
      },
    }
  },
}

class AppController {
  hello() {
    return 'hello'
  }

  user(user) {
    return { user }
  }

  order(user, order) {
    return { user, order }
  }
}
for (const [method, path, ...params] of [
  ['hello', '/'],
  ['user', '/users/:user', 'user'],
  ['order', '/users/:user/orders/:order', 'user', 'order'],
]) {
  Get(path)(AppController.prototype, method, Object.getOwnPropertyDescriptor(AppController.prototype, method))
  params.forEach((name, index) => Param(name)(AppController.prototype, method, index))
}
Controller()(AppController)

/** Makes an application on a platform, as far as it is made without a server that listens. */
export async function makeApp(adapter, variant) {
  const { imports = [], middleware } = await measures[variant]()
  const AppModule = moduleOf({ imports, controllers: [AppController] })
  const app = await NestFactory.create(AppModule, adapter, { logger: false })
  if (middleware !== undefined) app.use(middleware)
  await app.init()
}

/** What `@Module(metadata) class AppModule {}` makes. */
function moduleOf(metadata) {
  const AppModule = function () {}
  Module(metadata)(AppModule)
  return AppModule
}

// NestJS on Fastify.
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { makeApp } from './nestjs.mjs'

export async function serve(variant, createServer) {
  const adapter = new FastifyAdapter({ serverFactory: (listener) => createServer(listener) })
  await makeApp(adapter, variant)
  await adapter.getInstance().ready()
  return adapter.getHttpServer()
}

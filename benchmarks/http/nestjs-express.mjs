// NestJS on Express.
import { ExpressAdapter } from '@nestjs/platform-express'
import { makeApp } from './nestjs.mjs'

export async function serve(variant, createServer) {
  const adapter = new ExpressAdapter()
  await makeApp(adapter, variant)
  return createServer(adapter.getInstance())
}

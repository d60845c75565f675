// NestJS on Express.
import { ExpressAdapter } from '@nestjs/platform-express'
import { makeApp } from './nestjs.mjs'
import { prototypesOfExpress } from './prototypes.mjs'

export const prototypes = prototypesOfExpress(new ExpressAdapter().getInstance().router)

export async function serve(variant, createServer) {
  const adapter = new ExpressAdapter()
  await makeApp(adapter, variant)
  return createServer(adapter.getInstance())
}

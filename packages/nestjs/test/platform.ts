import type { AbstractHttpAdapter } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'

export const platforms = ['express', 'fastify'] as const
export type Platform = (typeof platforms)[number]

export function adapterOf(platform: Platform): AbstractHttpAdapter {
  return platform === 'express' ? new ExpressAdapter() : (new FastifyAdapter() as unknown as AbstractHttpAdapter)
}

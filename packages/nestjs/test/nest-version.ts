import { createRequire } from 'node:module'
import { vi } from 'vitest'

export type NestVersion = 10 | 11 | 12

/** By the package, the name of its namespace in `versions/nest-…/nest.ts`. */
const PACKAGES = {
  '@nestjs/common': 'common',
  '@nestjs/core': 'core',
  '@nestjs/microservices': 'microservices',
  '@nestjs/platform-express': 'platformExpress',
  '@nestjs/platform-fastify': 'platformFastify',
  '@nestjs/testing': 'testing',
} as const

const FIXTURES = {
  10: () => import('../versions/nest-10/nest.ts'),
  11: () => import('../versions/nest-11/nest.ts'),
} as const

/**
 * Has all that is imported from now on, the sources of this package included, see that version of Nest and the copy of
 * Express that belongs to it.
 */
export async function useNest(version: NestVersion): Promise<void> {
  if (version === 12) return
  const nest = await FIXTURES[version]()
  for (const [name, namespace] of Object.entries(PACKAGES)) vi.doMock(name, () => nest[namespace])
  const express = createRequire(nest.platformExpressUrl)('express') as object
  vi.doMock('express', () => ({ ...express, default: express }))
  const { NestFactory } = await import('@nestjs/core')
  if (NestFactory !== (nest.core.NestFactory as unknown)) throw new Error(`Nest ${version} was imported too late`)
}

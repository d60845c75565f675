import { createRequire } from 'node:module'
import type { RequestHandler } from 'express'
import promBundle6 from 'express-prom-bundle-6'
import promBundle7 from 'express-prom-bundle-7'
import formerClient from 'prom-client'
import * as promster12 from 'promster-express-12'
import * as promster13 from 'promster-express-13'

/** A peer's page, as text. */
export interface PeerRegister {
  metrics(): Promise<string>
}

type PromBundle = (options: object) => RequestHandler

interface PromClient {
  readonly Registry: new () => PeerRegister
}

interface Promster {
  createMiddleware(parts?: { options: object }): RequestHandler
  signalIsUp(): void
  readonly defaultRegister: PeerRegister & { clear(): void }
}

const requirePeer = createRequire(new URL('../../../benchmarks/package.json', import.meta.url))

export const promClient = requirePeer('prom-client') as PromClient
export const promBundle = requirePeer('express-prom-bundle') as PromBundle
export const promster = requirePeer('@promster/express') as Promster

/** The majors that are compared with, the present one last. */
export const bundles: [major: number, promBundle: PromBundle, promClient: PromClient][] = [
  [6, promBundle6 as unknown as PromBundle, formerClient],
  [7, promBundle7 as unknown as PromBundle, formerClient],
  [8, promBundle, promClient],
]
export const promsters: [major: number, promster: Promster][] = [
  [12, promster12 as unknown as Promster],
  [13, promster13 as unknown as Promster],
  [14, promster],
]

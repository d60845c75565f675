import { type Connection, connectionOf, Exchange, firstOn, type FrameworkView, keepClassOf } from '@narthex/core/http'
import type { Request, Response } from 'express'
import type { Layer, Router } from './layer.ts'
import { type LayerNotes, notesOf, noteLayer } from './layer-notes.ts'
import { LayerTemplate } from './route.ts'

/** Shared by all copies of this package: the first one tracks for all. */
const KEY = Symbol.for('@narthex/express/trails/v1')

/** A trail is the view of its request's exchange, once somebody follows the request, and found there. */
interface Shared {
  /** The request that has entered an application last. Its trail is stored nowhere until somebody follows the request. */
  latest: Request | undefined
  latestTrail: RequestTrail | undefined
  /** Of requests that are not the latest any more and nobody has followed yet: middleware in front may hold them back. */
  readonly others: WeakMap<Request, RequestTrail>
  hasOthers: boolean
}

const shared: Shared = ((globalThis as { [KEY]?: Shared })[KEY] ??= {
  latest: undefined,
  latestTrail: undefined,
  others: new WeakMap(),
  hasOthers: false,
})

/** The trail of a request that has entered an application. */
export function trailOf(request: Request, response: Response): RequestTrail | undefined {
  return request === shared.latest ? shared.latestTrail : trailAt(Exchange.first(response), request)
}

/**
 * The trail of a request that enters a router, and begins here where that is its application's. Up to there all requests
 * have the one hidden class, so that what is read by its name costs next to nothing: routers give each one of its own.
 */
export function enter(request: Request, response: Response): RequestTrail {
  if (request === shared.latest) return shared.latestTrail as RequestTrail
  const connection = connectionOf(request)
  return trailAt(firstOn(connection, response), request) ?? begin(request, connection)
}

/** The trail of a request that is in a router already, and has none. */
export function enterLate(request: Request): RequestTrail {
  return begin(request, connectionOf(request))
}

type AnyExchange = ReturnType<typeof Exchange.first>

function trailAt(first: AnyExchange, request: Request): RequestTrail | undefined {
  for (let exchange = first; exchange !== undefined; exchange = exchange.next) {
    if (exchange.view !== undefined && IS_TRAIL in exchange.view) return exchange.view as unknown as RequestTrail
  }
  return shared.hasOthers ? shared.others.get(request) : undefined
}

function begin(request: Request, connection: Connection | undefined): RequestTrail {
  const { latest, latestTrail } = shared
  if (latest !== undefined && latestTrail?.isFollowed === false) {
    shared.others.set(latest, latestTrail)
    shared.hasOthers = true
  }
  shared.latest = request
  shared.latestTrail = new RequestTrail(connection)
  return shared.latestTrail
}

/** Marks the trails of every copy of this package. */
const IS_TRAIL = Symbol.for('@narthex/express/trail/v1')

/**
 * Where a request is on its way: in which router, and which layer has it. Routers and layers take notes here, and the
 * name of the route is put together once, at the end. A request has one, whoever asks.
 */
export class RequestTrail implements FrameworkView<Request> {
  /** The router that the request is in. */
  router: Router | undefined = undefined
  /** The template that it is mounted at, `/api/:tenant`; empty for the application's own. */
  base = ''
  /** What that template stands for in this request, `/api/acme`. */
  basePath = ''
  /** The layer that was given the request last; `undefined` where nobody has it. */
  layer: LayerTemplate | undefined = undefined
  /** `base` as it was for that layer. */
  layerBase = ''
  /** Once the headers are out it is known who has answered, whatever it calls `next` for. */
  isAnswered = false
  /** Whether a router on the way has hooks for parameters, which may answer before a layer is given the request. */
  hasHooks = false
  /** `req.route` as the layer found it, where there are hooks: the router sets it before it calls them. */
  matched: unknown = undefined
  isFollowed = false
  /** Whether the application's router was entered before it was tracked. */
  isLate = false
  /** The parameters of the layer and of the mounts above it, where somebody asks for them. */
  collected: Record<string, unknown> | undefined = undefined
  /** Those of the mounts alone. */
  baseParams: Record<string, unknown> | undefined = undefined
  /** What the request had as it entered an application's router, and has until a layer is given it. */
  target = ''
  method = ''
  readonly connection: Connection | undefined

  constructor(connection: Connection | undefined) {
    this.connection = connection
  }

  get [IS_TRAIL](): true {
    return true
  }

  get reshapes(): true {
    return true
  }

  route(request: Request, response: { readonly statusCode: number }): string | undefined {
    if (this.isLate && request.baseUrl === undefined && response.statusCode === 404) return undefined
    if (this.hasHooks && request.route !== this.matched) this.giveToRoute(request)
    return this.layer?.whole(this.layerBase)
  }

  params(): { readonly [name: string]: unknown } | undefined {
    return this.collected
  }

  headersSent(): void {
    this.isAnswered = true
  }

  settled(request: Request): void {
    if (request !== shared.latest) return
    shared.latest = undefined
    shared.latestTrail = undefined
  }

  /** A layer was given the request. */
  give(layer: Layer, notes: LayerNotes, request: Request): void {
    let { template } = notes
    if (template === null) return
    if (typeof template === 'function') {
      template = template(layer, (request.baseUrl + request.path).slice(this.basePath.length))
    }
    this.layer = template
    this.layerBase = this.base
    if (this.hasHooks) this.matched = request.route as unknown
    if (this.collected !== undefined) this.collected = { ...this.baseParams, ...request.params }
  }

  /** The request was given to a route that no layer speaks for: its parameters are being processed. */
  giveToRoute(request: Request): void {
    const layer = this.router?.stack.find(({ route }) => route !== undefined && route === request.route)
    if (layer !== undefined) this.give(layer, notesOf(layer) ?? noteLayer(layer), request)
  }

  /** Nobody has the request, or what answers at `path` of this router. */
  keep(request: Request, path?: string): void {
    this.layer = path === undefined ? undefined : new LayerTemplate(path, true)
    this.layerBase = this.base
    if (this.hasHooks) this.matched = request.route as unknown
  }

  /** A router was left, with what `next` was given. */
  leave(request: Request, error: unknown): void {
    if (!error || isUndecodable(error)) this.keep(request)
    // Whoever has failed has answered, in whatever handler the error arrives.
    else if (this.hasHooks && request.route !== this.matched) this.giveToRoute(request)
  }

  collectParams(request: Request): void {
    this.collected ??= { ...request.params }
    this.baseParams ??= this.collected
  }
}

keepClassOf(new RequestTrail(undefined))

/** What a router fails with itself when it cannot decode a parameter: no layer was given the request then. */
export function isUndecodable(error: unknown): boolean {
  return error instanceof URIError && error.message.startsWith('Failed to decode param')
}

import type { Request, Response } from 'express'
import type { Layer, Router } from './layer.ts'
import { type LayerNotes, noteLayer, notesOf, type Recorder } from './layer-notes.ts'
import { enter, enterLate, isUndecodable, type RequestTrail, trailOf } from './trail.ts'

/** Shared by all copies of this package, as the prototypes are that they track: the first one tracks for all. */
const KEY = Symbol.for('@narthex/express/tracking/v1')

interface Shared {
  /** Prototypes of layers that tell of requests. */
  readonly tracked: WeakSet<object>
  /** By the middleware. */
  readonly recorders: WeakMap<object, Recorder>
  /** The request that is on its way to the first layer of its application's router, with its trail. */
  entering: Request | undefined
  enteringTrail: RequestTrail | undefined
  enteringResponse: Response | undefined
}

const shared: Shared = ((globalThis as { [KEY]?: Shared })[KEY] ??= {
  tracked: new WeakSet(),
  recorders: new WeakMap(),
  entering: undefined,
  enteringTrail: undefined,
  enteringResponse: undefined,
})

/** The trail of a request that is in a router, and will be followed to its end. */
export function followTrail(request: Request, response: Response): RequestTrail {
  const trail = trailOf(request, response) ?? startLate(request)
  trail.isFollowed = true
  return trail
}

/** For the first request in a copy of Express that was not tracked before: it is in the application's router already. */
function startLate(request: Request): RequestTrail {
  const trail = enterLate(request)
  const { app } = request as unknown as { app?: { _router?: Router; router?: Router } }
  // Express 4 throws where `router` is read.
  const router = app?._router ?? app?.router
  if (router !== undefined) trackRouter(router)
  trail.router = router
  trail.basePath = request.baseUrl
  trail.isLate = true
  trail.hasHooks = true
  return trail
}

type Next = (error?: unknown) => void
type HandleRouter = (this: Router, request: Request, response: Response, out: Next) => unknown
type Match = (this: Layer, path: string) => unknown
type HandleRequest = (this: Layer, request: Request, response: Response, next: Next) => unknown
type HandleError = (this: Layer, error: unknown, request: Request, response: Response, next: Next) => unknown

/**
 * Tracks all requests in all routers of a router's copy of Express, whether those were made before or after: wraps four
 * methods, once, on the prototypes of the router and of its layers. They take notes and pass on what they were given.
 *
 * A subscription to the `TracingChannel` of Express 5.3 would tell of layers too, but not of leaving a router, and
 * costs 0.2 to 0.3 µs a layer before a subscriber has done anything.
 */
export function trackRouter(router: Router): void {
  const routers = ownerOf('handle', Object.getPrototypeOf(router))
  const layers = router.stack[0] && (Object.getPrototypeOf(router.stack[0]) as Record<string, unknown>)
  if (routers === undefined || layers === undefined || shared.tracked.has(layers)) return
  shared.tracked.add(layers)
  routers['handle'] = trackedHandle(routers['handle'] as HandleRouter)
  layers['match'] = trackedMatch(layers['match'] as Match)
  // Express 5 and 4.
  for (const name of ['handleRequest', 'handle_request']) {
    if (name in layers) layers[name] = trackedHandleRequest(layers[name] as HandleRequest)
  }
  for (const name of ['handleError', 'handle_error']) {
    if (name in layers) layers[name] = trackedHandleError(layers[name] as HandleError)
  }
}

function ownerOf(name: string, object: unknown): Record<string, unknown> | undefined {
  let owner = object as object | null
  while (owner !== null && !Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner) as object | null
  return (owner ?? undefined) as Record<string, unknown> | undefined
}

/** A router is entered by its `handle`, and left by the callback that this is given. */
function trackedHandle(original: HandleRouter): HandleRouter {
  return function handle(request, response, out) {
    if (typeof out !== 'function') return original.call(this, request, response, out)
    const trail = enter(request, response)
    const isFirst = trail.layer === undefined
    const leave = isFirst ? leaveFirst(trail, this, request, response, out) : leaveInner(trail, request, out)
    trail.router = this
    if (!trail.hasHooks) for (const _ in this.params) trail.hasHooks = true
    if (!isFirst) return original.call(this, request, response, leave)
    trail.target = request.url
    trail.method = request.method
    shared.entering = request
    shared.enteringTrail = trail
    shared.enteringResponse = response
    try {
      return original.call(this, request, response, leave)
    } finally {
      shared.entering = undefined
      shared.enteringTrail = undefined
      shared.enteringResponse = undefined
    }
  }
}

/** Out of a router that no layer has called: the application's own. */
function leaveFirst(trail: RequestTrail, router: Router, request: Request, response: Response, out: Next): Next {
  return function leave(this: unknown, error) {
    if (!trail.isFollowed && isUnread(request)) tellUnread(router, request, response)
    note(trail, request, error)
    return out.call(this, error)
  }
}

/**
 * Has a middleware's recorder told of requests that the middleware is not given, where it stands in the application's
 * own router for all paths: those whose target has no path, and those that the router need not give to it.
 */
export function recordFor(middleware: object, recorder: Recorder): void {
  shared.recorders.set(middleware, recorder)
}

const INITIAL: ReadonlySet<string> = new Set(['query', 'expressInit'])

/** A layer is given its first request. */
function see(layer: Layer): LayerNotes {
  // A router from another copy of Express.
  if (layer.route === undefined && layer.handle.stack !== undefined) trackRouter(layer.handle as unknown as Router)
  return noteLayer(
    layer,
    INITIAL.has(layer.handle.name),
    isForAllPaths(layer) ? shared.recorders.get(layer.handle) : undefined,
  )
}

/**
 * A layer costs Express some 2 µs (`express` with the variant `nothing` in benchmarks), for it reads the path anew behind
 * each one. So one that only records does so where its path is compared, and is left out as if that did not match. Only
 * before the first layer it is known which request that is.
 *
 * All layers have the one method: so the router's call of it has one target, which the engine can inline.
 */
function trackedMatch(original: Match): Match {
  return function match(path) {
    return shared.entering !== undefined && passBy(this, shared.entering) ? false : original.call(this, path)
  }
}

/** Whether a layer has done all that it is there for. */
function passBy(layer: Layer, entering: Request): boolean {
  const recorder = notesOf(layer)?.recorder
  if (recorder === undefined || recorder.isPage((shared.enteringTrail as RequestTrail).target, entering)) return false
  // What comes next may be the application's own: hooks for parameters, say.
  shared.entering = undefined
  recorder.record(entering, shared.enteringResponse as Response)
  return true
}

function isForAllPaths({ slash, regexp }: Layer): boolean {
  return slash === true || regexp?.fast_slash === true
}

/** Routers look for layers by a target's path: there is none in `http://[/`. Express 4 has nothing on a request then. */
function isUnread(request: Request): boolean {
  try {
    return !request.url.startsWith('/') && typeof request.path !== 'string'
  } catch {
    return true
  }
}

function tellUnread({ stack }: Router, request: Request, response: Response): void {
  for (const layer of stack) {
    if (isForAllPaths(layer)) shared.recorders.get(layer.handle)?.recordUnread(request, response)
  }
}

/** Into the router that the last layer stands for, and out of it: what was true before is true again. */
function leaveInner(trail: RequestTrail, request: Request, out: Next): Next {
  const { router, base, basePath, baseParams } = trail
  trail.base = trail.layer?.mounted(trail.layerBase) ?? base
  trail.basePath = request.baseUrl
  trail.baseParams = trail.collected
  return function leave(this: unknown, error) {
    note(trail, request, error)
    trail.router = router
    trail.base = base
    trail.basePath = basePath
    trail.baseParams = baseParams
    return out.call(this, error)
  }
}

function note(trail: RequestTrail, request: Request, error: unknown): void {
  if (trail.isAnswered) return
  try {
    trail.leave(request, error)
  } catch {
    // The name of the route is lost, the request is not.
  }
}

function trackedHandleRequest(original: HandleRequest): HandleRequest {
  return function handleRequest(request, response, next) {
    try {
      const notes = notesOf(this) ?? see(this)
      if (notes.isInitial === false) shared.entering = undefined
      const trail = trailOf(request, response)
      if (trail?.isAnswered === false) trail.give(this, notes, request)
    } catch {
      // As above.
      shared.entering = undefined
    }
    return original.call(this, request, response, next)
  }
}

function trackedHandleError(original: HandleError): HandleError {
  return function handleError(error, request, response, next) {
    if (isUndecodable(error)) {
      const trail = trailOf(request, response)
      if (trail !== undefined && !trail.isAnswered) trail.keep(request)
    }
    return original.call(this, error, request, response, next)
  }
}

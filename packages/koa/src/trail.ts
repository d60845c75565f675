import { keepClassOf } from '@narthex/core/http'
import type { Context } from 'koa'
import { joinPath, type Layer, type Path, templateOf } from './route.ts'

/** What @koa/router writes to a context, as each of its layers is given the request: the layer's path. */
const ROUTE = '_matchedRoute'
/** What koa-mount writes: the path of the mount, before it takes that off `ctx.path`. */
const MOUNT = 'mountPath'

const TRAIL = Symbol.for('@narthex/koa/trail/v1')

/** Prototypes are shared by all copies of this package: the first one tracks for all. */
const TRACKED = Symbol.for('@narthex/koa/tracked/v1')

type Tracked = Context & { [TRAIL]?: RequestTrail; readonly matched?: readonly Layer[] }

interface Mount {
  readonly outer: Mount | undefined
  /** With the mounts around it: `/shop/admin`. */
  readonly template: string
  /** What `ctx.path` is below it. */
  readonly path: string
}

/** Middleware that answers like this speaks for everybody: nothing has matched. */
const NOTHING_MATCHED: ReadonlySet<number> = new Set([404, 405, 501])

/**
 * Where a request is on its way. Notes are taken as routers and mounts write to the context, and the name of the route is
 * put together once, at the end: that of the last layer or mount after which the answer changed.
 */
export class RequestTrail {
  /** Of whom the request was given to last; the path is `undefined` for a mount itself. */
  base = ''
  path: Path | undefined = undefined
  /** The answer as it was then; the status is negative where the headers were out. */
  body: unknown = undefined
  status = 0
  /** Who had answered when the request was given to another. */
  answered: { readonly base: string; readonly path: Path | undefined } | undefined = undefined
  mount: Mount | undefined = undefined
  /** As they were written. */
  route: unknown = undefined
  mountPath: unknown = undefined

  /**
   * Tracks all requests of a context's application: two properties become accessors on the prototype that it makes its
   * contexts from. They give back what was written. One that the application has put there itself is left alone.
   */
  static track(context: Context): void {
    if (TRACKED in context) return
    const prototype = Object.getPrototypeOf(context) as object
    if (!(ROUTE in prototype))
      Object.defineProperty(prototype, ROUTE, { get: getRoute, set: setRoute, configurable: true })
    if (!(MOUNT in prototype))
      Object.defineProperty(prototype, MOUNT, { get: getMountPath, set: setMountPath, configurable: true })
    Object.defineProperty(prototype, TRACKED, { value: true })
  }

  /** The request is answered at `path` of where it is. */
  static enter(context: Context, path: Path): void {
    trailOf(context).enter(context, path)
  }

  /** The template that has answered; `undefined` where nothing has matched. */
  static template(context: Context, response: Context['res']): string | undefined {
    const { [TRAIL]: trail, matched } = context as Tracked
    // Without a trail the router was given the request before this package was.
    if (trail === undefined) return templateOf('', context[ROUTE], matched) ?? middlewareAt('', response)
    const { answered, body, status } = trail
    const isAnother =
      answered !== undefined && body === context.response.body && Math.abs(status) === response.statusCode
    const { base, path } = isAnother ? answered : trail
    return templateOf(base, path, matched) ?? middlewareAt(base, response)
  }

  enter(context: Context, path: Path): void {
    this.give(context, this.mount === undefined ? '' : (this.mountAt(context.path)?.template ?? ''), path)
  }

  give(context: Context, base: string, path: Path | undefined): void {
    const status = statusOf(context)
    const { body } = context.response
    if (this.status !== 0 && (body !== this.body || status !== this.status)) {
      this.answered = { base: this.base, path: this.path }
    }
    this.base = base
    this.path = path
    this.body = body
    this.status = status
  }

  enterMount(context: Context, mountPath: string): void {
    const { path } = context
    const outer = this.mountAt(path)
    const template = joinPath(outer?.template ?? '', mountPath)
    this.mount = { outer, template, path: path.slice(mountPath.length) || '/' }
    this.give(context, template, undefined)
  }

  /** The innermost mount that the request is still in: whoever passes it on puts the path back. */
  mountAt(path: string): Mount | undefined {
    let mount = this.mount
    while (mount !== undefined && mount.path !== path) mount = mount.outer
    return mount
  }
}

keepClassOf(new RequestTrail())

function trailOf(context: Tracked): RequestTrail {
  return (context[TRAIL] ??= new RequestTrail())
}

/** Headers that are out are an answer, whatever the status: some applications write to the response themselves. */
function statusOf({ res }: Context): number {
  return res.headersSent ? -res.statusCode : res.statusCode
}

function middlewareAt(base: string, response: Context['res']): string | undefined {
  return response.writableEnded && NOTHING_MATCHED.has(response.statusCode) ? undefined : `${base}/*`
}

function getRoute(this: Tracked): unknown {
  return this[TRAIL]?.route
}

function setRoute(this: Tracked, path: unknown): void {
  const trail = trailOf(this)
  trail.route = path
  try {
    if (typeof path === 'string' || path instanceof RegExp) trail.enter(this, path)
  } catch {
    // The name of the route is lost, the request is not.
  }
}

function getMountPath(this: Tracked): unknown {
  return this[TRAIL]?.mountPath
}

function setMountPath(this: Tracked, mountPath: unknown): void {
  const trail = trailOf(this)
  trail.mountPath = mountPath
  try {
    if (typeof mountPath === 'string') trail.enterMount(this, mountPath)
  } catch {
    // As above.
  }
}

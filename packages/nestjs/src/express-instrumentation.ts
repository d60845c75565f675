import type { Registry } from '@narthex/core'
import { isTargetAt, unmatchedRoute } from '@narthex/core/http'
import type { prometheus as prometheusOfExpress, PrometheusOptions } from '@narthex/express'
import { isSkipped, leaveOut } from './decorators/skip-metrics.decorator.ts'
import type { Instrumented } from './http-instrumentation.ts'
import { type CheckedOptions, optionsOfAdapter, ROUTE_METHODS } from './prometheus.options.ts'

type Middleware = ReturnType<typeof prometheusOfExpress>
type RouteOption = NonNullable<PrometheusOptions['route']>
type Request = Parameters<RouteOption>[0]
type Response = Parameters<RouteOption>[1]
type Next = (...args: unknown[]) => void
type Handler = (request: Request, response: Response, next: Next) => unknown
type Register = (this: unknown, ...args: unknown[]) => unknown

/** What is used of the adapter of `@nestjs/platform-express`. */
export interface ExpressAdapter {
  getType(): string
  getInstance(): Application
  setNotFoundHandler: (handler: Handler, ...rest: unknown[]) => unknown
}

interface Router {
  use(middleware: Middleware): unknown
  readonly stack: { readonly name?: string; readonly handle?: unknown }[]
}

/** An application of Express 4, with `_router` and `lazyrouter`, or of Express 5, with `router`. */
interface Application {
  _router?: Router
  lazyrouter?(): void
  readonly router: Router
}

/** Puts the middleware in front of everything, and tells it what only Nest knows: what has matched nothing or is skipped. */
export function instrumentExpress(prometheus: typeof prometheusOfExpress) {
  return (options: CheckedOptions, registry: Registry) =>
    (adapter: ExpressAdapter): Instrumented => {
      const names: Names = new WeakMap()
      const own = optionsOfAdapter(options) as PrometheusOptions
      const recorder = prometheus({ ...own, registry, route: routeOf(own, registry, names) })
      putFirst(adapter.getInstance(), recorder)
      noteUnmatched(adapter, names, unmatchedRoute(own.naming))
      for (const name of ROUTE_METHODS) leaveSkippedOut(adapter as never, name, registry)
      return {
        addPage(path, page, isRecorded) {
          const middleware: Middleware = function prometheusPage(request, response, next) {
            if (!(isTargetAt(path, request.url) ?? request.path === path)) return next()
            names.set(request, path)
            page.serve(request, response)
          }
          putFirst(adapter.getInstance(), middleware, isRecorded ? recorder : undefined)
        },
      }
    }
}

/** Of requests that Express gives to middleware, where only Nest knows what that is called. */
type Names = WeakMap<Request, string>

/** Nest answers a 404 in middleware, and with a prefix in a route: what they are called tells nothing. */
function routeOf({ route }: PrometheusOptions, registry: Registry, names: Names): RouteOption {
  if (route !== undefined && typeof route !== 'function') return route
  return (request, response) => {
    try {
      const name: unknown = route?.(request, response)
      if (typeof name === 'string') return name
      // Nobody waits for it: its rejection would end the process.
      if (name instanceof Promise) name.catch(() => {})
      if (name !== undefined && name !== null) registry.countLoss('hook_errors', 'route')
    } catch {
      registry.countLoss('hook_errors', 'route')
    }
    return names.get(request)
  }
}

function noteUnmatched(adapter: ExpressAdapter, names: Names, name: string): void {
  const { setNotFoundHandler } = adapter
  adapter.setNotFoundHandler = function (handler, ...rest) {
    const noting: Handler = (request, response, next) => {
      // Once the headers are out it is known who has answered, whatever it called `next` for.
      if (!response.headersSent) names.set(request, name)
      return handler(request, response, next)
    }
    return setNotFoundHandler.call(this, noting, ...rest)
  }
}

/**
 * In front of what is in the router already. Express 4 makes that with the first `use`, from settings that an application
 * may yet have to make: the middleware waits for it. With Express 5 Nest has had it made.
 */
function putFirst(app: Application, middleware: Middleware, behind?: Middleware): void {
  const { lazyrouter } = app
  if (typeof lazyrouter !== 'function' || app._router !== undefined)
    return insert(app._router ?? app.router, middleware, behind)
  app.lazyrouter = function (this: Application) {
    const isNew = this._router === undefined
    lazyrouter.call(this)
    if (isNew) insert(this._router as unknown as Router, middleware, behind)
  }
}

/** In front of all but what gives requests their methods, in Express 4, and what it is to come behind. */
function insert(router: Router, middleware: Middleware, behind: Middleware | undefined): void {
  router.use(middleware)
  const { stack } = router
  const own = stack.pop() as (typeof stack)[number]
  const before = stack.findLastIndex(({ name, handle }) => name === 'expressInit' || handle === behind)
  stack.splice(before + 1, 0, own)
}

function leaveSkippedOut(adapter: { [name: string]: unknown }, name: string, registry: Registry): void {
  const register = adapter[name] as Register | undefined
  if (typeof register !== 'function') return
  adapter[name] = function (this: unknown, ...args: unknown[]) {
    const handler = args.at(-1)
    return register.apply(
      this,
      isSkipped(handler) ? [...args.slice(0, -1), skipped(handler as Handler, registry)] : args,
    )
  }
}

function skipped(handler: Handler, registry: Registry): Handler {
  const left: Handler = (request, response, next) => {
    const takeBack = leaveOut(response, registry)
    return handler(request, response, (...args) => {
      // It was another version's handler that the request is for.
      takeBack()
      next(...args)
    })
  }
  // Nest keeps a handler's version on it.
  return Object.assign(left, handler)
}

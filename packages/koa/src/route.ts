export type Path = string | RegExp

/** A layer of @koa/router, as `ctx.matched` lists those that match a path. Middleware has no methods. */
export interface Layer {
  readonly path: Path
  readonly methods: readonly string[]
}

/** What @koa/router puts in the place of a path, or behind a prefix, where middleware was given none: 12 to 14, and 15. */
const ANY_PATH = /(?:\(\[\^\/\]\*\)|\(\?:\\\/\|\$\)|\{\/\*rest\})$/

const SLASH = 0x2f

/**
 * The template of the layer at `path`, mounted at `base`; `undefined` where the path is not one. Middleware of a router
 * answers for everything below its path, unless a route has the same one.
 */
export function templateOf(base: string, path: unknown, matched: readonly Layer[] | undefined): string | undefined {
  if (typeof path === 'string') {
    if (isMiddleware(path, matched)) return `${joinPath(base, path.replace(ANY_PATH, ''))}/*`
    return joinPath(base, path) || '/'
  }
  return path instanceof RegExp ? `${base}/${path.source}/${isMiddleware(path, matched) ? '/*' : ''}` : undefined
}

/** From the end, where the route mostly is. */
function isMiddleware(path: Path, matched: readonly Layer[] = []): boolean {
  let found = false
  for (let index = matched.length - 1; index >= 0; index--) {
    const layer = matched[index] as Layer
    if (layer.path !== path) continue
    if (layer.methods.length > 0) return false
    found = true
  }
  return found
}

/** Without a slash at the end. */
export function joinPath(base: string, path: string): string {
  let end = path.length
  while (end > 0 && path.charCodeAt(end - 1) === SLASH) end -= 1
  return base + (end === path.length ? path : path.slice(0, end))
}

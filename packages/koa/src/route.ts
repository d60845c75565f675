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
  if (path instanceof RegExp) return `${base}/${path.source}/${isMiddleware(path, matched) ? '/*' : ''}`
  if (typeof path !== 'string') return undefined
  if (isMiddleware(path, matched)) return `${joinPath(base, path.replace(ANY_PATH, ''))}/*`
  return joinPath(base, path) || '/'
}

function isMiddleware(path: Path, matched: readonly Layer[] | undefined): boolean {
  let found = false
  for (const layer of matched ?? []) {
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

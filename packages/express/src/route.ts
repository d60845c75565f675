import type { Layer } from './layer.ts'
import { mountPaths } from './mount-path.ts'

/** How a layer is called, in each place that its router is mounted at. */
export class LayerTemplate {
  readonly #path: string
  readonly #isRoute: boolean
  /** By the template of the mount: the strings are made once, so that looking a series up need not hash them anew. */
  readonly #whole = new Map<string, string>()
  readonly #mounted = new Map<string, string>()
  /** The template of the mount that was asked for last, as it is in almost all routers, and what it makes. */
  #latestBase: string | undefined = undefined
  #latestWhole = ''

  constructor(path: string | RegExp, isRoute: boolean) {
    this.#path = typeof path === 'string' ? path.replace(/\/+$/, '') : `/${path.source}/`
    this.#isRoute = isRoute
  }

  /** The whole template of what answers here. Middleware answers for everything below its mount. */
  whole(base: string): string {
    if (base === this.#latestBase) return this.#latestWhole
    let whole = this.#whole.get(base)
    if (whole === undefined) {
      const joined = join(base, this.#path)
      whole = this.#isRoute ? joined || '/' : `${joined}/*`
      this.#whole.set(base, whole)
    }
    this.#latestBase = base
    this.#latestWhole = whole
    return whole
  }

  /** The template that a router called from here is mounted at. A route does not shorten the path that it passes on. */
  mounted(base: string): string {
    if (this.#isRoute) return base
    let mounted = this.#mounted.get(base)
    if (mounted === undefined) {
      mounted = join(base, this.#path)
      this.#mounted.set(base, mounted)
    }
    return mounted
  }
}

/** Finds the template where it depends on the request, from the path as the layer's router sees it. */
export type TemplateFinder = (layer: Layer, path: string) => LayerTemplate

function join(base: string, path: string): string {
  return base === '' || path === '' || path.startsWith('/') ? base + path : `${base}/${path}`
}

/**
 * The template of a layer; `null` for layers that are not given requests in a router: handlers within a route, which
 * speak for it, and error handlers. Called once for each layer.
 */
export function templateOf(layer: Layer): LayerTemplate | TemplateFinder | null {
  if (!('route' in layer)) return null
  const isRoute = layer.route !== undefined
  if (!isRoute && layer.handle.length > 3) return null
  const path = layer.route?.path ?? layer.rawPath
  if (Array.isArray(path)) return firstOf(path.flat(Infinity) as (string | RegExp)[], layer, isRoute)
  if (path !== undefined) return new LayerTemplate(path as string | RegExp, isRoute)
  if (layer.slash === true || layer.regexp?.fast_slash === true) return new LayerTemplate('/', false)
  if (layer.regexp?.fast_star === true) return new LayerTemplate('*', false)
  if (layer.regexp === undefined) return lastMatched()
  const paths = mountPaths(layer.regexp, layer.keys as { name: string | number }[])
  return choose(paths.map(({ path: each, regexp }) => [new LayerTemplate(each, false), (tried) => regexp.test(tried)]))
}

type Choice = readonly [template: LayerTemplate, matches: (path: string) => unknown]

/** Of several paths the one that matched: the first that matches, as the router tries them in turn. */
function choose(choices: readonly Choice[]): LayerTemplate | TemplateFinder {
  const [first] = choices as [Choice]
  if (choices.length === 1) return first[0]
  return (_layer, path) => (choices.find(([, matches]) => matches(path)) ?? first)[0]
}

function firstOf(paths: readonly (string | RegExp)[], layer: Layer, isRoute: boolean): LayerTemplate | TemplateFinder {
  return choose(paths.map((path, index): Choice => [new LayerTemplate(path, isRoute), matcherOf(path, index, layer)]))
}

function matcherOf(path: string | RegExp, index: number, layer: Layer): (path: string) => unknown {
  const own = layer.matchers?.[index]
  if (own !== undefined) return own
  // Express 4 has joined the paths of an array to one expression: a layer for each path is asked anew.
  const LayerOfOne = layer.constructor as new (path: string | RegExp, options: object, handle: () => void) => Layer
  const options = { sensitive: layer.regexp?.ignoreCase === false, strict: false, end: true }
  const { regexp } = new LayerOfOne(path, options, () => {})
  return (tried) => regexp?.test(tried)
}

/**
 * Before 2.3 the `router` of Express 5 does not keep the paths of mounts: they are made from what matched and the names
 * of its parameters. What is not a parameter is in lower case, for the client might have written it in any.
 */
function lastMatched(): TemplateFinder {
  const templates = new Map<string, LayerTemplate>()
  return (layer) => {
    const path = spellBack(layer)
    let template = templates.get(path)
    if (template === undefined) templates.set(path, (template = new LayerTemplate(path, false)))
    return template
  }
}

function spellBack({ path = '', keys = [], params = {}, matchers = [] }: Layer): string {
  if (matchers.some((matcher) => matcher.name === 'regexpMatcher')) return '/*'
  const names = keys as readonly string[]
  const segments = path.toLowerCase().split('/')
  const decoded = path.split('/').map(decode)
  let end = segments.length
  // From the right: a parameter's value may be spelled like a fixed part, which more often stands in front of it.
  for (const name of names.toReversed()) {
    const value = params[name]
    if (value === undefined) continue
    const values = typeof value === 'string' ? [value] : value
    let start = end - values.length
    while (start > 0 && !values.every((each, index) => decoded[start + index] === each)) start -= 1
    if (start <= 0) return names.map((each) => `/:${each}`).join('')
    segments.splice(start, values.length, typeof value === 'string' ? `:${name}` : `*${name}`)
    end = start
  }
  return segments.join('/')
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

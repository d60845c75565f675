/** A path as an application gives it to `use`, `get` and their kin. */
export type Path = string | RegExp | readonly Path[]

export interface Router {
  readonly stack: readonly Layer[]
  /** Hooks by the name of their parameter. */
  readonly params?: object
}

/** What the routers of Express 4 and 5 have in their stacks, as far as it tells a path. */
export interface Layer {
  readonly handle: ((...args: never[]) => unknown) & { readonly stack?: readonly Layer[] }
  /** Own property where the layer stands in a router: a route, or `undefined` for middleware. Routes' own layers have none. */
  readonly route?: { readonly path: Path }
  /** Express 5, `router` 2.3 and later. */
  readonly rawPath?: Path
  /** Express 5: one for each path. */
  readonly matchers?: readonly ((path: string) => unknown)[]
  /** Express 5: mounted at `/`. */
  readonly slash?: boolean
  /** Express 4. */
  readonly regexp?: RegExp & { readonly fast_slash?: boolean; readonly fast_star?: boolean }
  /** Express 4: names of what the groups of `regexp` capture. Express 5 before `router` 2.3: of the last match. */
  readonly keys?: readonly (string | { readonly name: string | number })[]
  /** Of the last match, in Express 4 and before `router` 2.3. */
  readonly path?: string
  readonly params?: { readonly [name: string]: string | readonly string[] | undefined }
}

import type { Request, Response } from 'express'
import type { Layer } from './layer.ts'
import { type LayerTemplate, type TemplateFinder, templateOf } from './route.ts'

/** What a middleware that records does with a request. Nothing here may throw. */
export interface Recorder {
  /** Whether the middleware answers a request with this target. */
  isPage(target: string, request: Request): boolean
  record(request: Request, response: Response): void
  /** Of one that its router gives to no layer. */
  recordUnread(request: Request, response: Response): void
}

/** What is known of a layer, once it was given a request. */
export interface LayerNotes {
  /** `null` where it has none of its own. */
  readonly template: LayerTemplate | TemplateFinder | null
  /** Whether Express 4 begins every application with it: such a layer passes all on at once. */
  readonly isInitial: boolean
  /** Of a middleware that is left out of the way of requests. */
  readonly recorder: Recorder | undefined
}

/** For all copies of this package. On the layer: to look into a map for each layer of each request is dearer. */
const KEY = Symbol.for('@narthex/express/layer/v1')

export function notesOf(layer: Layer & { readonly [KEY]?: LayerNotes }): LayerNotes | undefined {
  return layer[KEY]
}

export function noteLayer(layer: Layer, isInitial = false, recorder: Recorder | undefined = undefined): LayerNotes {
  const notes = { template: templateOf(layer), isInitial, recorder }
  Object.defineProperty(layer, KEY, { value: notes })
  return notes
}

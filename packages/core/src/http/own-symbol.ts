/**
 * The symbol that an object has a property of its own by, known from what it is described as: where Node and frameworks
 * keep what is theirs. `undefined` where there is none, so that whoever asks has another way. Looks at all symbols of the
 * object: asked for once, not with each request.
 */
export function ownSymbolOf(object: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description)
}

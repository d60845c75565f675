/** By class: copies of the package have classes of their own. */
const kept: object[] = []

/**
 * Keeps the hidden class of what is made for each request, as `example` has it. With the last object of one the engine
 * forgets it, and throws away the compiled code that stood on it: a collection in any quiet moment does that, when no
 * request is open, and each one after it again. Without this a request of Koa's costs 1.7 µs more then (`koa` in
 * benchmarks, where servers have had such collections).
 */
export function keepClassOf(example: object): void {
  kept.push(example)
}

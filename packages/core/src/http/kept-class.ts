/** By class: copies of the package have classes of their own. */
const kept: object[] = []

/**
 * Keeps the hidden class of what is made for each request, as `example` has it. With the last object of one the engine
 * forgets it, and throws away the compiled code that stood on it: a collection in any quiet moment does that, when no
 * request is open. Without this every field of an exchange was learnt anew behind each one (`node --log-ic`), and three
 * rounds with Koa came to 1.3 µs a request more in their mean (`koa` in benchmarks: its servers have such collections).
 */
export function keepClassOf(example: object): void {
  kept.push(example)
}

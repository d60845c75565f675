// Milliseconds until a library is imported, in a process that has loaded nothing else: `node import.mjs <library>`.
import { performance } from 'node:perf_hooks'

// Named by package: libraries.mjs would load modules that some of the libraries share with it.
const [, , specifier] = process.argv
const start = performance.now()
await import(specifier)
console.log(JSON.stringify({ milliseconds: performance.now() - start }))

// Variants share one process and one copy of their framework: two copies differ by more than what is looked for, as the
// engine comes to other terms with each. So what a variant has put on prototypes of Node and of its framework is there
// in its own turns alone.
import { IncomingMessage, OutgoingMessage, ServerResponse } from 'node:http'

const OF_NODE = [IncomingMessage.prototype, OutgoingMessage.prototype, ServerResponse.prototype]

/** Keeps for each variant the methods of prototypes as it has them. */
export class Prototypes {
  #all
  #methods
  #current

  constructor(ofFramework, variants) {
    this.#all = [...OF_NODE, ...ofFramework]
    this.#methods = variants.map(() => this.#read())
  }

  /** From now on the methods are those of a variant. */
  enter(variant) {
    if (this.#current !== undefined) this.#methods[this.#current] = this.#read()
    this.#current = variant
    for (const [index, methods] of this.#methods[variant].entries()) {
      const prototype = this.#all[index]
      for (const [name, method] of methods) if (prototype[name] !== method) prototype[name] = method
    }
  }

  #read() {
    return this.#all.map((prototype) => {
      const methods = new Map()
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
        if (typeof value === 'function') methods.set(name, value)
      }
      return methods
    })
  }
}

/** The prototypes of Express' router and of its layers. */
export function prototypesOfExpress(router) {
  const found = []
  for (let each = Object.getPrototypeOf(router); each !== Function.prototype; each = Object.getPrototypeOf(each)) {
    found.push(each)
  }
  router.use(() => {})
  return [...found, Object.getPrototypeOf(router.stack[0])]
}

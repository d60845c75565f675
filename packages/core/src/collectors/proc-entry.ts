import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** More than the files have that are read here: one read has all of them. */
const MOST_BYTES = 8192

/**
 * A file or folder below `/proc`, opened when it is first asked for and kept open: opening it is most of what reading it
 * costs. The kernel makes the text as it is read, so there is no disk to wait for. What cannot be read is empty; it never
 * throws.
 */
export class ProcEntry {
  readonly #path: string
  #descriptor: number | undefined
  #buffer: Buffer | undefined
  #closed = false

  constructor(path: string) {
    this.#path = path
  }

  /** What it says now. */
  text(): string {
    const buffer = (this.#buffer ??= Buffer.allocUnsafeSlow(MOST_BYTES))
    return this.#ask('', (descriptor) => buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, MOST_BYTES, 0)))
  }

  /** Its size in bytes; of a folder, what the kernel tells as such. */
  size(): number {
    return this.#ask(0, (descriptor) => fstatSync(descriptor).size)
  }

  /** Lets go of it for good. */
  close(): void {
    this.#closed = true
    const descriptor = this.#descriptor
    this.#descriptor = undefined
    try {
      if (descriptor !== undefined) closeSync(descriptor)
    } catch {
      // Somebody has closed it already.
    }
  }

  #ask<T>(otherwise: T, question: (descriptor: number) => T): T {
    if (this.#closed) return otherwise
    try {
      return question((this.#descriptor ??= openSync(this.#path, 'r')))
    } catch {
      return otherwise
    }
  }
}

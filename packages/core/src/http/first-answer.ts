import type { Duplex } from 'node:stream'

type Write = (this: Duplex, ...args: unknown[]) => unknown

const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})/

/**
 * Tells once of the status that is written to a socket first, before it is written; `undefined` where that is no answer
 * of HTTP. For what Node hands out as a bare socket: whoever has it answers as they like. Takes a look at the first
 * chunk, an informational answer aside, and is gone then.
 */
export function onFirstAnswer(socket: Duplex, told: (status: number | undefined) => void): void {
  const target = socket as unknown as Record<'write' | 'end', Write>
  const found = {
    write: Object.getOwnPropertyDescriptor(target, 'write'),
    end: Object.getOwnPropertyDescriptor(target, 'end'),
  }
  const own = { write: target.write, end: target.end }
  const looking = { write: lookingAt('write'), end: lookingAt('end') }
  let isTold = false
  for (const method of ['write', 'end'] as const) {
    Object.defineProperty(target, method, {
      value: looking[method],
      configurable: true,
      enumerable: false,
      writable: true,
    })
  }

  function lookingAt(method: 'write' | 'end'): Write {
    return function (this: Duplex, ...args) {
      if (!isTold) look(args[0])
      return own[method].apply(this, args)
    }
  }

  function look(chunk: unknown): void {
    if (typeof chunk !== 'string' && !ArrayBuffer.isView(chunk)) return
    const status = statusOf(chunk)
    if (status !== undefined && status < 200 && status !== 101) return
    isTold = true
    for (const method of ['write', 'end'] as const) {
      // Somebody else may have wrapped it since.
      if (target[method] !== looking[method]) continue
      if (found[method] === undefined) delete (target as Partial<typeof target>)[method]
      else Object.defineProperty(target, method, found[method])
    }
    told(status)
  }
}

function statusOf(chunk: string | ArrayBufferView): number | undefined {
  const start =
    typeof chunk === 'string'
      ? chunk.slice(0, 12)
      : Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.byteLength, 12)).toString('latin1')
  const status = STATUS_LINE.exec(start)?.[1]
  return status === undefined ? undefined : Number(status)
}

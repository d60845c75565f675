/**
 * Tells the operator of something that is counted but not thrown: `process.emitWarning` with a code, or the console
 * where there is no process. The caller sees to it that one cause warns once.
 */
export function emitWarning(message: string, code: string): void {
  const { process } = globalThis as { process?: { emitWarning?(message: string, options: object): void } }
  if (typeof process?.emitWarning === 'function') process.emitWarning(message, { type: 'NarthexWarning', code })
  else console.warn(`[${code}] ${message}`)
}

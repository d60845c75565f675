import { onTestFinished, vi } from 'vitest'

/** One warning, as it was given to `process.emitWarning`. */
export interface Warning {
  readonly message: string
  readonly type: string
  readonly code: string
}

/** Keeps the warnings of this test, instead of letting the process print them. */
export function recordWarnings(): readonly Warning[] {
  const warnings: Warning[] = []
  const spy = vi.spyOn(process, 'emitWarning').mockImplementation(((message: string, options: object) => {
    warnings.push({ message, ...(options as { type: string; code: string }) })
  }) as typeof process.emitWarning)
  onTestFinished(() => spy.mockRestore())
  return warnings
}

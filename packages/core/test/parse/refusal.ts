import { ParseError } from '@narthex/core/parse'

/** The {@link ParseError} that `parse` throws. Fails for any other error, and where there is none. */
export function refusalOf(parse: () => unknown): ParseError {
  try {
    parse()
  } catch (error) {
    if (error instanceof ParseError) return error
    throw error
  }
  throw new Error('expected a ParseError')
}

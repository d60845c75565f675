/** A media type and its parameters, as `Accept` and `Content-Type` spell them. */
export interface MediaType {
  /** `type/subtype` in lower case. */
  readonly type: string
  readonly parameters: ReadonlyMap<string, string>
}

/**
 * Reads `text/plain; version=0.0.4`. Undefined where there is no `type/subtype`. A parameter without a value, or with
 * a second `=`, is passed over; of two with the same name the last one counts. Linear in the length of the text.
 */
export function parseMediaType(text: string): MediaType | undefined {
  const parts = text.split(';')
  const type = (parts[0] as string).trim().toLowerCase()
  const slash = type.indexOf('/')
  if (type !== '*' && (slash < 0 || type.indexOf('/', slash + 1) >= 0)) return undefined
  const parameters = new Map<string, string>()
  for (let index = 1; index < parts.length; index++) {
    const part = parts[index] as string
    const equals = part.indexOf('=')
    if (equals < 0 || part.indexOf('=', equals + 1) >= 0) continue
    parameters.set(part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim())
  }
  return { type: type === '*' ? '*/*' : type, parameters }
}

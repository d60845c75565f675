/** How an answer may be compressed, by the names of the IANA registry of content codings. */
export type ContentEncoding = 'identity' | 'gzip' | 'br' | 'zstd'

/**
 * The content coding for an answer: of those `offered` the one that `Accept-Encoding` gives the highest weight, of
 * equals the one offered first (RFC 9110, 12.5.3). Any listed coding is better than none at all; `identity` is the
 * answer to everything else, also where it is refused: an uncompressed page helps more than none. Linear, never throws.
 */
export function negotiateEncoding<Offered extends ContentEncoding>(
  acceptEncoding: string | null | undefined,
  offered: readonly Offered[],
): Offered | 'identity' {
  const weights = weightsOf(acceptEncoding ?? '')
  const others = weights.get('*') ?? 0
  let best: Offered | 'identity' = 'identity'
  let bestWeight = 0
  for (const encoding of offered) {
    if (encoding === 'identity') continue
    const weight = weights.get(encoding) ?? others
    if (weight > bestWeight) {
      best = encoding
      bestWeight = weight
    }
  }
  const identity = weights.get('identity')
  return identity !== undefined && identity > bestWeight ? 'identity' : best
}

/** `x-gzip` is another name of gzip (RFC 9110, 8.4.1.3). Of a coding named twice the last weight counts. */
function weightsOf(header: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const clause of header.split(',')) {
    const [coding = '', ...parameters] = clause.split(';')
    const name = coding.trim().toLowerCase()
    if (name === '') continue
    let weight = 1
    for (const parameter of parameters) {
      const [key = '', value = ''] = parameter.split('=', 2)
      if (key.trim().toLowerCase() === 'q') weight = Number(value.trim() === '' ? Number.NaN : value)
    }
    weights.set(name === 'x-gzip' ? 'gzip' : name, weight >= 0 && weight <= 1 ? weight : 0)
  }
  return weights
}

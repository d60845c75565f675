const LINE_FEED = 0x0a
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Code units that are turned into a string in one call. */
const UNIT_BLOCK = 8192

/**
 * Undoes `\\`, `\n` and, where `quotes`, `\"`; a backslash before anything else stays what it is. Goes over a buffer
 * because a string put together from a million pieces keeps every piece alive.
 */
export function unescapeText(text: string, quotes: boolean): string {
  if (!text.includes('\\')) return text
  const units = new Uint16Array(text.length)
  let length = 0
  for (let index = 0; index < text.length; index++) {
    let unit = text.charCodeAt(index)
    if (unit === BACKSLASH) {
      const next = text.charCodeAt(index + 1)
      if (next === BACKSLASH || next === 0x6e || (quotes && next === QUOTE)) {
        unit = next === 0x6e ? LINE_FEED : next
        index += 1
      }
    }
    units[length++] = unit
  }
  let unescaped = ''
  for (let start = 0; start < length; start += UNIT_BLOCK) {
    const block = units.subarray(start, Math.min(start + UNIT_BLOCK, length))
    unescaped += String.fromCharCode.apply(null, block as unknown as number[])
  }
  return unescaped
}

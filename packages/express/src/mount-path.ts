/** A path that a mount was given, read back from the expression that Express 4 keeps in its place. */
export interface MountPath {
  readonly path: string | RegExp
  /** Matches this path alone, where the mount was given several. */
  readonly regexp: RegExp
}

type Keys = readonly { readonly name: string | number }[]

/** A path of a mount ends like this: nothing, or another segment. */
const END = String.raw`\/?(?=\/|$)`

const ATOM = String.raw`\\.|\[(?:\\.|[^\]\\])*\]|[^()\[\\]`
/** A group that captures, with groups in it three levels deep. */
const GROUP = [1, 2, 3].reduce((inner) => String.raw`\((?:${ATOM}|${inner})*\)`, String.raw`\((?:${ATOM})*\)`)
const CAPTURE = String.raw`(?!\(\?)${GROUP}`
const STAR = String.raw`\(\(\?:\[\\?\/(?:\\\.)?\]\.\+\?\)\?\)`

/**
 * A named parameter with dot, slash, expression, star and question mark; a wildcard; another group; the beginning of a
 * group after a slash, which is kept from capturing; an escaped character.
 */
const PARTS = new RegExp(
  String.raw`\(\?:(\\\.)?(\\\/)?(${CAPTURE})(${STAR})?\)(\?)?|\(\.\*\)|(${CAPTURE})|(\(\?:)|\\(\W)`,
  'g',
)

/** What a name stands for that has no expression of its own. */
const ANY_SEGMENT = /^\(\[\^\\?\/(?:\\\.)?\]\+\?\)$|^\(\(\?:\(\?!/

/**
 * The paths that a mount of Express 4 was given: it keeps only what path-to-regexp 0.1 has made of them. Covers what
 * 0.1.7 and the later 0.1s make of names, their expressions, `?`, `*` and arrays. A mount at an expression of the
 * application's own is given back as it is; of several in an array, those side by side are one.
 */
export function mountPaths(regexp: RegExp, keys: Keys): MountPath[] {
  const { source, flags } = regexp
  const alternatives = alternativesOf(source)
  if (!alternatives.some(isPath)) return [{ path: regexp, regexp }]
  const names = keys.map(({ name }) => name)
  return joinExpressions(alternatives).map((each) => {
    const own = new RegExp(each, flags)
    if (isPath(each)) return { path: pathFrom(each.slice(1, -END.length), names), regexp: own }
    names.splice(0, countGroups(each))
    return { path: own, regexp: own }
  })
}

/** An array is one group of alternatives up to 0.1.7, and bare alternatives later. */
function alternativesOf(source: string): string[] {
  const found = splitAlternatives(source)
  if (found.length > 1 || !source.startsWith('(?:')) return found
  const inner = splitAlternatives(source.slice(3, -1))
  return inner.some(isPath) ? inner : found
}

/** At the bars that are in no group and in no class. */
function splitAlternatives(source: string): string[] {
  const alternatives = ['']
  let depth = 0
  for (const [part] of source.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|[^]/g)) {
    if (part === '(') depth += 1
    if (part === ')') depth -= 1
    if (part === '|' && depth === 0) alternatives.push('')
    else alternatives[alternatives.length - 1] += part
  }
  return alternatives
}

function isPath(alternative: string): boolean {
  return alternative.startsWith('^') && alternative.endsWith(END)
}

/** An expression may have alternatives of its own, and nothing tells them from its neighbours. */
function joinExpressions(alternatives: readonly string[]): string[] {
  const joined: string[] = []
  for (const each of alternatives) {
    const before = joined.at(-1)
    if (before === undefined || isPath(each) || isPath(before)) joined.push(each)
    else joined[joined.length - 1] = `${before}|${each}`
  }
  return joined
}

/** Takes the names that the path uses from the front of `names`. */
function pathFrom(body: string, names: (string | number)[]): string {
  return body.replace(PARTS, (part: string, dot, slash, capture, star, optional, other, group, escaped?: string) => {
    if (escaped !== undefined) return escaped
    if (group !== undefined) return '('
    const [name] = names.splice(0, countGroups(part))
    if (capture === undefined) return other === undefined ? '*' : part
    if (typeof name !== 'string') return part
    const expression = ANY_SEGMENT.test(capture as string) ? '' : (capture as string)
    return [slash && '/', dot && '.', ':', name, expression, star && '*', optional].join('')
  })
}

function countGroups(source: string): number {
  return (source.match(/\\.|\[(?:\\.|[^\]\\])*\]|\((?!\?(?!<[^=!]))/g) ?? []).filter((part) => part === '(').length
}

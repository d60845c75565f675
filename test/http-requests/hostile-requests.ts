/** The names of parameters that are promoted, and the values that may appear. No route has the last three. */
export const PARAMETERS = {
  id: ['7', 'constructor', 'toString', '__proto__', '__overflow__'],
  constructor: ['x', '__overflow__'],
  toString: ['x'],
  hasOwnProperty: ['x'],
}

export const METHODS = {
  known: 'GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH QUERY _OTHER'.split(' '),
  /** Those that Node's parser lets through. */
  http1: 'GET GET GET HEAD POST PUT DELETE OPTIONS PATCH TRACE PROPFIND M-SEARCH PURGE SOURCE'.split(' '),
  /** Any token is one. */
  http2: [
    'get',
    'Get',
    'GETT',
    '__proto__',
    'constructor',
    'toString',
    '_OTHER',
    '__overflow__',
    "!#$%&'*+-.^`|~",
    'X'.repeat(2000),
  ],
}

const SEGMENTS = [
  ...['users', 'USERS', 'api', 't', 'orders', 'v1', 'DE', 'hello', 'colour', 'color', 'reports', 'files', 'static'],
  ...['guarded', 'admin', 'hooked', 'shops', 'items', 'plain', '7', '007', '_', ':id', '*', '*path', '<unmatched>'],
  ...['__proto__', 'constructor', 'toString', 'prototype', '__overflow__', 'hasOwnProperty', 'null', 'undefined'],
  ...['', '.', '..', '%2e%2e', '%2f', '%5c', '%00', '%0a', '%zz', '%', '%e0%a4%a', '%ff', '%c3%a9', '%F0%9F%92%A9'],
  ...['(', ')', '{', '}', '[', ']', '|', '^', '`', '\\', '"', "'", ';', '@', '$', '&', '=', '+', '~', ',', '!'],
  ...['x'.repeat(101), 'x'.repeat(3000), '%41'.repeat(500)],
]

const QUERIES = [
  ...['', '', '', '?', '??', '?%zz', '?__proto__[x]=1', '?a[constructor][prototype]=1', '#a', '?#', '?/users/7'],
  ...[`?${'a=1&'.repeat(2000)}`, `?${'%'.repeat(5000)}`, `?${'a[]='.repeat(1500)}`],
]

/** A target may be a whole URL. Of some of these no parser makes one. */
const ORIGINS = [
  ...['', '', '', '', 'http://example.com', 'HTTP://EXAMPLE.com:80', 'https://u:p@x:0', 'http://[', 'http://a[b'],
  ...['http://[::1', 'http://xn--0.com', 'http://a:99999999', 'http://a@b@c', 'ftp://x', 'constructor://x', '//x'],
]

export const traceparents = [
  `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  ...['', '-', '00', '00---', '__proto__', 'constructor', '\xe9\xff', '%00', '"', '\\n'],
  `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`,
  `00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`,
  `ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  `00-${'A'.repeat(32)}-${'b'.repeat(16)}-01`,
  `00-${'a'.repeat(32)}-${'b'.repeat(16)}-0g`,
  `00-${'a'.repeat(3200)}-${'b'.repeat(16)}-01`,
  `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`,
]

const HEADERS = [
  ...traceparents.map((value) => `traceparent: ${value}`),
  ...['X-Forwarded-For: __proto__', 'X-Forwarded-Host: [', 'X-Forwarded-Proto: constructor', 'Forwarded: host="'],
  ...['__proto__: x', 'constructor: x', 'toString: x', 'Cookie: __proto__=1; constructor=2', 'Content-Type: __proto__'],
  ...['Accept: \xff', 'If-None-Match: *', 'X-HTTP-Method-Override: INVENTED', `X-Long: ${'x'.repeat(5000)}`],
]

const HOSTS = ['a', '', '[', '__proto__', 'a:b:c', 'localhost:99999', '\xe9', 'x'.repeat(1000)]

/** The same ones each time. */
export function hostileRequests(): string[] {
  const random = randomFrom(20_261_128)
  const one = (list: readonly string[]): string => list[Math.floor(random() * list.length)] as string
  const requests = ORIGINS.map((origin) => requestOf('GET', `${origin}/users/7`, 'a', 'X-A: a'))
  for (const segment of SEGMENTS) requests.push(requestOf('GET', `/users/${segment}`, 'a', 'X-A: a'))
  for (let round = 0; round < 50; round += 1) {
    const segments = Array.from({ length: 1 + Math.floor(random() * 5) }, () => one(SEGMENTS))
    requests.push(
      requestOf(one(METHODS.http1), `${one(ORIGINS)}/${segments.join('/')}${one(QUERIES)}`, one(HOSTS), one(HEADERS)),
    )
  }
  return requests
}

function requestOf(method: string, target: string, host: string, header: string): string {
  return `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${header}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`
}

/** Mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Requests that every adapter is shown, as data: what is sent, and what must be counted. The routes that they ask for
 * are listed below; each adapter's test builds them in its framework.
 */
export interface RequestRow {
  readonly name: string
  readonly send: Send
  /** What is counted: nothing, one request, or several in one exchange. */
  readonly counted: readonly Counted[]
  /** Left out where a framework cannot do it. */
  readonly needs?: Ability
}

/** What not every framework can do. */
export type Ability = 'http2' | 'HEAD of HTTP/2' | 'sub-application' | 'parameter hooks' | 'mount parameters'

export interface Counted {
  readonly route: string
  readonly code: number
  /** @default what is sent, or GET */
  readonly method?: string
}

export interface Send {
  readonly method?: string
  readonly path?: string
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string
  /** Written to the socket as it stands; the answers are read until there are `answers`, or the socket ends. */
  readonly raw?: string
  readonly answers?: number
  /**
   * When the client goes away: once the request has been seen, once the body of the request was sent and read, with the
   * first bytes of the answer, or when the server has handed over an answer that is larger than any buffer.
   */
  readonly leave?: 'before the answer' | 'in the answer' | 'after the answer'
  /** A stream of HTTP/2, cancelled where it has to leave. */
  readonly http2?: true
}

/**
 * What an application must do for the rows, in words:
 *
 * - `GET /plain` 200; `GET /conditional` 200 with an ETag of `"1"`, 304 for `If-None-Match: "1"`
 * - `GET /users/:id`, `POST /users/:id` 201, `GET /shops/:shop/items/:item`
 * - two routers in each other, `/api` and in it `/t/:tenant`: `GET /`, `GET /orders/:id`, `GET /boom` fails with a 500
 * - one router mounted at `/v1` and at `/v2`: `GET /status`; one mounted at both `/de` and `/fr`: `GET /hello`
 * - `GET` of an array, `/colour` or `/color/:name`; of a RegExp, `^\/reports\/\d+$`; of everything below `/files/`
 * - an application of its own at `/admin`: `GET /users/:id`, and nothing else
 * - middleware that answers: 200 for files at `/static`, of which `/static/hello.txt` is one; 401 at `/guarded`; 403
 *   everywhere for requests with a header `x-forbidden`
 * - `GET /throws` throws, `GET /rejects` rejects, `GET /status-error` fails with a 418; the application answers all
 *   errors itself with the error's `status`, or 500
 * - `POST /json` reads at most 1,000 bytes of `application/json`: fails with a 400 where they are none, and with a 413
 *   where they are more; what reads `application/vnd.api+json` is in front of all routes, where a framework can have it
 *   there, and fails alike
 * - `GET /passes` hands on to whoever comes next, and nobody does
 * - `GET /passes-after` answers 200 and hands on all the same
 * - `GET /hooked/:key`: a hook for `key` answers 404 for `missing`, fails with a 500 for `broken`; else 200
 * - `GET /hang` and `POST /upload` never answer (the latter reads the body); `GET /drip` writes something and never ends
 * - `GET /large` answers with 32 MB at once; `GET /timeout` is answered by a timer, with 503
 * - `GET /stream` writes three chunks a little apart; `GET /events` is an event stream with one event and an end;
 *   `GET /endless-events` has no end
 */

const JSON_TYPE = { 'content-type': 'application/json' }

const ok = (route: string, code = 200): readonly Counted[] => [{ route, code }]
const unmatched = ok('<unmatched>', 404)

export const requestTable: readonly RequestRow[] = [
  { name: 'a plain route', send: { path: '/plain' }, counted: ok('/plain') },
  { name: 'a query', send: { path: '/plain?a=/users/1&b=2' }, counted: ok('/plain') },
  { name: 'a trailing slash', send: { path: '/plain/' }, counted: ok('/plain') },
  { name: 'a route in capitals', send: { path: '/PLAIN' }, counted: ok('/plain') },
  {
    name: 'an answer without a body',
    send: { path: '/conditional', headers: { 'if-none-match': '"1"' } },
    counted: ok('/conditional', 304),
  },
  { name: 'a parameter', send: { path: '/users/7' }, counted: ok('/users/:id') },
  { name: 'another value of a parameter', send: { path: '/users/%C3%A9%2F' }, counted: ok('/users/:id') },
  {
    name: 'another method of a route',
    send: { method: 'POST', path: '/users/7', body: 'x' },
    counted: ok('/users/:id', 201),
  },
  { name: 'two parameters', send: { path: '/shops/a/items/b' }, counted: ok('/shops/:shop/items/:item') },
  {
    name: 'an absolute request target',
    send: { raw: 'GET http://example.com/users/7?x=1 HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n' },
    counted: ok('/users/:id'),
  },

  {
    name: 'a router in a router',
    send: { path: '/api/t/acme/orders/5' },
    counted: ok('/api/t/:tenant/orders/:id'),
    needs: 'mount parameters',
  },
  {
    name: 'the root of a router',
    send: { path: '/api/t/acme' },
    counted: ok('/api/t/:tenant'),
    needs: 'mount parameters',
  },
  {
    name: 'the root of a router with a slash',
    send: { path: '/api/t/acme/' },
    counted: ok('/api/t/:tenant'),
    needs: 'mount parameters',
  },
  {
    name: 'a mount parameter that looks like its surroundings',
    send: { path: '/api/t/t/orders/t' },
    counted: ok('/api/t/:tenant/orders/:id'),
    needs: 'mount parameters',
  },
  { name: 'nothing below a router', send: { path: '/api/t/acme/nothing' }, counted: unmatched },
  { name: 'a router at its first mount', send: { path: '/v1/status' }, counted: ok('/v1/status') },
  { name: 'a router at its second mount', send: { path: '/v2/status' }, counted: ok('/v2/status') },
  { name: 'the second path of a mount', send: { path: '/fr/hello' }, counted: ok('/fr/hello') },
  { name: 'the first path of a mount', send: { path: '/de/hello' }, counted: ok('/de/hello') },
  {
    name: 'a sub-application',
    send: { path: '/admin/users/7' },
    counted: ok('/admin/users/:id'),
    needs: 'sub-application',
  },
  { name: 'nothing in a sub-application', send: { path: '/admin/nothing' }, counted: unmatched },

  { name: 'the first path of a route', send: { path: '/colour' }, counted: ok('/colour') },
  { name: 'the second path of a route', send: { path: '/color/red' }, counted: ok('/color/:name') },
  { name: 'a RegExp', send: { path: '/reports/2024' }, counted: ok('/^\\/reports\\/\\d+$/') },
  { name: 'a wildcard', send: { path: '/files/a/b.txt' }, counted: ok('/files/*') },

  { name: 'a static file', send: { path: '/static/hello.txt' }, counted: ok('/static/*') },
  { name: 'a static file that is not there', send: { path: '/static/other.txt' }, counted: unmatched },
  { name: 'a guard of a mount', send: { path: '/guarded/secret' }, counted: ok('/guarded/*', 401) },
  {
    name: 'a guard of everything',
    send: { path: '/users/7', headers: { 'x-forbidden': '1' } },
    counted: ok('/*', 403),
  },

  { name: 'nothing', send: { path: '/nothing/7' }, counted: unmatched },
  { name: 'the root, where nothing is', send: { path: '/' }, counted: unmatched },
  { name: 'a method that the route has not', send: { method: 'DELETE', path: '/users/7' }, counted: unmatched },
  { name: 'HEAD', send: { method: 'HEAD', path: '/users/7' }, counted: ok('/users/:id') },
  {
    name: 'HEAD in a router',
    send: { method: 'HEAD', path: '/api/t/acme/orders/5' },
    counted: ok('/api/t/:tenant/orders/:id'),
    needs: 'mount parameters',
  },
  { name: 'HEAD of a handler that throws', send: { method: 'HEAD', path: '/throws' }, counted: ok('/throws', 500) },
  { name: 'HEAD of nothing', send: { method: 'HEAD', path: '/nothing' }, counted: unmatched },
  { name: 'OPTIONS', send: { method: 'OPTIONS', path: '/users/7' }, counted: ok('/*') },
  { name: 'OPTIONS of nothing', send: { method: 'OPTIONS', path: '/nothing' }, counted: unmatched },
  {
    name: 'OPTIONS of the server',
    send: { raw: 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' },
    counted: [{ route: '<unmatched>', code: 404, method: 'OPTIONS' }],
  },
  { name: 'QUERY', send: { method: 'QUERY', path: '/plain' }, counted: unmatched },
  {
    name: 'a method that OpenTelemetry does not list',
    send: { method: 'PROPFIND', path: '/nothing' },
    counted: [{ route: '<unmatched>', code: 404, method: '_OTHER' }],
  },
  { name: 'a malformed parameter', send: { path: '/users/%zz' }, counted: ok('<unmatched>', 400) },
  { name: 'a parameter of 150 characters', send: { path: `/users/${'x'.repeat(150)}` }, counted: ok('/users/:id') },
  { name: 'a path with two slashes in front', send: { path: '//plain' }, counted: unmatched },
  { name: 'a path that goes up', send: { path: '/users/../plain' }, counted: unmatched },
  {
    name: 'an absolute request target of nothing',
    send: { raw: 'GET http://example.com/nothing HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n' },
    counted: unmatched,
  },
  { name: 'a request without a host', send: { raw: 'GET /plain HTTP/1.1\r\n\r\n' }, counted: [] },
  { name: 'a request that HTTP refuses', send: { raw: 'GET / HTTP/9.9\r\n\r\n' }, counted: [] },
  {
    name: 'an upgrade',
    send: { raw: 'GET /plain HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n' },
    counted: [],
  },

  {
    name: 'a body',
    send: { method: 'POST', path: '/json', headers: JSON_TYPE, body: '{"a":1}' },
    counted: ok('/json'),
  },
  {
    name: 'a body that cannot be read',
    send: { method: 'POST', path: '/json', headers: JSON_TYPE, body: '{' },
    counted: ok('/json', 400),
  },
  {
    name: 'a body that is too large',
    send: { method: 'POST', path: '/json', headers: JSON_TYPE, body: `"${'x'.repeat(2000)}"` },
    counted: ok('/json', 413),
  },
  {
    name: 'a body that the application cannot read in front of its routes',
    send: { method: 'POST', path: '/json', headers: { 'content-type': 'application/vnd.api+json' }, body: '{' },
    counted: ok('/*', 400),
  },
  {
    name: 'a body that is announced and awaited',
    send: { method: 'POST', path: '/json', headers: { ...JSON_TYPE, expect: '100-continue' }, body: '{"a":1}' },
    counted: ok('/json'),
  },
  {
    name: 'a body that the client breaks off',
    send: { raw: `${uploadTo('/json')}Content-Length: 100\r\n\r\n{"a"`, leave: 'before the answer' },
    counted: [{ route: '/json', code: 499, method: 'POST' }],
  },
  {
    name: 'a body whose chunks are malformed',
    send: { raw: `${uploadTo('/json')}Transfer-Encoding: chunked\r\n\r\nzz\r\n` },
    counted: [{ route: '/json', code: 499, method: 'POST' }],
  },
  { name: 'a handler that throws', send: { path: '/throws' }, counted: ok('/throws', 500) },
  { name: 'a handler that rejects', send: { path: '/rejects' }, counted: ok('/rejects', 500) },
  { name: 'an error with a status', send: { path: '/status-error' }, counted: ok('/status-error', 418) },
  {
    name: 'an error in a nested router that the application answers',
    send: { path: '/api/t/acme/boom' },
    counted: ok('/api/t/:tenant/boom', 500),
    needs: 'mount parameters',
  },
  { name: 'a handler that passes on to nobody', send: { path: '/passes' }, counted: unmatched },
  { name: 'a handler that passes on after its answer', send: { path: '/passes-after' }, counted: ok('/passes-after') },
  {
    name: 'a parameter hook that passes on',
    send: { path: '/hooked/a' },
    counted: ok('/hooked/:key'),
    needs: 'parameter hooks',
  },
  {
    name: 'a parameter hook that answers',
    send: { path: '/hooked/missing' },
    counted: ok('/hooked/:key', 404),
    needs: 'parameter hooks',
  },
  {
    name: 'a parameter hook that fails',
    send: { path: '/hooked/broken' },
    counted: ok('/hooked/:key', 500),
    needs: 'parameter hooks',
  },

  {
    name: 'a client that leaves before the answer',
    send: { path: '/hang', leave: 'before the answer' },
    counted: ok('/hang', 499),
  },
  {
    name: 'a client that leaves after its upload',
    send: { method: 'POST', path: '/upload', body: 'x'.repeat(100_000), leave: 'before the answer' },
    counted: ok('/upload', 499),
  },
  {
    name: 'a client that leaves in the middle of the answer',
    send: { path: '/drip', leave: 'in the answer' },
    counted: ok('/drip', 499),
  },
  {
    name: 'a client that leaves after the answer was handed over',
    send: { path: '/large', leave: 'in the answer' },
    counted: ok('/large'),
  },
  { name: 'an answer by a timer', send: { path: '/timeout' }, counted: ok('/timeout', 503) },
  { name: 'a stream', send: { path: '/stream' }, counted: ok('/stream') },
  { name: 'events', send: { path: '/events' }, counted: ok('/events') },
  {
    name: 'events that the client leaves',
    send: { path: '/endless-events', leave: 'in the answer' },
    counted: ok('/endless-events', 499),
  },

  {
    name: 'three requests on one connection',
    send: { raw: `${get('/plain')}${get('/users/7')}${get('/nothing')}`, answers: 3 },
    counted: [...ok('/plain'), ...ok('/users/:id'), ...unmatched],
  },
  {
    name: 'requests after one that failed',
    send: { raw: `${get('/throws')}${get('/status-error')}${get('/plain')}`, answers: 3 },
    counted: [...ok('/throws', 500), ...ok('/status-error', 418), ...ok('/plain')],
  },
  {
    name: 'pipelined requests whose turn never comes',
    send: { raw: `${get('/drip')}${get('/plain')}${get('/hang')}`, leave: 'in the answer' },
    // The second has its answer ready, the third has not: neither response ever has a socket.
    counted: [...ok('/drip', 499), ...ok('/plain'), ...ok('/hang', 499)],
  },
  { name: 'a stream of HTTP/2', send: { http2: true, path: '/users/7' }, counted: ok('/users/:id'), needs: 'http2' },
  {
    name: 'HEAD of HTTP/2',
    send: { http2: true, method: 'HEAD', path: '/users/7' },
    counted: ok('/users/:id'),
    needs: 'HEAD of HTTP/2',
  },
  {
    name: 'an upload of HTTP/2 that is cancelled',
    send: { http2: true, method: 'POST', path: '/upload', body: 'x'.repeat(10_000), leave: 'before the answer' },
    counted: ok('/upload', 499),
    needs: 'http2',
  },
  {
    name: 'a stream of HTTP/2 that is cancelled',
    send: { http2: true, path: '/hang', leave: 'before the answer' },
    counted: ok('/hang', 499),
    needs: 'http2',
  },
  {
    name: 'a stream of HTTP/2 that is cancelled in the answer',
    send: { http2: true, path: '/drip', leave: 'in the answer' },
    counted: ok('/drip', 499),
    needs: 'http2',
  },
  {
    name: 'an invented method of HTTP/2',
    send: { http2: true, method: 'INVENTED', path: '/nothing' },
    counted: [{ route: '<unmatched>', code: 404, method: '_OTHER' }],
    needs: 'http2',
  },
]

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
}

function uploadTo(path: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n`
}

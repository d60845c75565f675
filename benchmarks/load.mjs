// The load of the benchmarks of requests, until it is killed: `node load.mjs <url>`. Two requests in five are parametrised,
// one is nested, one matches nothing; one at a time on each connection, as browsers and proxies send them.
//
// It never sleeps. To wake one that does is the kernel's work and on the server's bill, and how often that has to be is a
// matter of rhythm: of eight servers with Koa one spent 9.3 µs a request in the kernel and seven 6.7 to 7.5, with the same 11
// µs of their own (`perf`). What the same middleware adds came to 0.46, 0.60 and 1.65 µs in three rounds of `http.mjs` with a
// load that slept, and to 0.42 to 0.63 in four with one that did not, on connections that stayed.
import autocannon from 'autocannon'

const [, , url] = process.argv
const requests = ['/', '/users/17', '/users/42/orders/9', '/users/4711', '/nowhere'].map((path) => ({ path }))
const SECONDS = 3600

setImmediate(function again() {
  setImmediate(again)
})
// It is halted now and then, for longer than an answer may take otherwise.
await autocannon({ url, duration: SECONDS, timeout: SECONDS, connections: 16, requests })

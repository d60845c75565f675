// The load of http.lua where there is no wrk: `node autocannon.mjs <url>`, until it is killed.
import autocannon from 'autocannon'

const [, , url] = process.argv
const requests = ['/', '/users/17', '/users/42/orders/9', '/users/4711', '/nowhere'].map((path) => ({ path }))
await autocannon({ url, duration: 3600, connections: 16, requests })

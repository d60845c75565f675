// The load of express.lua where there is no wrk: `node autocannon.mjs <url> <seconds>`.
import autocannon from 'autocannon'

const [, , url, seconds] = process.argv
const requests = ['/', '/users/17', '/users/42/orders/9', '/users/4711', '/nowhere'].map((path) => ({ path }))
await autocannon({ url, duration: Number(seconds), connections: 16, pipelining: 20, requests })

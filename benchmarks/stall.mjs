// What a scrape of a big page over HTTP does to the serving process: `node --expose-gc stall.mjs <library> <series>`.
// The reader is this process, so that the server's event loop and memory are its own.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'

const [, , name, count, encoding] = process.argv
const server = fork(new URL('stall-server.mjs', import.meta.url), [name, count], { execArgv: ['--expose-gc'] })
const [{ port }] = await once(server, 'message')

// Small pages first: what is compiled or allocated once is no cost of the big one.
for (let scrape = 0; scrape < 30; scrape++) await read('/small')
const idle = await ask('watch', () => new Promise((resolve) => setTimeout(resolve, 1000)))
let bytes = 0
const stall = await ask('watch', async () => {
  bytes = await read('/metrics')
})
server.kill()
console.log(
  JSON.stringify({
    stallMilliseconds: stall.longest,
    wallMilliseconds: stall.longestByTheWall,
    idleWallMilliseconds: idle.longestByTheWall,
    megabytes: stall.held / 2 ** 20,
    heapMegabytes: stall.heap / 2 ** 20,
    bufferMegabytes: stall.buffers / 2 ** 20,
    seconds: stall.seconds,
    pageMegabytes: bytes / 1e6,
  }),
)

/** Has the server watch itself while `work` runs. */
async function ask(what, work) {
  server.send(what)
  await once(server, 'message')
  await work()
  server.send('report')
  const [report] = await once(server, 'message')
  return report
}

function read(path) {
  return new Promise((resolve, reject) => {
    const headers = encoding === undefined ? {} : { 'Accept-Encoding': encoding }
    const request = http.get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      let bytes = 0
      response.on('data', (chunk) => (bytes += chunk.length))
      response.on('end', () =>
        response.statusCode === 200 ? resolve(bytes) : reject(new Error(`HTTP ${response.statusCode}`)),
      )
      response.on('error', reject)
    })
    request.on('error', reject)
  })
}

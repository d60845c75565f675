/**
 * Mixed load, with customers who leave, on the bookshop in each framework: `node scripts/soak.mjs` takes a minute,
 * `--minutes 10` ten of them, shared among the frameworks, and `--framework koa` is for one alone. After each round no
 * request is under way, and then every request that was made has to be counted, none in flight, and the heap flat.
 */
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, createServer, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { fail, root, setUp } from './setup.mjs'

/** The file and the function of each bookshop. */
const SHOPS = new Map([
  ['express', ['express-app.js', 'expressApp']],
  ['fastify', ['fastify-app.js', 'fastifyApp']],
  ['koa', ['koa-app.js', 'koaApp']],
  ['nestjs', ['nest-app.js', 'nestApp']],
])

const ROUNDS = 5

/** Rounds whose heap still grows with code that is compiled and pools that fill. */
const WARM_UP = 2

/** Requests of a round, however long they take: code is compiled after so many, and not after a time. */
const LEAST = 500

/** Bytes that the heap may grow after them. */
const HEAP_NOISE = 1024 * 1024

const CUSTOMERS = 48

/** Milliseconds that a request or a measurement may take. */
const PATIENCE = 60_000

const BOOK = '/books/9780000000019'
const ORDER = JSON.stringify({ isbn: '9780000000019', copies: 1 })

/** How many of a hundred requests, and how they are made. */
const WISHES = [
  [22, (visit) => readAll(visit, 'GET', '/books')],
  [24, (visit) => readAll(visit, 'GET', BOOK)],
  [10, (visit) => readAll(visit, 'GET', `${BOOK}/reviews/1`)],
  [4, (visit) => readAll(visit, 'GET', '/catalogue.csv')],
  [8, (visit) => readAll(visit, 'GET', '/offers')],
  [8, (visit) => readAll(visit, 'GET', `/${randomBytes(6).toString('hex')}`)],
  [4, (visit) => readAll(visit, 'POST', '/orders', ORDER)],
  [2, (visit) => readAll(visit, 'POST', '/orders', '{')],
  [6, (visit) => leave(visit, `GET /search?q=the HTTP/1.1\r\n`, '', Math.random() * 40)],
  [6, (visit) => leave(visit, `GET /catalogue.csv HTTP/1.1\r\n`, '', undefined)],
  [3, (visit) => leave(visit, `POST /orders HTTP/1.1\r\n`, ORDER, Math.random() * 10, ORDER.length)],
  [3, (visit) => leave(visit, `POST /orders HTTP/1.1\r\n`, ORDER, Math.random() * 10, 4_096)],
]

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    framework: { type: 'string' },
    serve: { type: 'string' },
  },
})
if (values.serve === undefined) await main()
else await serve(values.serve)

async function main() {
  const minutes = Number(values.minutes)
  if (!(minutes > 0 && minutes <= 1_440)) fail(`--minutes takes a number above 0, not \`${values.minutes}\`.`)
  if (values.framework !== undefined && !SHOPS.has(values.framework)) {
    fail(`--framework takes one of ${Array.from(SHOPS.keys()).join(', ')}, not \`${values.framework}\`.`)
  }
  setUp()
  const frameworks = values.framework === undefined ? Array.from(SHOPS.keys()) : [values.framework]
  for (const framework of frameworks) {
    const problems = await soak(framework, (minutes * 60_000) / frameworks.length / ROUNDS)
    for (const problem of problems) console.error(`✗ ${framework}: ${problem}`)
    if (problems.length > 0) process.exitCode = 1
  }
}

/** Gives what is wrong. */
async function soak(framework, millisecondsOfRound) {
  const options = { execArgv: ['--expose-gc'], stdio: ['ignore', 'inherit', 'pipe', 'ipc'] }
  const child = fork(fileURLToPath(import.meta.url), ['--serve', framework], options)
  // Express logs every request that was sent wrong: of interest only where the server ends.
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (errors = (errors + text).slice(-4_000)))
  const exited = once(child, 'exit')
  const problems = []
  const made = { all: 0, left: 0, unanswered: 0 }
  const heaps = []
  try {
    const [{ port }] = await replyOf(child)
    for (let round = 1; round <= ROUNDS; round++) {
      await loadFor(millisecondsOfRound, port, made)
      const measured = replyOf(child)
      child.send('measure')
      const [{ heap, connections }] = await measured
      const { counted, abandoned, inFlight } = readPage(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text())
      heaps.push(heap)
      console.log(
        `${framework}, round ${round}: ${made.all} made, ${counted} counted; ${made.left} left, ${abandoned} counted ` +
          `as 499; ${inFlight} in flight; heap ${(heap / 1024 / 1024).toFixed(2)} MiB`,
      )
      if (counted !== made.all) problems.push(`round ${round}: ${made.all} requests made, ${counted} counted`)
      if (inFlight !== 0) problems.push(`round ${round}: ${inFlight} in flight when all had ended`)
      if (connections !== 0) problems.push(`round ${round}: ${connections} connections were left open`)
    }
  } catch (error) {
    problems.push(`${error instanceof Error ? error.message : String(error)}\n${errors}`)
  } finally {
    child.kill()
    await exited
  }
  if (made.unanswered > 0) problems.push(`${made.unanswered} requests without a whole answer`)
  const growth = heaps.at(-1) - heaps[WARM_UP - 1]
  if (growth > HEAP_NOISE) problems.push(`the heap grew by ${growth} bytes after round ${WARM_UP}`)
  return problems
}

async function loadFor(milliseconds, port, made) {
  const agent = new Agent({ keepAlive: true, maxSockets: CUSTOMERS })
  const visit = { port, agent, made }
  const end = performance.now() + milliseconds
  const enough = made.all + LEAST
  const customer = async () => {
    while (performance.now() < end || made.all < enough) {
      made.all += 1
      await someWish()(visit)
    }
  }
  await Promise.all(Array.from({ length: CUSTOMERS }, customer))
  agent.destroy()
}

function someWish() {
  let ticket = Math.random() * WISHES.reduce((sum, [share]) => sum + share, 0)
  return WISHES.find(([share]) => (ticket -= share) < 0)[1]
}

function readAll({ port, agent, made }, method, target, body) {
  const headers = { traceparent: someTrace() }
  if (body !== undefined) Object.assign(headers, { 'Content-Type': 'application/json', 'Content-Length': body.length })
  return new Promise((resolve) => {
    const fail = () => {
      made.unanswered += 1
      resolve()
    }
    const request = httpRequest({ port, host: '127.0.0.1', agent, method, path: target, headers, timeout: PATIENCE })
    request.on('timeout', () => request.destroy()).on('error', fail)
    request.on('response', (response) => response.on('error', fail).on('end', resolve).resume())
    request.end(body)
  })
}

/**
 * Leaves so many milliseconds after the request was written, or with the first bytes of the answer. What the system took
 * of a request reaches the server before the end of the connection does: the server meets every one of them.
 */
function leave({ port, made }, requestLine, body, milliseconds, length) {
  made.left += 1
  const type = length === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${length}\r\n`
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('close', resolve).on('error', () => {})
    if (milliseconds === undefined) socket.once('data', () => socket.destroy())
    socket.write(`${requestLine}Host: shop\r\ntraceparent: ${someTrace()}\r\n${type}\r\n${body}`, () => {
      if (milliseconds !== undefined) setTimeout(() => socket.destroy(), milliseconds)
    })
  })
}

function someTrace() {
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`
}

function readPage(page) {
  const sum = (pattern) => Array.from(page.matchAll(pattern)).reduce((total, [, value]) => total + Number(value), 0)
  return {
    counted: sum(/^http_requests_total\{.*\} (\S+)$/gm),
    abandoned: sum(/^http_requests_total\{.*code="499".*\} (\S+)$/gm),
    inFlight: sum(/^http_requests_in_flight\{.*\} (\S+)$/gm),
  }
}

async function replyOf(child) {
  const settled = new AbortController()
  const { signal } = settled
  const gone = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`the server ended with ${code}`)
  })
  try {
    return await Promise.race([once(child, 'message', { signal }), gone])
  } finally {
    settled.abort()
  }
}

/** The server, in a process of its own: tells its port, and when asked what its heap holds after garbage collection. */
async function serve(framework) {
  const dist = path.join(root, 'examples', 'bookshop', 'dist')
  const load = (file) => import(pathToFileURL(path.join(dist, file)).href)
  const [file, name] = SHOPS.get(framework)
  const { Shop } = await load('shop.js')
  const server = createServer(await (await load(file))[name](new Shop()))
  // A connection that the server closes while a request is on its way would be a request that it never met.
  server.keepAliveTimeout = 0
  await once(server.listen(0, '127.0.0.1'), 'listening')
  process.on('disconnect', () => process.exit())
  process.on('message', async () => {
    const connections = await connectionsOf(server)
    for (let times = 0; times < 3; times++) {
      await sleep(20)
      globalThis.gc()
    }
    process.send({ heap: process.memoryUsage().heapUsed, connections })
  })
  process.send({ port: server.address().port })
}

/** How many stay open when there was time to close them. */
async function connectionsOf(server) {
  for (const start = performance.now(); ; await sleep(20)) {
    const count = await new Promise((resolve) => server.getConnections((_error, connections) => resolve(connections)))
    if (count === 0 || performance.now() - start > PATIENCE) return count
  }
}
